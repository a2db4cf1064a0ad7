import { join } from 'node:path';
import t from 'tap';
import { parseConfig } from '../../kiosk/config.ts';
import type { LinkReport } from '../../kiosk/gateway-link.ts';
import { Outbox } from '../../kiosk/outbox.ts';
import { Uplink, type UplinkLimits } from '../../kiosk/uplink.ts';
import { codeOf, DecodeError, StoreError } from '../../protocol/errors.ts';
import type { KeyId } from '../../protocol/ids.ts';
import { silentLog } from '../../protocol/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { FakeGateway } from './fake-gateway.ts';
import { LIMITS, mono } from './fixtures.ts';

const DEFAULTS = parseConfig({ dataDir: '-', trustPath: '-' }).uplink;

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

interface Road {
  readonly clock: ManualClock;
  readonly gateway: FakeGateway;
  readonly outbox: Outbox;
  readonly uplink: Uplink;
  readonly reports: LinkReport[];
  readonly failures: string[];
  append(): number;
  newKey(): void;
  stop(): Promise<void>;
}

function road(t: { testdir(): string }, limits: Partial<UplinkLimits> = {}, backlog = 0, isReachable = true, damagedSeq = -1): Road {
  const clock = new ManualClock();
  const gateway = new FakeGateway(() => clock.monotonic());
  gateway.isReachable = isReachable;
  const outbox = new Outbox(join(t.testdir(), 'outbox.db'), LIMITS, clock.monotonic());
  const reports: LinkReport[] = [];
  const failures: string[] = [];
  const uplink = new Uplink({
    outbox,
    open: gateway.open,
    topic: 'batch',
    seal: (rows, key) => {
      outbox.keyOf(key);
      if (rows.some(({ seq }) => seq === damagedSeq)) throw new DecodeError('decode.overlong', 'test');
      return Buffer.from(JSON.stringify(rows.map(({ seq }) => seq)));
    },
    limits: { ...DEFAULTS, ...limits },
    clock,
    log: silentLog,
    random: () => 0.5,
    onLink: (report) => reports.push(report),
    onStoreFailed: (error) => failures.push(error.code),
    onRowDropped: () => failures.push('dropped'),
  });
  let keys = 0;
  let key = 0;
  const newKey = () => {
    keys += 1;
    key = outbox.keepKey(new Uint8Array(8).fill(keys) as KeyId, new Uint8Array(100));
  };
  newKey();
  const append = () => {
    let row = new Uint8Array();
    const seal = (seq: number) => {
      row = new Uint8Array(200).fill(seq % 256);
      return row;
    };
    const seq = outbox.append(key, seal, { wallMs: undefined, monotonicMs: clock.monotonic() });
    uplink.offer({ position: seq, key, seq, row });
    return seq;
  };
  for (let count = 0; count < backlog; count++) append();
  const stopping = new AbortController();
  const running = uplink.run(stopping.signal);
  const stop = async () => {
    stopping.abort();
    await running;
    outbox.close();
  };
  return { clock, gateway, outbox, uplink, reports, failures, append, newKey, stop };
}

t.test('Uplink: a row goes at once, and is settled by its acknowledgement alone', async (t) => {
  const { clock, gateway, outbox, append, reports, stop } = road(t);
  await clock.advance(0);
  t.strictSame(reports, [{ isUp: true }]);
  append();
  await clock.advance(0);
  t.strictSame(gateway.batches, [[1]]);
  await clock.advance(10_000);
  t.equal(outbox.queued, 1, 'sent is not settled');
  gateway.sent[0]?.acknowledge();
  await clock.advance(200);
  t.equal(outbox.queued, 0);
  await stop();
});

t.test('Uplink: rows that come while the window is full go together, in small batches', async (t) => {
  const { clock, gateway, append, stop } = road(t, { window: 2, liveReserve: 1, liveBatchRows: 4 });
  await clock.advance(0);
  for (let count = 0; count < 2; count++) {
    append();
    await clock.advance(0);
  }
  for (let count = 0; count < 6; count++) append();
  await clock.advance(0);
  t.strictSame(gateway.batches, [[1], [2]]);
  gateway.isAcknowledging = true;
  for (const sent of gateway.sent) sent.acknowledge();
  await clock.advance(0);
  t.strictSame(gateway.batches.slice(2), [
    [3, 4, 5, 6],
    [7, 8],
  ]);
  await stop();
});

t.test('Uplink: a backlog drains oldest first at its pace, and a new row does not wait behind it', async (t) => {
  const { clock, gateway, append, outbox, stop } = road(t, { drainRowsPerSecond: 64 }, 320);
  gateway.isAcknowledging = true;
  await clock.advance(0);
  const sentFirst = gateway.batches.length;
  t.ok(sentFirst <= 2, 'not all at once');
  t.strictSame(gateway.batches[0], range(1, 64));
  append();
  await clock.advance(0);
  t.strictSame(gateway.batches.at(-1), [321], 'the live lane');
  await clock.advance(1_000);
  t.ok(gateway.batches.flat().length <= 64 * 3 + 1);
  await clock.advance(5_000);
  t.strictSame(
    gateway.batches.flat().sort((a, b) => a - b),
    range(1, 321),
    'each once',
  );
  t.equal(outbox.queued, 0);
  await stop();
});

t.test('Uplink: the backlog leaves places in the window to the live lane', async (t) => {
  const { clock, gateway, append, stop } = road(t, { batchRows: 10, drainRowsPerSecond: 100_000 }, 200);
  await clock.advance(1_000);
  t.equal(gateway.batches.length, 6, 'nothing is acknowledged: six of eight');
  append();
  await clock.advance(0);
  append();
  await clock.advance(0);
  append();
  await clock.advance(0);
  t.strictSame(gateway.batches.slice(6), [[201], [202]]);
  await stop();
});

t.test('Uplink: a batch holds rows of one key', async (t) => {
  const { clock, gateway, append, newKey, stop } = road(t, {}, 0, false);
  await clock.advance(0);
  append();
  append();
  newKey();
  append();
  gateway.isReachable = true;
  gateway.isAcknowledging = true;
  await clock.advance(60_000);
  t.strictSame(gateway.batches, [[1, 2], [3]]);
  await stop();
});

t.test('Uplink: a batch that stays unanswered is put back, later in halves, and delays nothing behind it', async (t) => {
  const { clock, gateway, outbox, stop } = road(t, { batchRows: 4, drainRowsPerSecond: 10_000, window: 3, liveReserve: 1 }, 40);
  const poison = (seqs: readonly number[]) => seqs.includes(3);
  /** Row 3 is never acknowledged, whatever batch it comes in. */
  const answer = () => {
    for (const { seqs, acknowledge } of gateway.sent) if (!poison(seqs)) acknowledge();
  };
  for (let turns = 0; turns < 40; turns++) {
    await clock.advance(500);
    answer();
  }
  t.equal(outbox.queued, 4, 'all others went by');
  for (let turns = 0; turns < 2_000 && outbox.queued > 1; turns++) {
    await clock.advance(1_000);
    answer();
  }
  await clock.advance(1_000);
  t.strictSame(
    outbox.unsentAfter(0, 10).map(({ seq }) => seq),
    [3],
    'alone in the end',
  );
  const sizes = gateway.batches.filter(poison).map(({ length }) => length);
  t.strictSame(sizes.slice(0, 4), [4, 4, 2, 1]);
  await stop();
});

t.test('Uplink: a row that fits no batch is found, given up and counted, and the kiosk sends all others', async (t) => {
  const { clock, gateway, outbox, failures, stop } = road(t, { drainRowsPerSecond: 10_000 }, 100, true, 37);
  gateway.isAcknowledging = true;
  for (let turns = 0; turns < 50; turns++) await clock.advance(1_000);
  t.equal(outbox.queued, 0);
  t.equal(outbox.droppedUnsent, 1);
  t.strictSame(failures, ['dropped']);
  t.equal(gateway.batches.flat().length, 99, 'each once');
  await stop();
});

t.test('Uplink: an acknowledgement that comes late settles all the same', async (t) => {
  const { clock, gateway, outbox, append, stop } = road(t);
  await clock.advance(0);
  append();
  await clock.advance(30_000);
  gateway.sent[0]?.acknowledge();
  await clock.advance(200);
  t.equal(outbox.queued, 0);
  await clock.advance(600_000);
  t.equal(gateway.batches.length, 1, 'and it is not sent again');
  await stop();
});

t.test('Uplink: after a cut all that was on its way is sent again at once, and what came meanwhile', async (t) => {
  const { clock, gateway, outbox, append, reports, stop } = road(t);
  await clock.advance(0);
  append();
  append();
  await clock.advance(0);
  gateway.cut();
  await clock.advance(0);
  append();
  gateway.isAcknowledging = true;
  await clock.advance(2_000);
  t.equal(outbox.queued, 0);
  t.strictSame(
    reports.map((report) => (report.isUp ? 'up' : codeOf(report.why))),
    ['up', 'link.lost', 'up'],
  );
  await stop();
});

t.test('Uplink: a batch that breaks the link each time waits longer, and the others go by', async (t) => {
  const { clock, gateway, outbox, stop } = road(t, { batchRows: 2, drainRowsPerSecond: 10_000, window: 2, liveReserve: 1 }, 8);
  let breaks = 0;
  for (let turns = 0; turns < 600; turns++) {
    await clock.advance(1_000);
    for (const sent of gateway.sent.splice(0)) {
      if (sent.seqs.includes(1)) {
        gateway.cut();
        breaks += 1;
        break;
      }
      sent.acknowledge();
    }
  }
  await clock.advance(200);
  t.strictSame(
    outbox.unsentAfter(0, 10).map(({ seq }) => seq),
    [1],
  );
  t.ok(breaks < 20, `${breaks} breaks in ten minutes`);
  await stop();
});

t.test('Uplink: while the gateway can not be reached it waits longer and longer, at random, up to the bound', async (t) => {
  const { clock, gateway, reports, stop } = road(t, {}, 0, false);
  await clock.advance(600_000);
  const waits = gateway.openedAtMs.slice(1).map((atMs, index) => atMs - (gateway.openedAtMs[index] ?? 0));
  t.strictSame(waits.slice(0, 7), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000], 'half of the bound each: random is 0.5');
  t.equal(Math.max(...waits), 30_000);
  t.ok(reports.every((report) => !report.isUp && codeOf(report.why) === 'link.refused'));
  await stop();
});

t.test('Uplink: a link that stays unanswered for ever is opened anew', async (t) => {
  const { clock, gateway, append, reports, stop } = road(t, { ackTimeoutMs: 1_000 });
  await clock.advance(0);
  for (let count = 0; count < 40; count++) {
    append();
    await clock.advance(1_000);
  }
  t.ok(gateway.openedAtMs.length >= 2);
  t.match(reports[1], { isUp: false });
  await stop();
});

t.test('Uplink: a store that fails to settle is told of nothing lost; the rows are settled when it works again', async (t) => {
  const { clock, gateway, outbox, append, stop } = road(t);
  const works = outbox.settle.bind(outbox);
  outbox.settle = () => {
    throw new StoreError('store.disk_full', 'test');
  };
  gateway.isAcknowledging = true;
  await clock.advance(0);
  append();
  await clock.advance(1_000);
  t.equal(outbox.queued, 1);
  outbox.settle = works;
  await clock.advance(5_000);
  t.equal(outbox.queued, 0);
  t.equal(gateway.batches.length, 1, 'sent once');
  await stop();
});

t.test('Uplink: rows whose key record can not be read now are sent when it can', async (t) => {
  const { clock, gateway, outbox, append, failures, stop } = road(t);
  const works = outbox.keyOf.bind(outbox);
  outbox.keyOf = () => {
    throw new StoreError('store.failed', 'test');
  };
  gateway.isAcknowledging = true;
  await clock.advance(0);
  append();
  await clock.advance(1_000);
  t.strictSame(failures, ['store.failed']);
  t.equal(gateway.batches.length, 0);
  outbox.keyOf = works;
  await clock.advance(10_000);
  t.strictSame(gateway.batches, [[1]]);
  t.equal(outbox.queued, 0);
  await stop();
});

t.test('Uplink: an outbox that is set aside and closed under it is a store that fails, and it still stops', async (t) => {
  const { clock, gateway, outbox, append, failures, stop } = road(t, {}, 3);
  await clock.advance(0);
  append();
  await clock.advance(0);
  outbox.close();
  for (const sent of gateway.sent) sent.acknowledge();
  await clock.advance(10_000);
  gateway.cut();
  await clock.advance(10_000);
  t.ok(failures.length > 0);
  t.ok(failures.every((code) => code === 'store.failed'));
  await stop();
});

t.test('Uplink: stopped, it settles what was acknowledged', async (t) => {
  const { clock, gateway, outbox, append, stop } = road(t);
  gateway.isAcknowledging = true;
  await clock.advance(0);
  append();
  await clock.advance(0);
  const { path } = outbox;
  await stop();
  const again = new Outbox(path, LIMITS, mono(0));
  t.equal(again.queued, 0);
  again.close();
});

t.test('Uplink: a week without a gateway loses nothing, and is drained when it is back', async (t) => {
  const { clock, gateway, outbox, append, stop } = road(t, { drainRowsPerSecond: 500, longestBackoffMs: 3_600_000 }, 0, false);
  await clock.advance(0);
  for (let hour = 0; hour < 7 * 24; hour++) {
    for (let scan = 0; scan < 3; scan++) append();
    await clock.advance(3_600_000);
    outbox.prune(clock.monotonic(), clock.wall());
  }
  t.equal(outbox.queued, 504);
  t.equal(outbox.droppedUnsent, 0);
  gateway.isReachable = true;
  gateway.isAcknowledging = true;
  await clock.advance(3_600_000);
  t.equal(outbox.queued, 0);
  t.strictSame(gateway.batches.flat(), range(1, 504), 'each once, oldest first');
  await stop();
});
