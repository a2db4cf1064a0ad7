/** A card that is taken back on the holder's page, in a real browser: by one search it is in no store after, with a kiosk away, and then back. */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { openCoreRest } from '../../cli/open-rest.ts';
import { makeCoreKeys } from '../../core/keys.ts';
import { parseRestConfig } from '../../core/rest/config.ts';
import { formatKeyCode, newKeyCode } from '../../protocol/key-code.ts';
import { silentLog } from '../../protocol/log.ts';
import { deriveVisitor } from '../../protocol/visitor.ts';
import { Road } from '../journey/road.ts';
import { Browser, type Page } from '../support/browser.ts';
import { CardSearch } from '../support/card-search.ts';
import { telling } from '../support/until.ts';

const browser = Browser.open();
t.teardown(() => browser.close());

const clickOn = (page: Page, words: string): Promise<unknown> =>
  page.value(
    `[...document.querySelectorAll('button')].find((one) => one.textContent === ${JSON.stringify(words)} && !one.disabled).click()`,
  );

/** Looks again, as its holder would, until the receipt says so; not before it is so. */
async function untilShown(page: Page, wanted: RegExp, isSo: () => Promise<boolean>): Promise<string> {
  const told = telling(`the page to say ${wanted}`);
  // Whoever searches a store reads it, and no log that is being read is emptied: each search leaves room for that.
  for (; !(await isSo()); told()) await setTimeout(500);
  // A person asks now and then; who asks without end is told to wait a minute.
  for (; ; told(), await setTimeout(2_000)) {
    const text = await page.value<string>('document.getElementById("main").innerText');
    if (wanted.test(text)) return text;
    await page.until("[...document.querySelectorAll('button')].some((one) => one.textContent === 'Look again' && !one.disabled)");
    await clickOn(page, 'Look again');
    await page.until("[...document.querySelectorAll('button')].some((one) => one.textContent === 'Look again' && !one.disabled)");
  }
}

t.test(
  "taken back: on the holder's page, to the receipt; a kiosk that is away is pending, and then done",
  { timeout: 120_000 },
  async (t) => {
    const road = await Road.open(t);
    const core = join(road.data, 'core');
    const keys = await makeCoreKeys(join(core, 'keys'));
    const config = { ...parseRestConfig({}), port: 0 };
    const rest = await openCoreRest({ core: road.core, keys, dir: core, config, clock: road.clock, log: silentLog });
    t.teardown(() => rest.close());
    const keyCode = newKeyCode();
    const anna = deriveVisitor(keyCode);
    await road.admit('door');
    const kiosk = await road.startKiosk('door', { direction: 'both' });
    t.equal(await kiosk.scan(road.textOf(anna.card)), 'welcome');
    await road.delivered('door');
    await road.state();
    await kiosk.stop();
    const search = new CardSearch(anna);
    for (const place of ['core/', 'gateway/', 'door/'])
      t.ok(
        (await search.find(road.data)).some((line) => line.startsWith(place)),
        `${place} has it before`,
      );

    const page = await browser.page();
    await page.send('Security.setIgnoreCertificateErrors', { ignore: true });
    await page.open(`https://127.0.0.1:${rest.port}/holder`);
    await page.until("document.querySelector('#code')");
    await page.fill('#code', formatKeyCode(keyCode));
    await clickOn(page, 'Show my notices');
    await page.until("[...document.querySelectorAll('button')].some((one) => one.textContent === 'Take my card back')");
    await clickOn(page, 'Take my card back');
    await page.until("document.querySelector('dialog[open]')");
    await clickOn(page, 'Yes, erase everything');
    await page.until("[...document.querySelectorAll('button')].some((one) => one.textContent === 'Look again')");
    const isOnlyAtDoor = async () => (await search.find(road.data)).every((line) => line.startsWith('door/'));
    t.match(await untilShown(page, /Gateway: erased/, isOnlyAtDoor), /Kiosks at the doors: pending/);
    t.ok(await isOnlyAtDoor(), 'in the kiosk that is away alone');
    const back = await road.startKiosk('door', { direction: 'both' });
    t.match(
      await untilShown(page, /Kiosks at the doors: erased/, async () => (await search.find(road.data)).length === 0),
      /Tracing core: erased[\s\S]*Gateway: erased/,
    );
    t.strictSame(await search.find(road.data), []);
    t.equal(await back.scan(road.textOf(anna.card)), 'card-withdrawn');
  },
);
