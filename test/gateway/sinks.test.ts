/** The ledger and its sinks under a clock moved by hand: what one of them does is nothing to the others, and costs nothing but time. */
import t, { type Test } from 'tap';
import type { Intake, LedgerEntry } from '../../core/intake.ts';
import { Forwarder, type SinkProgress } from '../../gateway/forward.ts';
import { pruneSome } from '../../gateway/prune.ts';
import { SetAside } from '../../gateway/sinks/set-aside.ts';
import { sinksSchema } from '../../gateway/sinks/sink-config.ts';
import { SinkDesk } from '../../gateway/sinks/sink-desk.ts';
import { openSinks, recipientsOf } from '../../gateway/sinks/sinks.ts';
import { type ErrorCode, SinkError } from '../../protocol/errors.ts';
import { generateRecipient } from '../../protocol/hpke.ts';
import { type DeploymentId, newPlaceId } from '../../protocol/ids.ts';
import { openTestIngest, type TestIngest } from '../support/test-ingest.ts';
import { checkIn, type KioskStart } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';
import { outcomeOf, outcomeOfPromise } from '../support/wire.ts';

const HTTP = { kind: 'http', name: 'far', url: 'http://127.0.0.1:1' };
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A sink that remembers all it was given, in order, with the time; its reader tells what came twice by the position. */
class Far implements Intake {
  readonly given: { readonly position: number; readonly atMs: number }[] = [];
  readonly bad = new Set<number>();
  /** Every position it was ever offered, taken or not. */
  readonly seen: number[] = [];
  offers = 0;
  isDown: ErrorCode | undefined;
  retryAfterMs: number | undefined;
  /** Takes what it is given, and its answer is lost. */
  losesAnswers = 0;
  hanging: Promise<void> | undefined;
  told: number | undefined = 0;
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  async accept(entries: readonly LedgerEntry[]): Promise<void> {
    this.offers += 1;
    this.seen.push(...entries.map(({ position }) => position));
    await this.hanging;
    if (this.isDown !== undefined) throw new SinkError(this.isDown as 'sink.lost', 'down', { retryAfterMs: this.retryAfterMs });
    if (entries.some(({ position }) => this.bad.has(position))) throw new SinkError('sink.entry_refused', 'no');
    this.given.push(...entries.map(({ position }) => ({ position, atMs: this.#now() })));
    this.told = entries.at(-1)?.position;
    if (this.losesAnswers > 0) {
      this.losesAnswers -= 1;
      throw new SinkError('sink.lost', 'the answer is lost');
    }
  }

  taken(): Promise<number | undefined> {
    if (this.isDown !== undefined) return Promise.reject(new SinkError('sink.not_reached', 'down'));
    return Promise.resolve(this.told);
  }

  get once(): number[] {
    return [...new Set(this.given.map(({ position }) => position))];
  }
}

interface Town {
  readonly at: TestIngest;
  readonly setAside: SetAside;
  readonly send: (rows?: number) => Promise<void>;
  readonly join: (
    name: string,
    intake: Intake,
    entriesPerSecond?: number,
  ) => { readonly forwarder: Forwarder; readonly progress: () => SinkProgress };
  readonly wake: () => void;
  readonly positions: () => number[];
}

async function opened(t: Test): Promise<Town> {
  const at = await openTestIngest(t);
  const setAside = new SetAside(at.db);
  const start: KioskStart = await at.kiosk.start();
  const stopping = new AbortController();
  const forwarders: Forwarder[] = [];
  const loops: Promise<void>[] = [];
  t.teardown(async () => {
    stopping.abort();
    await Promise.all(loops);
  });
  return {
    at,
    setAside,
    send: async (rows = 1) => {
      await at.take(start.batch(Array.from({ length: rows }, () => start.seal(checkIn()))));
      for (const forwarder of forwarders) forwarder.wake();
    },
    join: (name, intake, entriesPerSecond) => {
      at.ledger.addSink(name);
      let last: SinkProgress | undefined;
      const forwarder = new Forwarder({ name, intake, entriesPerSecond }, at.ledger, setAside, at.clock, at.log, (progress) => {
        last = progress;
      });
      forwarders.push(forwarder);
      loops.push(forwarder.run(stopping.signal));
      return {
        forwarder,
        progress: () => {
          forwarder.look();
          return last as SinkProgress;
        },
      };
    },
    wake: () => {
      for (const forwarder of forwarders) forwarder.wake();
    },
    positions: () => at.ledger.entriesAfter(0, 1e6, 1e9).map(({ position }) => position),
  };
}

t.test(
  'sinks: one is down for a week, the other gets each entry at once; then it drains at its pace, and both have the same',
  async (t) => {
    const { at, send, join, positions } = await opened(t);
    const [near, far] = [new Far(() => at.clock.wall()), new Far(() => at.clock.wall())];
    const [nearSink, farSink] = [join('near', near), join('far', far, 10)];
    const rss = [process.memoryUsage().heapUsed];
    await send();
    await until(() => near.given.length === 1 && far.given.length === 1);
    far.isDown = 'sink.not_reached';
    const sentAtMs: number[] = [at.clock.wall()];
    for (let hour = 0; hour < 7 * 24; hour++) {
      sentAtMs.push(at.clock.wall());
      await send();
      await until(() => near.given.length === sentAtMs.length);
      await at.clock.leap(HOUR_MS);
    }
    t.strictSame(
      near.given.map(({ atMs }) => atMs),
      sentAtMs,
      'the other has each in the moment in which it came',
    );
    t.match(farSink.progress(), { behindEntries: 168, code: 'sink.not_reached', droppedEntries: 0, setAsideEntries: 0 });
    t.equal(at.clock.wall() - (farSink.progress().waitingSinceMs ?? 0), 7 * DAY_MS, 'how long the oldest waits is told');
    t.ok(far.offers < 3, 'it is asked what it has, and given nothing');
    t.ok(at.log.of('forward.failed').length <= 7 * 24 * 60, 'a line a minute at most');

    far.isDown = undefined;
    const backAtMs = at.clock.wall();
    while (far.once.length < 169) await at.clock.advance(1_000);
    const took = far.given.slice(1).map(({ atMs }) => atMs - backAtMs);
    const tooSoon = took.filter((ms, index) => index > ((ms - (took[0] ?? 0)) / 1_000) * 10 + 10);
    t.strictSame(tooSoon, [], 'never more than ten a second, and the first ten at once');
    t.ok((took.at(-1) ?? 0) < 60_000 + 20_000, 'and soon: a minute of waiting at most, 17 s of draining');
    t.strictSame(far.once, positions());
    t.strictSame(near.once, positions());
    t.equal(far.given.length, far.once.length, 'nothing came twice');
    await at.clock.advance(60_000);
    t.match(farSink.progress(), { behindEntries: 0, code: undefined, waitingSinceMs: undefined });
    t.match(nearSink.progress(), { behindEntries: 0, code: undefined });
    t.ok(process.memoryUsage().heapUsed - (rss[0] ?? 0) < 64 * 1_048_576, 'what waits is on disk');
  },
);

t.test('sinks: one that hangs for days delays neither the other nor what comes in', async (t) => {
  const { at, send, join } = await opened(t);
  const [near, far] = [new Far(() => 0), new Far(() => 0)];
  const gate = Promise.withResolvers<void>();
  far.hanging = gate.promise;
  join('near', near);
  const { progress } = join('far', far);
  for (let day = 0; day < 3; day++) {
    await send();
    await until(() => near.given.length === day + 1);
    await at.clock.advance(DAY_MS);
  }
  t.equal(far.given.length, 0);
  t.equal(progress().behindEntries, 3, 'also while an offer is under way');
  far.hanging = undefined;
  gate.resolve();
  await until(() => far.once.length === 3);
});

t.test('sinks: an answer that is lost makes the same entries come again, and its reader has each once', async (t) => {
  const { at, send, join, positions } = await opened(t);
  const far = new Far(() => 0);
  // It can not say what it has: the cursor alone counts.
  Object.defineProperty(far, 'taken', { value: () => Promise.resolve(undefined) });
  far.losesAnswers = 3;
  join('far', far);
  for (let i = 0; i < 4; i++) await send();
  await at.clock.advance(60_000);
  await until(() => far.once.length === 4);
  t.strictSame(far.once, positions());
  t.ok(far.given.length > 4);
});

t.test('sinks: one that was brought back from a backup while nobody asked gets the rest again', async (t) => {
  const { at, send, join, positions } = await opened(t);
  const far = new Far(() => 0);
  const { progress } = join('far', far);
  for (let i = 0; i < 6; i++) await send();
  await until(() => far.once.length === 6);
  far.given.length = 2;
  far.told = 2;
  far.isDown = 'sink.gap';
  await send();
  await until(() => progress().code === 'sink.gap');
  far.isDown = undefined;
  await at.clock.advance(1_000);
  await until(() => far.once.length === 7);
  t.strictSame(far.once, positions());
  t.equal(progress().code, undefined);
});

t.test('sinks: Retry-After is waited for, and not less', async (t) => {
  const { at, send, join } = await opened(t);
  const far = new Far(() => 0);
  join('far', far);
  await at.clock.advance(0);
  far.isDown = 'sink.unavailable';
  far.retryAfterMs = 300_000;
  // It says what it has, and takes nothing.
  Object.defineProperty(far, 'taken', { value: () => Promise.resolve(undefined) });
  await send();
  await until(() => far.offers === 1);
  await at.clock.advance(299_000);
  t.equal(far.offers, 1);
  far.isDown = undefined;
  await at.clock.advance(2_000);
  await until(() => far.given.length === 1);
});

t.test('sinks: poison in the middle is set aside with its reason, the others go on, and a replay ends it', async (t) => {
  const { at, setAside, send, join, positions } = await opened(t);
  const [near, far] = [new Far(() => 0), new Far(() => 0)];
  far.isDown = 'sink.lost';
  join('near', near);
  const { progress } = join('far', far);
  for (let i = 0; i < 40; i++) await send();
  far.bad.add(7).add(8).add(40);
  far.isDown = undefined;
  await at.clock.advance(60_000);
  await until(() => far.once.length === 37);
  t.strictSame(
    far.given.map(({ position }) => position),
    positions().filter((position) => !far.bad.has(position)),
  );
  t.match(progress(), { behindEntries: 0, code: undefined, setAsideEntries: 3 });
  t.equal(near.once.length, 40, 'the other takes them');
  t.match(setAside.list('far'), [
    { position: 7, kiosk: at.kiosk.kiosk, kind: 'batch', reason: 'sink.entry_refused' },
    { position: 8 },
    { position: 40 },
  ]);
  const changed: string[] = [];
  const intakes = new Map<string, Intake>([['far', far]]);
  const desk = new SinkDesk({
    ledger: at.ledger,
    setAside,
    intakes,
    clock: at.clock,
    retentionDays: 21,
    onChanged: () => changed.push('changed'),
  });
  t.strictSame(await desk.replay('far', 7), { outcome: 'refused', code: 'sink.entry_refused' });
  far.bad.clear();
  t.strictSame(await desk.replay('far', 7), { outcome: 'taken' });
  t.equal(await desk.replay('far', 7), undefined, 'it is there no more');
  t.equal(await desk.replay('elsewhere', 8), undefined);
  far.isDown = 'sink.lost';
  t.equal(await outcomeOfPromise(() => desk.replay('far', 8)), 'sink.lost');
  t.ok(setAside.has('far', 8), 'a sink that is down changes nothing');
  t.equal(desk.drop('far', 8), true);
  t.equal(desk.drop('far', 8), false);
  t.equal(changed.length, 3);
  t.equal(desk.items('elsewhere'), undefined);
  t.match(progress(), { setAsideEntries: 1 });
  far.isDown = undefined;
  at.clock.stepWall(21 * 86_400_000 + 3_600_000);
  t.strictSame(await desk.replay('far', 40), { outcome: 'refused', code: 'sink.past_retention' });
  t.notOk(far.once.includes(40), 'what is past its time is offered to nobody');
  t.match(setAside.list('far'), [{ position: 40, reason: 'sink.past_retention' }]);
});

t.test('sinks: a sink that has less than its cursor is not given again what it refused', async (t) => {
  const { at, send, join } = await opened(t);
  const far = new Far(() => 0);
  far.bad.add(2);
  const { progress } = join('far', far);
  await send();
  await send();
  await until(() => progress().setAsideEntries === 1);
  t.equal(far.told, 1, 'it knows of no second entry');
  const tries = far.seen.filter((position) => position === 2).length;
  far.isDown = 'sink.lost';
  await send();
  await until(() => progress().code === 'sink.lost');
  far.isDown = undefined;
  await at.clock.advance(60_000);
  await until(() => far.once.length === 2);
  t.strictSame(far.once, [1, 3]);
  t.equal(far.seen.filter((position) => position === 2).length, tries);
});

t.test('sinks: retention wins over a sink that is down, and what it never got is counted, refused entries among it', async (t) => {
  const { at, send, join } = await opened(t);
  const far = new Far(() => 0);
  far.bad.add(2);
  const { progress } = join('far', far);
  for (let i = 0; i < 3; i++) await send();
  await until(() => far.once.length === 2);
  far.isDown = 'sink.not_reached';
  for (let day = 0; day < 30; day++) {
    await send();
    await at.clock.leap(DAY_MS);
    while (pruneSome(at.db, at.ledger, 21, at.clock.wall()).entries > 0);
  }
  const kept = at.entries();
  t.ok(kept <= 22, `${kept} days are kept, however long it is down`);
  t.match(progress(), { behindEntries: kept, droppedEntries: 30 - kept + 1, setAsideEntries: 0 });
  far.isDown = undefined;
  await at.clock.advance(60_000);
  await until(() => far.once.length === 2 + kept);
  t.match(progress(), { behindEntries: 0, droppedEntries: 30 - kept + 1 });
});

t.test('sinks: one that is configured no more is forgotten, and not counted as lost', async (t) => {
  const { at, setAside, send } = await opened(t);
  const options = {
    retentionDays: 21,
    deployment: newPlaceId<DeploymentId>(),
    ledger: at.ledger,
    db: at.db,
    clock: at.clock,
    log: at.log,
    onProgress: () => {},
    signal: new AbortController().signal,
  };
  openSinks({ ...options, intake: new Far(() => 0), sinks: sinksSchema.parse([{ kind: 'core' }, HTTP]) });
  await send();
  const [entry] = at.ledger.entriesAfter(0, 1, 1);
  setAside.add('far', entry as LedgerEntry, 'sink.entry_refused', at.clock.wall());
  t.equal(at.ledger.cursorOf('core'), 0);
  const sinks = openSinks({ ...options, intake: undefined, sinks: sinksSchema.parse([{ ...HTTP, name: 'elsewhere' }]) });
  t.match(at.log.of('sink.forgotten'), [{ fields: { sink: 'core' } }, { fields: { sink: 'far' } }]);
  t.equal(setAside.count('far'), 0);
  t.equal(sinks.desk.items('far'), undefined);
  for (let day = 0; day < 23; day++) await at.clock.leap(DAY_MS);
  while (pruneSome(at.db, at.ledger, 21, at.clock.wall()).entries > 0);
  t.equal(at.ledger.droppedOf('core') + at.ledger.droppedOf('far'), 0);
  t.equal(at.ledger.droppedOf('elsewhere'), 1);
  t.equal(
    outcomeOf(() => openSinks({ ...options, intake: undefined, sinks: sinksSchema.parse(undefined) })),
    'config.invalid',
    'a core in this process that is not there',
  );
});

t.test('sinks: kiosks are told to seal for the cores elsewhere that are named with their key', async (t) => {
  const key = Buffer.alloc(32, 7).toString('base64url');
  const { recipient: here } = await generateRecipient();
  t.strictSame(recipientsOf([here], sinksSchema.parse([{ kind: 'core' }, HTTP])), [here]);
  const [, far, ...more] = recipientsOf([here], sinksSchema.parse([{ ...HTTP, recipient: key }]));
  t.equal(Buffer.from(far?.publicKey ?? []).toString('base64url'), key);
  t.strictSame(more, []);
});

t.test('sinks: two that lead to one core, or to this gateway itself, are sealed for once', async (t) => {
  const { recipient: here } = await generateRecipient();
  const recipient = Buffer.alloc(32, 7).toString('base64url');
  const itself = Buffer.from(here.publicKey).toString('base64url');
  const sinks = sinksSchema.parse([
    { ...HTTP, recipient },
    { ...HTTP, name: 'again', recipient },
    { ...HTTP, name: 'itself', recipient: itself },
  ]);
  t.equal(recipientsOf([here, here], sinks).length, 2);
});

t.test('sinks: a recipient that is nobody’s key is refused at the start: each kiosk would fail by it', async (t) => {
  const parsed = sinksSchema.safeParse([{ ...HTTP, recipient: Buffer.alloc(32).toString('base64url') }]);
  t.match(parsed.error?.issues, [{ path: [0, 'recipient'], message: 'expected an X25519 public key' }]);
});
