import { openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { encodeSample, SEND_CONTINUOUSLY } from '../../hardware/thermometer/gy-mcu90614-codec.ts';
import { STEADY_SAMPLES } from '../../hardware/thermometer/presentation.ts';
import type { Feedback } from '../../kiosk/feedback.ts';
import { openIdentity } from '../../kiosk/kiosk-identity.ts';
import { openOutbox } from '../../kiosk/open-outbox.ts';
import type { Outbox } from '../../kiosk/outbox.ts';
import { sealRows } from '../../kiosk/seal-rows.ts';
import type { BootId } from '../../protocol/ids.ts';
import { decodeKioskState } from '../../protocol/kiosk-state.ts';
import { silentLog } from '../../protocol/log.ts';
import { encodeReceipt } from '../../protocol/receipt.ts';
import { topicOf } from '../../protocol/topics.ts';
import type { CentiCelsius } from '../../protocol/units.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { PtyDevice } from '../support/pty.ts';
import { until } from '../support/until.ts';
import { TestBroker } from './broker.ts';
import { cardOf, type Deployment, LIMITS, mono, newDeployment, wall } from './fixtures.ts';
import { type OpenedRow, openBatch, rowName } from './open-batches.ts';
import { startKiosk } from './running-kiosk.ts';

const NOWHERE = 1;

/** Every row that the broker was sent, opened. */
async function received(broker: TestBroker, deployment: Deployment, dataDir: string): Promise<OpenedRow[]> {
  const identity = openIdentity(dataDir);
  const batches = broker.messages.filter(({ topic }) => topic === topicOf(identity.kiosk, 'batch'));
  return (await Promise.all(batches.map(({ payload }) => openBatch(payload, deployment, identity)))).flat();
}

/** Waits until the broker was sent all of these. */
async function delivered(broker: TestBroker, deployment: Deployment, dataDir: string, promised: readonly string[]): Promise<void> {
  for (;;) {
    const before = broker.messages.length;
    const found = new Set((await received(broker, deployment, dataDir)).map(({ row }) => row));
    if (promised.every((row) => found.has(row))) return;
    await broker.until(() => broker.messages.length > before);
  }
}

const promisedIn = (feedback: readonly Feedback[]): string[] =>
  feedback.filter(({ seq }) => seq !== undefined).map(({ keyId, seq }) => rowName(keyId, seq));

/** Every unsent row of a kiosk that was stopped, opened. */
async function waiting(deployment: Deployment, dataDir: string): Promise<OpenedRow[]> {
  const identity = openIdentity(dataDir);
  const { outbox } = openOutbox(dataDir, LIMITS, { wallMs: wall(Date.UTC(2026, 10, 21)), monotonicMs: mono(0) }, silentLog);
  const rows = await openAll(outbox, deployment, identity);
  outbox.close();
  return rows;
}

async function openAll(outbox: Outbox, deployment: Deployment, identity: ReturnType<typeof openIdentity>): Promise<OpenedRow[]> {
  const sending = {
    deployment: deployment.deployment,
    topic: topicOf(identity.kiosk, 'batch'),
    bootId: new Uint8Array(16) as BootId,
    monotonicMs: mono(0),
    signingKey: identity.privateKey,
  };
  const opened: OpenedRow[] = [];
  for (const row of outbox.unsentAfter(Number.MIN_SAFE_INTEGER, 100_000)) {
    opened.push(...(await openBatch(sealRows([row], outbox.keyOf(row.key), sending), deployment, identity)));
  }
  return opened;
}

t.test('runKiosk: a scan is answered, sent, and opens at the gateway as what was scanned', async (t) => {
  const deployment = await newDeployment();
  const broker = await TestBroker.open(deployment);
  const dir = t.testdir();
  const dataDir = join(dir, 'kiosk');
  const kiosk = await startKiosk({ dataDir, trustPath: deployment.writeTrust(dir, broker.port) });
  t.equal(await kiosk.scan(deployment.textOf(cardOf(1))), 'welcome');
  t.equal(await kiosk.scan(deployment.textOf(cardOf(1))), 'already-in');
  t.equal(await kiosk.scan('4006381333931'), 'not-a-card');
  const other = await newDeployment();
  t.equal(await kiosk.scan(other.textOf(cardOf(1))), 'card-refused');
  const promised = promisedIn(kiosk.feedback);
  await delivered(broker, deployment, dataDir, promised);
  await broker.until(() => broker.messages.some(({ topic }) => topic === topicOf(kiosk.ready.kiosk, 'state')));
  const state = broker.messages.find(({ topic }) => topic.endsWith('/state'));
  t.match(decodeKioskState(state?.payload ?? Buffer.alloc(0)), { isUp: true, state: 'up' });
  t.equal(state?.isRetained, true);
  await kiosk.stop();
  const rows = [...(await received(broker, deployment, dataDir)), ...(await waiting(deployment, dataDir))];
  t.equal(promised.length, 2);
  for (const row of promised) {
    const found = rows.find((one) => one.row === row);
    t.match(found?.event, { type: 'check-in', groupSize: 1, isSigned: true, stamp: { clock: 'assumed' } });
    if (found?.event.type === 'check-in') t.same(Buffer.compare(found.event.card, cardOf(1)), 0);
  }
  t.ok(rows.some(({ event }) => event.type === 'kiosk-state' && event.state === 'started'));
  t.ok(rows.some(({ event }) => event.type === 'kiosk-state' && event.state === 'stopping'));
  await broker.close();
});

t.test('runKiosk: starts without a gateway, says that it keeps offline, and sends all once there is one', async (t) => {
  const deployment = await newDeployment();
  const broker = await TestBroker.open(deployment);
  await broker.unlisten();
  const dir = t.testdir();
  const dataDir = join(dir, 'kiosk');
  const config = { dataDir, trustPath: deployment.writeTrust(dir, broker.port) };
  const first = await startKiosk(config);
  for (let card = 0; card < 10; card++) t.equal(await first.scan(deployment.textOf(cardOf(card))), 'welcome');
  t.ok(first.feedback.every(({ isStoredOffline }) => isStoredOffline));
  t.match(first.shown.join(''), /Kept here until the gateway can be reached/);
  await first.stop();
  const second = await startKiosk(config);
  for (let card = 10; card < 20; card++) await second.scan(deployment.textOf(cardOf(card)));
  await broker.listen();
  const promised = promisedIn([...first.feedback, ...second.feedback]);
  await delivered(broker, deployment, dataDir, promised);
  t.equal(promised.length, 20);
  await second.stop();
  await broker.close();
});

t.test('runKiosk: at the bound it refuses visibly, and what it promised before is all there', async (t) => {
  const deployment = await newDeployment();
  const dir = t.testdir();
  const dataDir = join(dir, 'kiosk');
  const page = { isOn: true, port: 0 };
  const kiosk = await startKiosk({ dataDir, trustPath: deployment.writeTrust(dir, NOWHERE), outbox: { maxRows: 10 }, page });
  const answers: (string | undefined)[] = [];
  for (let card = 0; card < 12; card++) answers.push(await kiosk.scan(deployment.textOf(cardOf(card))));
  t.strictSame(answers.slice(8), ['welcome', 'refused-full', 'refused-full', 'refused-full']);
  t.match(kiosk.shown.join(''), /Not kept: kiosk is full\s+Please write it on paper/);
  t.match(kiosk.shown.join(''), /NOT STORING \(store\.full\)/);
  const health = await fetch(`${kiosk.ready.pageUrl}/healthz`);
  t.equal(health.status, 503);
  t.match(await health.json(), { state: 'down', storeWhy: 'store.full', queued: 10 });
  await kiosk.stop();
  const rows = (await waiting(deployment, dataDir)).map(({ row }) => row);
  const promised = promisedIn(kiosk.feedback);
  t.equal(promised.length, 9);
  t.ok(promised.every((row) => rows.includes(row)));
});

t.test('runKiosk: a damaged outbox is shown and set aside, and the kiosk serves on with what could be read', async (t) => {
  const deployment = await newDeployment();
  const dir = t.testdir();
  const dataDir = join(dir, 'kiosk');
  const config = { dataDir, trustPath: deployment.writeTrust(dir, NOWHERE) };
  const first = await startKiosk(config);
  for (let card = 0; card < 150; card++) await first.scan(deployment.textOf(cardOf(card)));
  await first.stop();
  const path = join(dataDir, 'outbox.db');
  const pages = Math.floor(statSync(path).size / 4_096);
  writeSync(openSync(path, 'r+'), new Uint8Array(4_096).fill(0x5a), 0, 4_096, 4_096 * (pages - 3));
  const second = await startKiosk(config);
  t.match(second.shown.join(''), /damaged outbox set aside, 1\d\d records saved/);
  t.equal(await second.scan(deployment.textOf(cardOf(500))), 'welcome');
  await second.stop();
  const rows = await waiting(deployment, dataDir);
  t.equal(new Set(rows.map(({ epoch }) => epoch)).size, 2, 'rows of both epochs wait');
  t.ok(rows.length > 100);
});

t.test('runKiosk: a bug at the door ends the kiosk, whoever brought the scan', async (t) => {
  const deployment = await newDeployment();
  const dir = t.testdir();
  const trustPath = deployment.writeTrust(dir, NOWHERE);
  const onFeedback = () => {
    throw new RangeError('a bug');
  };
  const kiosk = await startKiosk({ dataDir: join(dir, 'kiosk'), trustPath, page: { isOn: true, port: 0 } }, { onFeedback });
  const scan = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ text: 'X' }) };
  const { status } = await fetch(`${kiosk.ready.pageUrl}/scan`, scan);
  t.equal(status, 500);
  await t.rejects(kiosk.stop(), RangeError);
});

t.test('runKiosk: a sensor that was calibrated in another century is one of a hundred years', async (t) => {
  const deployment = await newDeployment();
  const dir = t.testdir();
  const dataDir = join(dir, 'kiosk');
  const device = new PtyDevice(join(dir, 'thermometer'));
  const kiosk = await startKiosk({
    dataDir,
    trustPath: deployment.writeTrust(dir, NOWHERE),
    thermometers: [{ kind: 'serial', model: 'gy-mcu90614', name: 'thermometer', path: device.path }],
    temperature: { calibratedOn: '1850-01-01' },
  });
  t.equal(await kiosk.scan(deployment.textOf(cardOf(1))), 'welcome');
  // Only now: one that is silent for three seconds is opened anew, and a scan may take that long on a busy machine.
  device.plug();
  await device.receivedAtLeast(SEND_CONTINUOUSLY.length);
  const sample = encodeSample({ objectRaw: 3_400 as CentiCelsius, ambientRaw: 2_210 as CentiCelsius });
  for (let frames = 0; frames < STEADY_SAMPLES; frames++) await device.send(sample);
  await until(() => kiosk.feedback.length === 2);
  t.equal(kiosk.feedback[1]?.kind, 'thank-you');
  await kiosk.stop();
  await device.unplug();
  const events = (await waiting(deployment, dataDir)).map(({ event }) => event);
  t.match(
    events.find(({ type }) => type === 'temperature'),
    { calibrationAgeDays: 36_525 },
  );
});

t.test('runKiosk: a clock that is a year off and steps costs no row, and the step is told', async (t) => {
  const deployment = await newDeployment();
  const dir = t.testdir();
  const dataDir = join(dir, 'kiosk');
  const clock = new ManualClock(Date.UTC(2025, 10, 21));
  let isSynced = false;
  const options = { clock, isClockSynced: () => isSynced };
  const kiosk = await startKiosk(
    { dataDir, trustPath: deployment.writeTrust(dir, NOWHERE), uplink: { firstBackoffMs: 60_000, longestBackoffMs: 3_600_000 } },
    options,
  );
  await kiosk.scan(deployment.textOf(cardOf(1)));
  clock.stepWall(365 * 86_400_000);
  isSynced = true;
  await clock.advance(10_000);
  await kiosk.scan(deployment.textOf(cardOf(2)));
  clock.stepWall(400 * 86_400_000);
  await clock.advance(60_000);
  await clock.advance(60_000);
  clock.stepWall(-400 * 86_400_000);
  await clock.advance(60_000);
  await kiosk.stop();
  const events = (await waiting(deployment, dataDir)).map(({ event }) => event);
  t.strictSame(
    events.filter(({ type }) => type === 'check-in').map(({ stamp }) => stamp.clock),
    ['unsynced', 'synced'],
  );
  t.strictSame(
    events
      .map((event) => (event.type === 'kiosk-state' && event.state === 'clock-stepped' ? event.byMs / 86_400_000 : undefined))
      .filter((days) => days !== undefined),
    [365, 400, -400],
  );
});

t.test('runKiosk: what the gateway put aside is shown as conflict, when the gateway signed it', async (t) => {
  const deployment = await newDeployment();
  const broker = await TestBroker.open(deployment);
  const dir = t.testdir();
  const dataDir = join(dir, 'kiosk');
  const kiosk = await startKiosk({ dataDir, trustPath: deployment.writeTrust(dir, broker.port) });
  const place = { deployment: deployment.deployment, kiosk: kiosk.ready.kiosk };
  const receipt = {
    batchDigest: new Uint8Array(32),
    ranges: [{ from: 1, to: 2, outcome: 'conflict', reason: 'ingest.conflict' }],
  } as const;
  await broker.until(() => broker.messages.some(({ topic }) => topic.endsWith('/state')));
  const stranger = await newDeployment();
  await broker.publish(topicOf(place.kiosk, 'receipt'), encodeReceipt(receipt as never, place, stranger.gatewayKey));
  await broker.publish(topicOf(place.kiosk, 'receipt'), encodeReceipt(receipt as never, place, deployment.gatewayKey));
  const isTold = () =>
    broker.messages.some(({ topic, payload }) => topic.endsWith('/state') && decodeKioskState(payload).lastError === 'ingest.conflict');
  await broker.until(isTold);
  t.match(kiosk.shown.join(''), /2 conflicts: is there a copy of this kiosk\?/);
  t.notMatch(kiosk.shown.join(''), /4 conflicts/);
  await kiosk.stop();
  await broker.close();
});

t.test('runKiosk: a second process on the same data directory is refused, and the first serves on', async (t) => {
  const deployment = await newDeployment();
  const dir = t.testdir();
  const config = { dataDir: join(dir, 'kiosk'), trustPath: deployment.writeTrust(dir, NOWHERE) };
  const kiosk = await startKiosk(config);
  await t.rejects(startKiosk(config), { code: 'config.locked' });
  t.equal(await kiosk.scan(deployment.textOf(cardOf(1))), 'welcome');
  await kiosk.stop();
});

t.test('runKiosk: without a trust document, or with a key file that is none, it says what is wrong', async (t) => {
  const deployment = await newDeployment();
  const dir = t.testdir({ 'kiosk.key': 'short' });
  await t.rejects(startKiosk({ dataDir: join(dir, 'a'), trustPath: join(dir, 'none') }), {
    code: 'config.invalid',
    message: /trust document/,
  });
  await t.rejects(startKiosk({ dataDir: dir, trustPath: deployment.writeTrust(dir, NOWHERE) }), {
    code: 'config.invalid',
    message: /kiosk\.key: 5 of 32/,
  });
});

t.test('openIdentity: is made once, kept, and readable by its owner only', async (t) => {
  const dir = t.testdir();
  const made = openIdentity(dir);
  const again = openIdentity(dir);
  t.equal(again.kiosk, made.kiosk);
  t.same(again.publicKey, made.publicKey);
  t.equal(statSync(join(dir, 'kiosk.key')).mode & 0o777, 0o600);
  t.notMatch(readFileSync(join(dir, 'kiosk.json'), 'utf8'), readFileSync(join(dir, 'kiosk.key')).toString('hex'));
});
