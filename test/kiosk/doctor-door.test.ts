/** A running kiosk asked by `vestibule doctor`, over its socket. */
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';
import { storeFindings } from '../../cli/doctor-road.ts';
import { askKiosk } from '../../kiosk/ask-kiosk.ts';
import type { Answer, Question } from '../../kiosk/doctor-words.ts';
import { isOver } from '../../kiosk/reset/deliver-rest.ts';
import { TestBroker } from './broker.ts';
import { cardOf, newDeployment } from './fixtures.ts';
import { startKiosk } from './running-kiosk.ts';

const NOWHERE = 1;
const forEver = new AbortController().signal;

async function ask(dataDir: string, question: Question): Promise<Answer | undefined> {
  for await (const answer of askKiosk(dataDir, question, forEver)) return answer;
  return undefined;
}

/** By a path that is short enough: that of the working directory's tree is not. */
function dial(dataDir: string): Socket {
  const directory = openSync(dataDir, 'r');
  return connect(`/proc/self/fd/${directory}/doctor.sock`)
    .on('error', () => {})
    .on('close', () => closeSync(directory));
}

/** Longer than a socket's name may be. */
const LONG = 'x'.repeat(120);

t.test('doctor door: a running kiosk tells how it does, and delivers a test event', async (t) => {
  const deployment = await newDeployment();
  const broker = await TestBroker.open(deployment);
  const dir = t.testdir();
  const dataDir = join(dir, LONG, 'kiosk');
  const kiosk = await startKiosk({ dataDir, trustPath: deployment.writeTrust(dir, broker.port) });
  const test = await ask(dataDir, 'test');
  t.match(test, { test: { outcome: 'delivered', tookMs: Number } });
  t.match(await ask(dataDir, 'state'), { state: { isOnline: true, clock: 'assumed', queued: 0, devices: [{ isUp: true }] } });
  await kiosk.stop();
  t.notOk(existsSync(join(dataDir, 'doctor.sock')), 'nothing is left behind');
  await t.rejects(ask(dataDir, 'state'), { code: 'config.invalid' });
  await broker.close();
});

t.test('doctor door: without a gateway the test event waits, and why is told', async (t) => {
  const deployment = await newDeployment();
  const dir = t.testdir();
  const dataDir = join(dir, 'kiosk');
  const kiosk = await startKiosk({ dataDir, trustPath: deployment.writeTrust(dir, NOWHERE) });
  t.strictSame(await ask(dataDir, 'test'), { test: { outcome: 'waiting', why: 'link.refused' } });
  await kiosk.stop();
});

t.test('doctor door: with a store that can not be opened nobody is told that nothing waits', async (t) => {
  const deployment = await newDeployment();
  const broker = await TestBroker.open(deployment);
  const dir = t.testdir();
  const dataDir = join(dir, 'kiosk');
  const offline = await startKiosk({ dataDir, trustPath: deployment.writeTrust(dir, NOWHERE) });
  t.equal(await offline.scan(deployment.textOf(cardOf(1))), 'welcome');
  await offline.stop();
  const newer = new Database(join(dataDir, 'outbox.db'));
  newer.pragma('user_version = 99');
  newer.close();
  const page = { isOn: true, port: 0 };
  const kiosk = await startKiosk({ dataDir, trustPath: deployment.writeTrust(dir, broker.port), page });
  const answer = await ask(dataDir, 'state');
  if (answer === undefined || !('state' in answer)) return t.fail('no state');
  t.equal(answer.state.storeWhy, 'store.newer');
  t.ok(isOver(answer.state), 'a reset waits for no such store');
  t.notOk(isOver({ ...answer.state, storeWhy: undefined }), 'and while nobody knows yet, nothing is taken for delivered');
  t.notOk('queued' in answer.state || 'droppedUnsent' in answer.state, 'no count that nobody has');
  t.match(storeFindings(answer.state), [
    { state: 'wrong', code: 'store.newer', says: 'refuses: no scan is kept. How many records wait for the gateway is not known.' },
  ]);
  t.notOk('queued' in ((await (await fetch(`${kiosk.ready.pageUrl}/healthz`)).json()) as object));
  t.match(kiosk.shown.join(''), /NOT STORING \(store\.newer\) · .*not known how many wait/);
  await kiosk.stop();
  await broker.close();
});

t.test('doctor door: a full store refuses the test event', async (t) => {
  const deployment = await newDeployment();
  const dir = t.testdir();
  const dataDir = join(dir, 'kiosk');
  const kiosk = await startKiosk({ dataDir, trustPath: deployment.writeTrust(dir, NOWHERE), outbox: { maxRows: 10 } });
  for (let card = 0; card < 10; card++) await kiosk.scan(deployment.textOf(cardOf(card)));
  t.strictSame(await ask(dataDir, 'test'), { test: { outcome: 'refused', why: 'store.full' } });
  await kiosk.stop();
});

t.test('doctor door: who watches is told of each scan by device, and of nothing in it', async (t) => {
  const deployment = await newDeployment();
  const dir = t.testdir();
  const dataDir = join(dir, 'kiosk');
  const kiosk = await startKiosk({ dataDir, trustPath: deployment.writeTrust(dir, NOWHERE) });
  const watching = new AbortController();
  const watched = askKiosk(dataDir, 'watch', watching.signal);
  const first = watched.next();
  // The question is heard before the scan: its answer to a second one says so.
  await ask(dataDir, 'state');
  await kiosk.scan(deployment.textOf(cardOf(1)));
  t.strictSame((await first).value, { sight: { device: 'keyboard', what: 'scan' } });
  watching.abort();
  t.equal((await watched.next()).done, true);
  await kiosk.stop();
});

t.test('doctor door: what is no question is hung up on, many callers too, and the kiosk serves on', async (t) => {
  const deployment = await newDeployment();
  const dir = t.testdir();
  const dataDir = join(dir, 'kiosk');
  const kiosk = await startKiosk({ dataDir, trustPath: deployment.writeTrust(dir, NOWHERE) });
  for (const words of ['undo\n', 'x'.repeat(100), 'state state\n']) {
    const caller = dial(dataDir);
    const closed = new Promise<void>((resolve) => caller.once('close', () => resolve()));
    caller.write(words);
    await closed;
  }
  const callers = Array.from({ length: 12 }, () => dial(dataDir));
  const closed = callers.map((caller) => new Promise<boolean>((resolve) => caller.once('close', () => resolve(true)).resume()));
  await Promise.any(closed);
  t.equal(await kiosk.scan(deployment.textOf(cardOf(1))), 'welcome');
  for (const caller of callers) caller.destroy();
  await kiosk.stop();
});

t.test('doctor door: a socket that a killed kiosk left behind is taken over', async (t) => {
  const deployment = await newDeployment();
  const dir = t.testdir({ kiosk: {} });
  const dataDir = join(dir, 'kiosk');
  writeFileSync(join(dataDir, 'doctor.sock'), '');
  const kiosk = await startKiosk({ dataDir, trustPath: deployment.writeTrust(dir, NOWHERE) });
  t.match(await ask(dataDir, 'state'), { state: { queued: Number } });
  await kiosk.stop();
});
