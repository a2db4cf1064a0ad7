/** The set-up page of a real kiosk's door: shown first while set-up is asked for, obeyed while it goes on, and refused to whoever passes afterwards. */
import t from 'tap';
import { Page } from '../../../kiosk/page.ts';
import { LANGUAGES } from '../../../kiosk/screen/languages.ts';
import { SetupDesk } from '../../../kiosk/setup/setup-desk.ts';
import { setupRoutes } from '../../../kiosk/setup/setup-routes.ts';
import { SETUP_WORDS } from '../../../kiosk/setup/setup-words.ts';
import { silentLog } from '../../../protocol/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

t.test('set-up page: comes first, takes commands, can be put off, and is nobody’s once the kiosk is set up', async (t) => {
  const setup = new SetupDesk({
    dir: t.testdir(),
    isEnrolled: false,
    clock: new ManualClock(),
    log: silentLog,
    findPort: async () => undefined,
    check: () => {},
  });
  const scanned: string[] = [];
  setup.attach({
    scan: (text) => scanned.push(text),
    add: () => {},
    askPlace: () => new Promise(() => {}),
    deliver: () => new Promise(() => {}),
  });
  let isStaff = false;
  const page = new Page({
    port: 0,
    onScan: () => {},
    onStaff: () => {},
    health: () => ({ devices: [], queued: 0 }) as never,
    direction: () => 'in',
    isSetupAsked: () => setup.isAsked,
    routes: setupRoutes(
      setup,
      () => 'de',
      () => isStaff,
    ),
  });
  const url = await page.open();
  t.teardown(() => page.close());
  const post = (path: string, body: object) =>
    fetch(`${url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const first = await fetch(url, { redirect: 'manual' });
  t.match([first.status, first.headers.get('location')], [302, '/setup.html']);
  t.equal((await fetch(`${url}/setup.html`)).status, 200);
  t.match(await (await post('/setup/state', {})).json(), {
    language: 'de',
    mayChange: true,
    state: { step: 'enrol' },
    words: { title: 'Gerät einrichten' },
  });

  t.equal((await post('/setup/scan', { text: 'ABC' })).status, 204);
  t.strictSame(scanned, ['ABC']);
  setup.put({ kind: 'enrolled' });
  for (const wrong of [
    {},
    { kind: 'reset' },
    { kind: 'name', name: ' ' },
    { kind: 'name', name: 'VEGKRKJHJFXNXPBXHRBGPXBDTCTRNXJFRXCRKNBS' },
    { kind: 'name', name: 'a\u001b' },
    { kind: 'step', step: 'enrol' },
    { kind: 'next', more: 1 },
  ])
    t.equal((await post('/setup/command', wrong)).status, 400, JSON.stringify(wrong));
  t.equal((await post('/setup/command', { kind: 'next' })).status, 204);
  t.equal(setup.state.step, 'devices');
  t.equal((await post('/setup/later', {})).status, 204);
  t.equal((await fetch(url, { redirect: 'manual' })).status, 200, 'the door, and set-up later');
  await post('/setup/command', { kind: 'next' });
  setup.put({ kind: 'delivered', delivery: { outcome: 'delivered', tookMs: 1 } });
  t.equal(setup.state.step, 'done');
  t.equal((await post('/setup/command', { kind: 'step', step: 'devices' })).status, 403);
  isStaff = true;
  t.equal((await post('/setup/command', { kind: 'step', step: 'devices' })).status, 204);
});

t.test('set-up words: every language fills in what the others do', async (t) => {
  const places = (words: object) => [...JSON.stringify(words).matchAll(/\{\w+\}/g)].map(([place]) => place).sort();
  for (const language of LANGUAGES) t.strictSame(places(SETUP_WORDS[language]), places(SETUP_WORDS.en), language);
});
