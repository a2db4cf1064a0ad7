/** Sending again: what a restored gateway lacks is unsettled, once for each version, never so much that the door feels it. */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Outbox } from '../../kiosk/outbox.ts';
import type { OutboxLimits } from '../../kiosk/outbox-row.ts';
import { Resender } from '../../kiosk/send-again.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { type DeploymentId, type KeyId, type KioskId, newPlaceId, type Seq } from '../../protocol/ids.ts';
import { encodeSendAgain, type Had } from '../../protocol/send-again.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { LogRecorder } from '../support/log-recorder.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

const LIMITS: OutboxLimits = {
  maxRows: 100_000,
  maxBytes: 64 * 1_048_576,
  retentionMs: 10 ** 9,
  keepSettledMs: 10 ** 9,
  maxSettledRows: 50_000,
};
const KEY_IDS = [new Uint8Array(8).fill(1), new Uint8Array(8).fill(2)] as [KeyId, KeyId];
const deployment = newPlaceId<DeploymentId>();
const kiosk = newPlaceId<KioskId>();
const signingKey = generateSigningKey();

class Bench {
  readonly clock = new ManualClock();
  readonly log = new LogRecorder();
  readonly outbox: Outbox;
  readonly done: number[] = [];
  unsettled = 0;
  readonly resender: Resender;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;

  constructor(t: Test, path = join(t.testdir(), 'outbox.db')) {
    const { clock, log } = this;
    this.outbox = new Outbox(path, LIMITS, clock.monotonic());
    this.resender = new Resender({
      ...{ deployment, kiosk, receiptKey: rawPublicKey(signingKey), clock, log },
      mayJudgeTime: () => true,
      outbox: () => this.outbox,
      mostQueued: 500,
      onStoreFailed: (error) => t.fail(error.message),
      onUnsettled: () => {
        this.unsettled += 1;
      },
      onDone: (version) => this.done.push(version),
    });
    this.#running = this.resender.run(this.#stopping.signal);
    t.teardown(() => this.stop());
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.outbox.close();
  }

  /** Appends rows under a key of their own and settles them. */
  settled(keyId: KeyId, rows: number): void {
    const key = this.outbox.keepKey(keyId, new Uint8Array(10));
    const time = { wallMs: undefined, monotonicMs: this.clock.monotonic() };
    const seqs = Array.from({ length: rows }, () => this.outbox.append(key, () => new Uint8Array(50), time));
    this.outbox.settle(seqs, this.clock.monotonic());
  }

  ask(version: number, had: readonly Had[], from = signingKey): void {
    const issuedAtMs = this.clock.wall();
    const command = { version, issuedAtMs, expiresAtMs: (issuedAtMs + 1_000_000) as EpochMillis, had };
    this.resender.take(encodeSendAgain(command, { deployment, kiosk }, from));
  }

  unsent(): number[] {
    return this.outbox.unsentAfter(0, 100_000).map(({ seq }) => seq);
  }
}

/** Of the event loop: more than there are steps of some hundred rows. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

const range = (from: number, to: number) => ({ from: from as Seq, to: to as Seq });
const from1To = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, at) => first + at);

t.test('send again: of settled rows those are sent again that the gateway does not name, each version once', async (t) => {
  const bench = new Bench(t);
  bench.settled(KEY_IDS[0], 10);
  bench.settled(KEY_IDS[1], 5);
  bench.ask(7, [{ keyId: KEY_IDS[0], ranges: [range(1, 3), range(6, 8)] }]);
  await until(() => bench.done.length > 0);
  t.strictSame(bench.unsent(), [4, 5, 9, 10, 11, 12, 13, 14, 15]);
  t.equal(bench.outbox.queued, 9);
  t.equal(bench.resender.version, 7);
  bench.outbox.settle(bench.unsent(), bench.clock.monotonic());
  for (const version of [7, 6]) bench.ask(version, []);
  bench.ask(9, [], generateSigningKey());
  bench.resender.take(new Uint8Array(0));
  t.equal(bench.log.of('command.refused').length, 1, 'one that another signed is refused');
  await turns();
  t.strictSame(bench.unsent(), [], 'what was carried out is not carried out again, nor what is older');
  bench.ask(8, []);
  await until(() => bench.done.length > 1);
  t.strictSame(bench.unsent(), from1To(15));
  t.strictSame(bench.done, [7, 8]);
});

t.test('send again: never more wait than the door can do with; the rest follows as they go', async (t) => {
  const bench = new Bench(t);
  bench.settled(KEY_IDS[0], 900);
  bench.ask(1, []);
  await until(() => bench.outbox.queued > 0);
  await turns();
  t.equal(bench.outbox.queued, 500);
  t.strictSame(bench.done, [], 'not done before all are looked at');
  t.equal(bench.resender.version, 0);
  const came = new Set<number>();
  while (bench.done.length === 0 || bench.outbox.queued > 0) {
    const some = bench.unsent();
    for (const seq of some) came.add(seq);
    bench.outbox.settle(some, bench.clock.monotonic());
    await bench.clock.advance(1_000);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  t.equal(came.size, 900);
});

t.test('send again: cut off in the midst it begins anew by the same command, and nothing is left out', async (t) => {
  const path = join(t.testdir(), 'outbox.db');
  const first = new Bench(t, path);
  first.settled(KEY_IDS[0], 700);
  first.ask(1, []);
  await until(() => first.outbox.queued > 0);
  await first.stop();
  const second = new Bench(t, path);
  t.equal(second.resender.version, 0, 'it is not taken for done');
  second.outbox.settle(second.unsent(), second.clock.monotonic());
  second.ask(1, []);
  const came = new Set<number>();
  while (second.done.length === 0 || second.outbox.queued > 0) {
    const some = second.unsent();
    for (const seq of some) came.add(seq);
    second.outbox.settle(some, second.clock.monotonic());
    await second.clock.advance(1_000);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  t.equal(came.size, 700);
});

t.test('send again: one past its end is refused', async (t) => {
  const bench = new Bench(t);
  bench.settled(KEY_IDS[0], 3);
  const issuedAtMs = 1_000 as EpochMillis;
  const command = { version: 3, issuedAtMs, expiresAtMs: 2_000 as EpochMillis, had: [] };
  bench.resender.take(encodeSendAgain(command, { deployment, kiosk }, signingKey));
  t.match(bench.log.of('command.refused'), [{ fields: { code: 'policy.expired' } }]);
  t.equal(bench.outbox.queued, 0);
});
