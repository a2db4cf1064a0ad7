import { openSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';
import type { Outbox } from '../../kiosk/outbox.ts';
import type { OutboxLimits, OutboxRow } from '../../kiosk/outbox-row.ts';
import { Recorder } from '../../kiosk/recorder.ts';
import { sealRows } from '../../kiosk/seal-rows.ts';
import { decodeCbor } from '../../protocol/cbor.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { codeOf, type ErrorCode, StoreError } from '../../protocol/errors.ts';
import type { CheckIn, Happening, VestibuleEvent } from '../../protocol/event.ts';
import type { BootId } from '../../protocol/ids.ts';
import { silentLog } from '../../protocol/log.ts';
import { topicOf } from '../../protocol/topics.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { cardOf, type Deployment, LIMITS, newDeployment, newKiosk } from './fixtures.ts';
import { openBatch } from './open-batches.ts';

const bootId = new Uint8Array(16).fill(3) as BootId;
const checkIn = (card: number): Happening => ({ type: 'check-in', card: cardOf(card), groupSize: 1, isSigned: true });
const kiosk = newKiosk();
const signingKey = generateSigningKey();
const publicKey = rawPublicKey(signingKey);

/** Rows are told of once whoever appended them has gone on. */
const told = () => Promise.resolve();

function recording(
  dir: string,
  { deployment, recipient }: Deployment,
  limits: Partial<OutboxLimits> = {},
  leaveOutbox = told,
  recipients = () => [recipient.recipient],
) {
  const clock = new ManualClock();
  const stores: (ErrorCode | undefined)[] = [];
  const salvaged: (number | undefined)[] = [];
  const appended: OutboxRow[] = [];
  const recorder = new Recorder({
    dir,
    limits: { ...LIMITS, ...limits },
    keyParts: () => ({ deployment, kiosk, recipients: recipients(), signingKey }),
    clock,
    log: silentLog,
    stamp: (at) => ({ ...at, bootId, clock: 'synced' }),
    onStore: (why) => stores.push(why),
    onOutbox: (_outbox, rows) => salvaged.push(rows),
    leaveOutbox,
    onAppended: (row) => appended.push(row),
  });
  const append = (happening: Happening) => recorder.append(happening, { wallMs: clock.wall(), monotonicMs: clock.monotonic() });
  return { clock, recorder, append, stores, salvaged, appended };
}

/** Opens every unsent row as the gateway does, from the bytes of signed batches. */
async function read(outbox: Outbox, deployment: Deployment): Promise<VestibuleEvent[]> {
  const sending = {
    deployment: deployment.deployment,
    topic: topicOf(kiosk, 'batch'),
    bootId,
    monotonicMs: new ManualClock().monotonic(),
    signingKey,
  };
  const events: VestibuleEvent[] = [];
  for (const row of outbox.unsentAfter(Number.MIN_SAFE_INTEGER, 10_000)) {
    const opened = await openBatch(sealRows([row], outbox.keyOf(row.key), sending), deployment, { kiosk, publicKey });
    events.push(...opened.map(({ event }) => event));
  }
  return events;
}

const codeFrom = (work: () => unknown): string | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    return codeOf(error) ?? `bug: ${error}`;
  }
};

t.test('Recorder: what it promised opens at the gateway from the outbox alone, also under the key of an earlier process', async (t) => {
  const dir = t.testdir();
  const deployment = await newDeployment();
  const first = recording(dir, deployment);
  await first.recorder.open();
  const ref = first.append(checkIn(1));
  first.append({ type: 'undo', of: ref });
  first.recorder.close();
  const second = recording(dir, deployment);
  await second.recorder.open();
  second.append(checkIn(2));
  t.strictSame(second.stores, [], 'nothing to say');
  const { outbox } = second.recorder;
  if (outbox === undefined) return t.fail('open');
  const events = await read(outbox, deployment);
  t.strictSame(
    events.map(({ type }) => type),
    ['check-in', 'undo', 'check-in'],
  );
  t.same(Buffer.compare((events[2] as CheckIn).card, cardOf(2)), 0);
  t.match(events[1], { of: { seq: 1 }, stamp: { clock: 'synced' } });
  t.notSame(ref.keyId, second.recorder.keyId, 'a key of its own for each start');
  t.equal(second.appended.length, 1);
  second.recorder.close();
});

t.test('Recorder: at the bound it throws store.full, says so once, and says when it keeps again', async (t) => {
  const { recorder, append, stores, clock } = recording(t.testdir(), await newDeployment(), { maxRows: 3 });
  await recorder.open();
  for (let card = 0; card < 3; card++) append(checkIn(card));
  t.equal(
    codeFrom(() => append(checkIn(9))),
    'store.full',
  );
  t.equal(
    codeFrom(() => append(checkIn(9))),
    'store.full',
  );
  t.strictSame(stores, ['store.full']);
  const stopping = new AbortController();
  const keeping = recorder.keepOpen(stopping.signal);
  await clock.advance(5_000);
  t.strictSame(stores, ['store.full']);
  recorder.outbox?.settle([1, 2], clock.monotonic());
  await clock.advance(5_000);
  t.strictSame(stores, ['store.full', undefined]);
  t.equal(recorder.outbox?.queued, 2, 'one scan and the event that tells of the recovery');
  stopping.abort();
  await keeping;
  recorder.close();
});

t.test('Recorder: a nonce is never used twice, not even by an append that was rolled back', async (t) => {
  const { recorder, append, appended } = recording(t.testdir(), await newDeployment(), { maxBytes: 40 * 4_096 });
  await recorder.open();
  while (codeFrom(() => append(checkIn(1))) === undefined);
  await told();
  const before = appended.length;
  for (let refused = 0; refused < 5; refused++) codeFrom(() => append(checkIn(refused)));
  recorder.outbox?.settle(
    appended.map(({ position }) => position),
    recorder.outbox.runMs(0 as never) as never,
  );
  for (let more = 0; more < 20; more++) append(checkIn(more));
  await told();
  t.equal(appended.length, before + 20);
  const nonces = appended.map(({ row }) => Buffer.from(nonceOf(row)).readBigUInt64BE(4));
  t.equal(new Set(nonces).size, nonces.length);
  t.ok((nonces[before] ?? 0n) >= (nonces[before - 1] ?? 0n) + 6n, 'refused attempts stepped it');
  recorder.close();
});

/** The IV of a row, from its protected header. */
function nonceOf(row: Uint8Array): Uint8Array {
  const parts = decodeCbor(row, 'row', 1_024);
  const list = Array.isArray(parts) ? parts : (parts as unknown as { value: unknown[] }).value;
  const header = decodeCbor(list[0] as Uint8Array, 'header', 64) as Map<number, unknown>;
  return header.get(5) as Uint8Array;
}

t.test('Recorder: an outbox damaged while it runs is set aside, and the kiosk keeps again within seconds', async (t) => {
  const dir = t.testdir();
  const deployment = await newDeployment();
  const { recorder, append, stores, salvaged, clock } = recording(dir, deployment);
  await recorder.open();
  for (let card = 0; card < 200; card++) append(checkIn(card));
  recorder.close();
  await recorder.open();
  const file = openSync(join(dir, 'outbox.db'), 'r+');
  for (let page = 10; page < 12; page++) writeSync(file, new Uint8Array(4_096).fill(0x5a), 0, 4_096, page * 4_096);
  append(checkIn(500));
  // The uplink meets it, on its own connection.
  const { outbox } = recorder;
  const found = codeFrom(() => outbox?.unsentAfter(Number.MIN_SAFE_INTEGER, 1_000));
  t.equal(found, 'store.corrupt');
  recorder.failed(new StoreError('store.corrupt', 'met by the uplink'));
  t.strictSame(stores, ['store.corrupt']);
  t.equal(
    codeFrom(() => append(checkIn(501))),
    'store.corrupt',
    'refused until another one is open',
  );
  const stopping = new AbortController();
  const keeping = recorder.keepOpen(stopping.signal);
  await clock.advance(5_000);
  while (recorder.outbox === undefined) await new Promise((resolve) => setImmediate(resolve));
  t.strictSame(stores, ['store.corrupt', undefined]);
  t.ok((salvaged[2] ?? 0) > 120, `${salvaged[2]} rows saved`);
  append(checkIn(600));
  t.equal(recorder.outbox.queued, (salvaged[2] ?? 0) + 1);
  const events = await read(recorder.outbox, deployment);
  t.equal(events.length, recorder.outbox.queued, 'all that was saved opens');
  const cards = events.filter((event) => event.type === 'check-in').map(({ card }) => Buffer.from(card).toString('hex'));
  t.ok(cards.includes(Buffer.from(cardOf(500)).toString('hex')), 'the last promise among them');
  stopping.abort();
  await keeping;
  recorder.close();
});

t.test('Recorder: a damaged outbox is not moved while another thread has its files open', async (t) => {
  const dir = t.testdir();
  const left = Promise.withResolvers<void>();
  let isAsked = false;
  const leaveOutbox = () => {
    isAsked = true;
    return left.promise;
  };
  const { recorder, append, clock } = recording(dir, await newDeployment(), {}, leaveOutbox);
  await recorder.open();
  append(checkIn(1));
  recorder.failed(new StoreError('store.corrupt', 'met by the uplink'));
  const stopping = new AbortController();
  const keeping = recorder.keepOpen(stopping.signal);
  await clock.advance(5_000);
  t.ok(isAsked);
  t.strictSame(
    readdirSync(dir).filter((name) => name.includes('damaged')),
    [],
  );
  t.equal(recorder.outbox, undefined);
  left.resolve();
  while (recorder.outbox === undefined) await new Promise((resolve) => setImmediate(resolve));
  t.equal(recorder.outbox.queued, 1);
  stopping.abort();
  await keeping;
  recorder.close();
});

t.test('Recorder: a key record damaged where it lies is not sent; the one in memory saves the rows of this process', async (t) => {
  const dir = t.testdir();
  const deployment = await newDeployment();
  const { recorder, append, stores, salvaged, clock } = recording(dir, deployment);
  await recorder.open();
  for (let card = 0; card < 3; card++) append(checkIn(card));
  recorder.close();
  await recorder.open();
  for (let card = 3; card < 10; card++) append(checkIn(card));
  const outbox = recorder.outbox;
  if (outbox === undefined) throw new Error('no outbox');
  const damaged = new Database(join(dir, 'outbox.db'));
  for (const { key, record } of damaged.prepare('SELECT key, record FROM keys').all() as { key: number; record: Buffer }[]) {
    record[100] = (record[100] ?? 0) ^ 1;
    damaged.prepare('UPDATE keys SET record = ? WHERE key = ?').run(record, key);
  }
  damaged.close();
  const [oldest] = outbox.unsentAfter(Number.MIN_SAFE_INTEGER, 1);
  const newest = outbox.unsentAfter(9, 1)[0];
  t.equal(
    codeFrom(() => recorder.keyFor(outbox, newest?.key ?? -1)),
    undefined,
    'that of this process is in memory',
  );
  const found = codeFrom(() => recorder.keyFor(outbox, oldest?.key ?? -1));
  t.equal(found, 'store.corrupt');
  recorder.failed(new StoreError('store.corrupt', 'met by the uplink'));
  const stopping = new AbortController();
  const keeping = recorder.keepOpen(stopping.signal);
  await clock.advance(5_000);
  while (recorder.outbox === undefined) await new Promise((resolve) => setImmediate(resolve));
  t.strictSame(stores, ['store.corrupt', undefined]);
  t.equal(salvaged.at(-1), 7, 'the three of the process before could be opened by nobody; they lie aside');
  const events = await read(recorder.outbox, deployment);
  t.equal(events.filter(({ type }) => type === 'check-in').length, 7, 'and these open');
  stopping.abort();
  await keeping;
  recorder.close();
});

t.test('Recorder: whoever is named while a key is made is sealed for, and not who was named before', async (t) => {
  const deployment = await newDeployment();
  const { recipient: later } = await newDeployment();
  let present = deployment.recipient;
  const { recorder, append } = recording(t.testdir(), deployment, {}, told, () => [present.recipient]);
  const opening = recorder.open();
  present = later;
  const renewing = recorder.renewKey();
  await Promise.all([opening, renewing]);
  append(checkIn(1));
  t.equal((await read(recorder.outbox as Outbox, { ...deployment, recipient: later })).length, 1);
  recorder.close();
});
