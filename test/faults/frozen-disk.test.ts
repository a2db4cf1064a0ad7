/**
 * A disk whose sync does not return, under a real kiosk process: said to staff and operators within half a minute, refused until it
 * answers, and over by itself then. Where a scan meets it first, that scan is promised nothing before the disk has it.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { decodeKioskState } from '../../protocol/kiosk-state.ts';
import { buildFsyncLibrary } from '../bench/fsync-library.ts';
import { TestBroker } from '../kiosk/broker.ts';
import { cardOf, newDeployment } from '../kiosk/fixtures.ts';
import { VestibuleProcess } from '../support/child.ts';
import { PtyDevice } from '../support/pty.ts';
import { until } from '../support/until.ts';

/** A kiosk on a disk that a test may freeze, and all who look at it. */
async function openKiosk(t: Test) {
  const dir = t.testdir();
  const data = join(dir, 'kiosk');
  mkdirSync(data);
  const deployment = await newDeployment();
  const broker = await TestBroker.open(deployment);
  t.teardown(() => broker.close());
  const scanner = new PtyDevice(join(dir, 'scanner'));
  scanner.plug();
  t.teardown(() => scanner.unplug());
  const freezeFile = join(dir, 'frozen');
  const config = join(dir, 'kiosk.json');
  const scanners = [{ kind: 'serial', name: 'scanner', path: scanner.path, framing: 'line' }];
  writeFileSync(config, JSON.stringify({ scanners, page: { port: 0 } }));
  const answers: string[] = [];
  let pageUrl = '';
  const kiosk = new VestibuleProcess(
    ['kiosk', 'run', '--data', data, '--config', config, '--trust', deployment.writeTrust(dir, broker.port), '--output', 'json'],
    {
      env: {
        LD_PRELOAD: buildFsyncLibrary(dir),
        FSYNC_FREEZE_FILE: freezeFile,
      },
      onLine: (line) => {
        const said = JSON.parse(line) as { readonly kind?: string; readonly ready?: { readonly pageUrl: string } };
        if (said.ready !== undefined) pageUrl = said.ready.pageUrl;
        else if (said.kind !== undefined) answers.push(said.kind);
      },
    },
  );
  t.teardown(() => {
    rmSync(freezeFile, { force: true });
    return kiosk.end('SIGKILL').then(() => {});
  });
  const state = () => broker.messages.findLast(({ topic }) => topic.endsWith('/state'));
  const devices = () => {
    const said = state();
    return said === undefined ? [] : decodeKioskState(said.payload).devices;
  };
  // A serial port is emptied as it is opened: what a scanner sent before is nobody's.
  await until(() => pageUrl !== '' && devices().some(({ isUp }) => isUp));
  const send = (visitor: number) => scanner.send(Buffer.from(`${deployment.textOf(cardOf(visitor))}\r`));
  const scan = async (visitor: number) => {
    const before = answers.length;
    await send(visitor);
    await until(() => answers.length > before);
    return answers[before];
  };
  return {
    ...{ answers, send, scan },
    freeze: () => writeFileSync(freezeFile, ''),
    thaw: () => rmSync(freezeFile),
    /** What the page says, or `undefined` while it says nothing for two seconds. */
    health: async () =>
      await fetch(new URL('/healthz', pageUrl), { signal: AbortSignal.timeout(2_000) }).then(
        async (reply) => ({ status: reply.status, ...((await reply.json()) as { readonly storeWhy?: string }) }),
        () => undefined,
      ),
    lastError: () => {
      const said = state();
      return said === undefined ? undefined : decodeKioskState(said.payload).lastError;
    },
  };
}

t.test('frozen disk: an idle kiosk finds it, refuses at once, tells staff and operators, and serves when it is back', async (t) => {
  const kiosk = await openKiosk(t);
  t.equal(await kiosk.scan(1), 'welcome');
  kiosk.freeze();
  await until(() => kiosk.lastError() === 'store.hung');
  t.match(await kiosk.health(), { status: 503, storeWhy: 'store.hung' });
  t.equal(await kiosk.scan(2), 'refused-store', 'no promise, and no wait');
  kiosk.thaw();
  await until(() => kiosk.lastError() !== 'store.hung');
  t.match(await kiosk.health(), { status: 200 });
  t.equal(await kiosk.scan(3), 'welcome');
});

t.test('frozen disk: a scan that meets it first is promised nothing until the disk has it', async (t) => {
  const kiosk = await openKiosk(t);
  t.equal(await kiosk.scan(1), 'welcome');
  kiosk.freeze();
  await kiosk.send(2);
  t.equal(await kiosk.health(), undefined, 'its beat stops: the screen says so within five seconds');
  t.equal(kiosk.answers.length, 1);
  kiosk.thaw();
  await until(() => kiosk.answers.length === 2);
  t.equal(kiosk.answers[1], 'welcome');
  await until(() => kiosk.lastError() !== 'store.hung');
  t.equal(await kiosk.scan(3), 'welcome');
});
