/** The dashboard in a real browser, as people use it: by keyboard, on a phone, in the dark, with a reader, while things happen. */
import t from 'tap';
import { axeFaultsOf, faultsOf } from '../support/accessible.ts';
import { Browser } from '../support/browser.ts';
import { addPerson, type BusyGateway, PASSWORD, report, say, startBusyGateway } from '../support/busy-gateway.ts';
import { focused, logIn, tabTo } from '../support/dashboard.ts';
import { startTestGateway } from '../support/test-gateway.ts';

const browser = Browser.open();
t.teardown(() => browser.close());

const pagesOf = ({ kiosks }: BusyGateway): readonly (readonly [string, string])[] => [
  ['', 'What needs somebody'],
  [`kiosk/${kiosks.unplugged.kiosk}`, 'Revoke this kiosk'],
  ['flags', 'Twice high'],
  ['quarantine', 'Try again'],
  ['venues', 'Town library'],
  ['codes', 'No code was given out yet'],
  ['gateway', 'Forwarding'],
  ['releases', 'Each kiosk'],
  ['audit', 'The log is whole'],
];

t.test(
  'dashboard: nothing is in the way of a reader, of little sight, of a thumb, on any page, light and dark, on a phone and a desk',
  async (t) => {
    const busy = await startBusyGateway(t, 2);
    await addPerson(busy.gateway, 'ann', 'manager');
    const page = await browser.page();
    const check = async (name: string): Promise<void> => {
      t.strictSame(await faultsOf(page), [], name);
      t.strictSame(await axeFaultsOf(page), [], `${name}: axe-core`);
      const slivers = "[...document.querySelectorAll('.facts-list dd')].filter((dd) => dd.clientWidth < 96).map((dd) => dd.textContent)";
      t.strictSame(await page.value(slivers), [], `${name}: no column is a sliver`);
    };
    const looks = [
      ['light', 1_280],
      ['dark', 1_280],
      ['light', 390],
      ['dark', 320],
    ] as const;
    await page.open(busy.url);
    await page.until("document.querySelector('#account')");
    await check('log in');
    await logIn(page, busy.url);
    for (const [name, words] of pagesOf(busy)) {
      await page.open(`${busy.url}/#/${name}`);
      await page.untilText(words);
      for (const [scheme, width] of looks) {
        await page.look({ scheme, width, height: 800 });
        await check(`${name || 'overview'}, ${scheme}, ${width} px`);
      }
    }
    await page.look({});
    await page.open(`${busy.url}/#/kiosk/${busy.kiosks.unplugged.kiosk}`);
    await page.click('[data-action=revoke]');
    await page.until("document.querySelector('dialog[open]')");
    await check('the question before a revocation');
  },
);

t.test('dashboard: by keyboard alone from logging in to revoking a kiosk, which is asked for once more', async (t) => {
  const busy = await startBusyGateway(t, 0);
  await addPerson(busy.gateway, 'ann', 'manager');
  const page = await browser.page();
  const { kiosk } = busy.kiosks.copied;
  await page.open(busy.url);
  await page.until("document.querySelector('#account')");
  await page.press('Tab');
  await tabTo(page, 'account');
  await page.type('ann');
  await page.press('Tab');
  await page.type(PASSWORD);
  await page.press('Enter');
  await page.untilText('What needs somebody');
  await tabTo(page, kiosk.slice(-4));
  await page.press('Enter');
  await page.untilText('Revoke this kiosk');
  await tabTo(page, 'Revoke this kiosk');
  await page.press('Enter');
  await page.until("document.querySelector('dialog[open]')");
  t.ok(await page.value("document.querySelector('#sure').disabled"), 'nothing is done by one key too many');
  await page.press('Escape');
  await page.until("document.querySelector('dialog:not([open])')");
  t.match(await focused(page), /Revoke this kiosk/, 'the focus is where it was');
  await page.press('Enter');
  await page.until("document.querySelector('dialog[open]')");
  await page.type(kiosk.slice(-4));
  await page.until("!document.querySelector('#sure').disabled");
  await tabTo(page, '#sure');
  await page.press('Enter');
  await page.until(`fetch('/api/1/kiosks/${kiosk}').then((reply) => reply.json()).then(({ standing }) => standing === 'revoked')`);
  await busy.gateway.clock.advance(1_000);
  await page.until("document.querySelector('.headline').innerText.includes('Revoked')");
  t.not(busy.gateway.registry.kiosk(kiosk)?.revokedAtMs, undefined);
});

t.test('dashboard: what happens is shown and said as it happens, and takes nothing from who is typing', async (t) => {
  const busy = await startBusyGateway(t, 2);
  await addPerson(busy.gateway, 'ann', 'manager');
  const page = await browser.page();
  const { up } = busy.kiosks;
  await logIn(page, busy.url);
  await page.fill('#find', 'library');
  await page.until("!document.querySelector('main').innerText.includes('Linden school')");
  await page.value("document.querySelector('#find').mark = 'same'");
  await say(busy.clients.get(up)!, up, report({ state: 'degraded', devices: [{ name: 'scanner', isUp: false, why: 'device.gone' }] }));
  await busy.gateway.clock.advance(2_000);
  await page.until(`document.querySelector('[data-key="${up.kiosk}"]').innerText.includes('No scanner')`);
  t.equal(
    await page.value('document.activeElement.id + document.activeElement.mark + document.activeElement.value'),
    'findsamelibrary',
    'the same field, the same words',
  );
  t.match(await page.value("document.querySelector('[role=status]').textContent"), /5 kiosks need you/, 'a reader hears it');
  await say(busy.clients.get(up)!, up, report());
  await busy.gateway.clock.advance(2_000);
  await page.until(`document.querySelector('[data-key="${up.kiosk}"]').innerText.includes('Up')`);
});

t.test('dashboard: a gateway that is gone is told at once, and one that is back goes on by itself, with the same session', async (t) => {
  const first = await startBusyGateway(t, 0);
  await addPerson(first.gateway, 'ann', 'manager');
  const page = await browser.page();
  await logIn(page, first.url);
  for (const client of first.clients.values()) client.end(true);
  await first.gateway.stop();
  await page.until("document.querySelector('.pulse[data-live=lost]')");
  t.match(await page.value("document.querySelector('.pulse').innerText"), /Not live/);
  const port = Number(new URL(first.url).port);
  await startTestGateway(t, { after: first.gateway, config: { web: { port, isPlain: true } } });
  await page.until("document.querySelector('.pulse[data-live=on]')");
  await page.untilText('Town library');
});

t.test('dashboard: who may only look is offered nothing else, and reads flags without a name', async (t) => {
  const busy = await startBusyGateway(t, 0);
  await addPerson(busy.gateway, 'rita', 'read-only');
  const page = await browser.page();
  await logIn(page, busy.url, 'rita');
  const forAll = pagesOf(busy).filter(([name]) => !['', 'codes', 'gateway', 'audit'].includes(name));
  for (const [name, words] of forAll) {
    await page.open(`${busy.url}/#/${name}`);
    await page.untilText(words.replace(/Try again|Revoke this kiosk/, 'Vestibule'));
    await page.until("!document.querySelector('main').innerText.includes('Loading')");
    t.equal(
      await page.value(
        "document.querySelectorAll('[data-action=revoke], [data-action=replay], [data-action=drop], [data-action=handled]').length",
      ),
      0,
      name,
    );
  }
  for (const [name, words] of [
    ['codes', 'Only a manager may see which codes'],
    ['audit', 'Only a manager may read the audit log'],
  ] as const) {
    await page.open(`${busy.url}/#/${name}`);
    await page.untilText(words);
  }
});

t.test('dashboard: nothing comes from elsewhere, and a script that was slipped in does not run', async (t) => {
  const busy = await startBusyGateway(t, 0);
  await addPerson(busy.gateway, 'ann', 'manager');
  // A venue's name is what a person typed.
  busy.gateway.registry.putVenue({
    id: busy.gateway.venue,
    name: '<img src=x onerror="document.title=1"><script>document.title=2</script>',
    timezone: 'UTC',
  });
  const page = await browser.page();
  await logIn(page, busy.url);
  await page.open(`${busy.url}/#/venues`);
  await page.untilText('<img src=x');
  t.equal(await page.value('document.title'), 'Venues · Vestibule');
  const origins = await page.value<string[]>(
    "[...new Set(performance.getEntriesByType('resource').map(({ name }) => new URL(name).origin))]",
  );
  t.strictSame(origins, [busy.url]);
  t.strictSame(
    page.complaints.filter((complaint) => !complaint.includes('401')),
    [],
    'until now the browser had nothing to say',
  );
  await page.value(
    "(() => { const script = document.createElement('script'); try { script.textContent = 'document.title = 3'; document.body.append(script); } catch {} })()",
  );
  await page.value("(() => { try { document.body.insertAdjacentHTML('beforeend', '<p>x</p>'); } catch {} })()");
  t.equal(await page.value('document.title'), 'Venues · Vestibule');
  t.equal(await page.value('document.cookie'), '', 'no script reads the cookie');
});

t.test('dashboard: flags are dealt with, quarantine is tried again and thrown away, the log level changes', async (t) => {
  const busy = await startBusyGateway(t, 0);
  await addPerson(busy.gateway, 'ann', 'manager');
  const page = await browser.page();
  await logIn(page, busy.url);
  await page.open(`${busy.url}/#/flags`);
  await page.click('[data-action=handled]');
  await page.until("document.querySelector('tbody').innerText.includes('ann,')");
  await page.open(`${busy.url}/#/quarantine`);
  await page.click('[data-action=replay]');
  await page.untilText('Still not right');
  await page.click('[data-action=drop]');
  await page.until("document.querySelector('dialog[open]')");
  await page.click('#sure');
  await page.untilText('Nothing is in quarantine');
  const audit = await page.value<{ entries: { action: string }[] }>("fetch('/api/1/audit').then((reply) => reply.json())");
  const actions = audit.entries.map(({ action }) => action);
  for (const action of ['flag.handled', 'quarantine.replay', 'quarantine.drop']) t.ok(actions.includes(action), action);
});
