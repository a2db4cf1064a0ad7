/** What a manager sets up on the dashboard, in a real browser; each of it looked at by axe-core, on a desk and on a phone in the dark. */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { setSecondPlace } from '../../gateway/backup/revocation-file.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { axeFaultsOf, faultsOf } from '../support/accessible.ts';
import { Browser, type Page } from '../support/browser.ts';
import { addPerson, startBusyGateway } from '../support/busy-gateway.ts';
import { logIn } from '../support/dashboard.ts';
import { until } from '../support/until.ts';

const browser = Browser.open();
t.teardown(() => browser.close());
const pictures = process.env.VESTIBULE_PICTURES;

/** @param name of the picture, where VESTIBULE_PICTURES names a directory for them. */
async function check(t: Test, page: Page, name: string, isWhole = true): Promise<void> {
  if (pictures !== undefined) await page.picture(join(pictures, `${name}.png`), isWhole);
  for (const look of [{}, { scheme: 'dark', width: 320, height: 800 }] as const) {
    await page.look(look);
    t.strictSame(await faultsOf(page), [], name);
    t.strictSame(await axeFaultsOf(page), [], `${name}: axe-core`);
  }
  await page.look({});
}

t.test('dashboard: a code that was given out is found again, and taken back', async (t) => {
  const busy = await startBusyGateway(t, 0);
  await addPerson(busy.gateway, 'ann', 'manager');
  const page = await browser.page();
  await logIn(page, busy.url);
  await page.open(`${busy.url}/#/venues`);
  await page.untilText('Codes that were given out');
  await page.click('[data-action=enrol]');
  await page.until("document.querySelector('dialog[open] #f-direction')");
  await page.click('dialog button.first');
  await page.until("document.querySelector('dialog[open] .symbol')");
  await page.click('[data-action=close-dialog]');
  await page.click('a[href="#/codes"]');
  await page.untilText('Open until');
  await check(t, page, 'codes');
  await page.click('[data-action=withdraw]');
  await page.untilText('Taken back');
  t.equal(await page.value("document.querySelectorAll('[data-action=withdraw]').length"), 0, 'once');
});

t.test('dashboard: the doors of a venue are named, turned, added and removed', async (t) => {
  const busy = await startBusyGateway(t, 0);
  await addPerson(busy.gateway, 'ann', 'manager');
  const page = await browser.page();
  const { venue, entrance } = busy.gateway.registry.kiosk(busy.kiosks.up.kiosk)!.placement;
  const entrances = () => busy.gateway.registry.venueBook.venue(venue).entrances;
  busy.gateway.registry.venueBook.putEntrance(venue, { name: 'Walled up', direction: 'in' });
  const walled = entrances().find(({ name }) => name === 'Walled up')!;
  await busy.gateway.clock.advance(1_000);
  await logIn(page, busy.url);
  await page.open(`${busy.url}/#/venues`);
  await page.untilText('Walled up');
  await page.click(`[data-action=entrances][data-venue="${venue}"]`);
  await page.until("document.querySelector('dialog[open] #f-name-new')");
  await check(t, page, 'entrances', false);
  await page.fill(`#f-name-${entrance}`, 'East door');
  await page.value(`document.querySelector('#f-direction-${entrance}').value = 'out'`);
  await page.value(`document.querySelector('#f-direction-${walled.id}').value = 'gone'`);
  await page.fill('#f-name-new', 'Garden gate');
  await page.click('dialog button.first');
  await page.until("document.querySelector('dialog:not([open])')");
  await page.until(
    `fetch('/api/1/overview').then((reply) => reply.json()).then(({ venues }) => JSON.stringify(venues).includes('Garden gate'))`,
  );
  t.match(
    entrances().find(({ id }) => id === entrance),
    { name: 'East door', direction: 'out', isTold: true },
  );
  t.notOk(entrances().some(({ id }) => id === walled.id));
});

t.test('dashboard: a kiosk that was revoked by mistake is admitted again, which is asked for once more', async (t) => {
  const busy = await startBusyGateway(t, 0);
  await addPerson(busy.gateway, 'ann', 'manager');
  const page = await browser.page();
  const { kiosk } = busy.kiosks.revoked;
  await logIn(page, busy.url);
  await page.open(`${busy.url}/#/kiosk/${kiosk}`);
  await page.untilText('Admit it again');
  await check(t, page, 'revoked');
  await page.click('[data-action=admit]');
  await page.until("document.querySelector('dialog[open]')");
  await check(t, page, 'admit', false);
  await page.click('dialog [value=no]');
  t.not(busy.gateway.registry.kiosk(kiosk)?.revokedAtMs, undefined, 'kept out');
  await page.until("document.querySelector('dialog:not([open])')");
  await page.click('[data-action=admit]');
  await page.until("document.querySelector('dialog[open]')");
  await page.click('#sure');
  await page.until(`fetch('/api/1/kiosks/${kiosk}').then((reply) => reply.json()).then(({ standing }) => standing === 'admitted')`);
  t.equal(busy.gateway.registry.kiosk(kiosk)?.revokedAtMs, undefined);
});

t.test('dashboard: how far a restore has come is shown, and a second place that is behind', async (t) => {
  const busy = await startBusyGateway(t, 0);
  const { gateway } = busy;
  await addPerson(gateway, 'ann', 'manager');
  const restoredAtMs = gateway.clock.wall();
  gateway.registry.restoreBook.add({ backupAtMs: (restoredAtMs - 3_600_000) as EpochMillis, restoredAtMs, skipTo: 0 });
  const version = gateway.registry.restoreBook.newest()?.version ?? 0;
  gateway.registry.restoreBook.setSentAgain(busy.kiosks.up.kiosk, version, restoredAtMs);
  setSecondPlace(gateway.directory, '/dev/null/place');
  await gateway.clock.advance(2_000);
  await until(() => gateway.log.of('second_place.failed').length > 0);
  await gateway.clock.advance(61_000);
  const page = await browser.page();
  await logIn(page, busy.url);
  await page.open(`${busy.url}/#/gateway`);
  await page.untilText('of 8 kiosks sent again');
  await page.untilText('log of revocations is behind');
  await check(t, page, 'restored');
});
