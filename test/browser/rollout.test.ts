/** A rollout on the dashboard: which release each kiosk has, and how a manager holds it, by keyboard alone. */
import { join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import { axeFaultsOf, faultsOf } from '../support/accessible.ts';
import { Browser } from '../support/browser.ts';
import { addPerson, type BusyGateway, report, say, startBusyGateway } from '../support/busy-gateway.ts';
import { logIn, tabTo } from '../support/dashboard.ts';
import { suiteSize } from '../support/suite-size.ts';
import type { TestKiosk } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';

const browser = Browser.open();
t.teardown(() => browser.close());
const BOARD = 'rpi-arm64';
const DIGEST = 'ef'.repeat(32);

const phase = (busy: BusyGateway, kiosk: TestKiosk, told: 'taking' | 'kept' | 'failed', version = '0.1.0'): Promise<void> =>
  say(
    busy.clients.get(kiosk)!,
    kiosk,
    report({
      board: BOARD,
      version,
      update: {
        ...{ release: DIGEST.slice(0, 16), version: '1.4.0', phase: told },
        ...(told === 'taking' && { percent: 30 }),
        ...(told === 'failed' && { why: 'release.not_healthy' }),
      },
    }),
  );

/** One kiosk keeps it, one takes it, one went back. */
async function startRollout(t: Test): Promise<BusyGateway> {
  const busy = await startBusyGateway(t, 2);
  const { up, unplugged, copied } = busy.kiosks;
  const { registry, clock } = busy.gateway;
  for (const kiosk of [up, unplugged, copied]) await say(busy.clients.get(kiosk)!, kiosk, report({ board: BOARD }));
  registry.rolloutBook.start(
    { digest: DIGEST, version: '1.4.0', board: BOARD, lengthBytes: 1_000, percent: 60, kiosks: [], venues: [], mostFailed: 3, atOnce: 9 },
    clock.wall(),
  );
  registry.rolloutBook.put(
    1,
    [up, unplugged, copied].map(({ kiosk }) => ({ kiosk, phase: 'offered', why: undefined, atMs: clock.wall() })),
  );
  await clock.advance(2_000);
  await phase(busy, up, 'kept', '1.4.0');
  await phase(busy, unplugged, 'taking');
  await phase(busy, copied, 'failed');
  await clock.advance(2_000);
  return busy;
}

t.test('rollout: shows what each kiosk runs and how far it is, on any screen, and a manager pauses and goes on by keyboard', async (t) => {
  const pictures = suiteSize().isFull ? resolve(import.meta.dirname, '../../docs/dashboard') : t.testdir();
  const busy = await startRollout(t);
  await addPerson(busy.gateway, 'ann', 'manager');
  const page = await browser.page();
  await logIn(page, busy.url, 'ann');
  await page.open(`${busy.url}/#/gateway`);
  await tabTo(page, 'Each kiosk’s release');
  await page.press('Enter');
  await page.untilText('Release 1.4.0, under way');
  const row = (kiosk: TestKiosk): Promise<string> => page.value(`document.querySelector('[data-key="${kiosk.kiosk}"]').innerText`);
  t.match(await row(busy.kiosks.up), /1\.4\.0[\s\S]*Kept/);
  t.match(await row(busy.kiosks.unplugged), /0\.1\.0[\s\S]*Taking, 30 %/);
  t.match(await row(busy.kiosks.copied), /Went back/);
  t.match(await row(busy.kiosks.withheld), /not told of it/);
  const check = async (name: string): Promise<void> => {
    t.strictSame(await faultsOf(page), [], name);
    t.strictSame(await axeFaultsOf(page), [], `${name}: axe-core`);
  };
  for (const [scheme, width] of [
    ['light', 1_280],
    ['dark', 320],
  ] as const) {
    await page.look({ scheme, width, height: 800 });
    await check(`${scheme}, ${width} px`);
    await page.picture(join(pictures, width < 1_000 ? 'releases-phone.png' : 'releases.png'), true);
  }
  await page.look({});

  await tabTo(page, 'Pause …');
  await page.press('Enter');
  await page.until("document.querySelector('dialog[open]')");
  await check('the question');
  await page.press('Escape');
  await page.until("document.querySelector('dialog:not([open])')");
  t.equal(busy.gateway.registry.rolloutBook.newest()?.state, 'running');
  await tabTo(page, 'Pause …');
  await page.press('Enter');
  await page.until("document.querySelector('dialog[open]')");
  await tabTo(page, '#sure');
  await page.press('Enter');
  // The gateway looks once a second at what there is to tell: not before it has heard of it.
  await until(() => busy.gateway.registry.rolloutBook.newest()?.state === 'paused');
  await busy.gateway.clock.advance(2_000);
  await page.untilText('Release 1.4.0, paused');
  await tabTo(page, 'To more kiosks …');
  await page.press('Enter');
  await page.until("document.querySelector('dialog[open] #f-percent')");
  await page.value("document.querySelector('#f-percent').select()");
  await page.type('80');
  await page.press('Enter');
  await until(() => busy.gateway.registry.rolloutBook.newest()?.state === 'running');
  await busy.gateway.clock.advance(2_000);
  await page.untilText('Release 1.4.0, under way');
  t.match(busy.gateway.registry.rolloutBook.newest(), { state: 'running', percent: 80 });
});

t.test('rollout: who may only look is shown it, and offered nothing', async (t) => {
  const busy = await startRollout(t);
  await addPerson(busy.gateway, 'rita', 'read-only');
  const page = await browser.page();
  await logIn(page, busy.url, 'rita');
  await page.open(`${busy.url}/#/releases`);
  await page.untilText('Release 1.4.0, under way');
  t.equal(await page.value("document.querySelectorAll('main button').length"), 0);
  const cookieAlone =
    "fetch('/api/1/rollout/pause', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{\"confirm\":1}' }).then(({ status }) => status)";
  t.equal(await page.value(cookieAlone), 403);
  t.equal(busy.gateway.registry.rolloutBook.newest()?.state, 'running');
});
