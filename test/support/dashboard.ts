/** How a test's person goes about the dashboard: logs in, and comes to a control by keyboard alone. */
import type { Page } from './browser.ts';
import { PASSWORD } from './busy-gateway.ts';

/** @returns once the page hears from the gateway. */
export async function logIn(page: Page, url: string, account = 'ann'): Promise<void> {
  await page.open(url);
  await page.fill('#account', account);
  await page.fill('#password', PASSWORD);
  await page.press('Enter');
  await page.until("document.querySelector('.pulse[data-live=on]')");
}

/** The words of the control that has the focus. */
export const focused = (page: Page): Promise<string> =>
  page.value("(({ activeElement: at }) => (at.matches('a, button, input, select') ? at.textContent.trim() + ' #' + at.id : ''))(document)");

/** Presses Tab until something with these words has the focus. */
export async function tabTo(page: Page, words: string): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    if ((await focused(page)).includes(words)) return;
    await page.press('Tab');
  }
  throw new Error(`nothing that says ${words} is reached by Tab`);
}
