/** The dashboard in each of its states, as docs/operator.md shows it. `-- --full` writes the pictures into docs/dashboard. */
import { join, resolve } from 'node:path';
import t from 'tap';
import { Browser, type Look } from '../support/browser.ts';
import { addPerson, startBusyGateway } from '../support/busy-gateway.ts';
import { logIn } from '../support/dashboard.ts';
import { suiteSize } from '../support/suite-size.ts';

const directory =
  process.env.VESTIBULE_PICTURES ?? (suiteSize().isFull ? resolve(import.meta.dirname, '../../docs/dashboard') : t.testdir());

t.test('pictures: every state of the dashboard is drawn without a complaint of the browser', async (t) => {
  const busy = await startBusyGateway(t);
  await addPerson(busy.gateway, 'ann', 'manager');
  const browser = Browser.open();
  t.teardown(() => browser.close());
  const page = await browser.page();
  const take = async (name: string, look: Look = {}, isWhole = true): Promise<void> => {
    await page.look(look);
    await page.picture(join(directory, `${name}.png`), isWhole);
  };

  await page.open(busy.url);
  await page.until("document.querySelector('#account')");
  await take('login', { width: 900, height: 640 }, false);
  await logIn(page, busy.url);
  await page.untilText('What needs somebody');
  await take('overview');
  await take('overview-dark', { scheme: 'dark' });
  await take('overview-phone', { width: 390, height: 844 });
  await page.look({});
  await page.open(`${busy.url}/#/kiosk/${busy.kiosks.unplugged.kiosk}`);
  await page.untilText('Revoke this kiosk');
  await take('kiosk');
  await page.click('[data-action=revoke]');
  await page.until("document.querySelector('dialog[open]')");
  await take('revoke', {}, false);
  await page.press('Escape');
  for (const [name, words] of [
    ['flags', 'Twice high'],
    ['quarantine', 'Try again'],
    ['venues', 'Town library'],
    ['gateway', 'Refused'],
    ['audit', 'The log is whole'],
  ] as const) {
    await page.open(`${busy.url}/#/${name}`);
    await page.untilText(words);
    await take(name);
  }
  await page.open(`${busy.url}/#/venues`);
  await page.untilText('Town library');
  await page.click('[data-action=edit-venue][data-venue]');
  await page.until("document.querySelector('dialog[open]')");
  await take('venue', {}, false);
  await page.click('[data-action=close-dialog]');
  await page.click('[data-action=enrol]');
  await page.until("document.querySelector('dialog[open] #f-direction')");
  await page.click('dialog button.first');
  await page.until("document.querySelector('dialog[open] .symbol')");
  // A code opens the gateway that made it; this one is gone when the picture is looked at.
  await take('enrol', {}, false);
  await page.click('[data-action=close-dialog]');
  await page.open(`${busy.url}/#/codes`);
  await page.untilText('Harbour market');
  await take('codes');
  await page.open(`${busy.url}/#/audit`);
  await page.untilText('code.give');
  await take('audit-phone', { width: 390, height: 844 });
  t.strictSame(
    page.complaints.filter((complaint) => !complaint.includes('401')),
    [],
  );
});
