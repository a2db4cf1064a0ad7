/** A thread that traces and fails: what is seen of it, that it is begun anew, and that nothing forgotten comes back by it. */
import t, { type Test } from 'tap';
import type { Core, CoreOptions } from '../../../core/core.ts';
import { CardNames } from '../../../core/pseudonym.ts';
import { decodeRows, encodeRows } from '../../../core/trace/exposure-rows.ts';
import { DEFAULT_TRACE_POLICY, type Exposure } from '../../../core/trace/trace.ts';
import { ROWS_AT_A_TIME, TraceThread } from '../../../core/trace/trace-thread.ts';
import { trace } from '../../../core/trace/tracer.ts';
import { Turns } from '../../../core/trace/turns.ts';
import type { VenueId, VisitorUuid } from '../../../protocol/ids.ts';
import { systemClock } from '../../../protocol/time.ts';
import { LogRecorder } from '../../support/log-recorder.ts';
import { until } from '../../support/until.ts';
import { type Fixture, fixture, NOW } from '../core-fixture.ts';
import { checkIn, HOUR, KioskStub, newCard } from '../kiosk-stub.ts';
import { NAMES } from '../town.ts';

/** A program that answers as told, and ends when it is asked to. */
const program = (onRequest: string): URL =>
  new URL(
    `data:text/javascript,${encodeURIComponent(`import { parentPort } from 'node:worker_threads'; parentPort.on('message', (asked) => { if (asked === 'end') parentPort.close(); else { ${onRequest} } });`)}`,
  );
const FAILS = program("throw new RangeError('a card')");
const SILENT = program('');
const EATS = program("throw Object.assign(new Error('heap'), { code: 'ERR_WORKER_OUT_OF_MEMORY' })");
const SAYS_NO = program("parentPort.postMessage({ kind: 'failed', code: 'store.corrupt', message: 'day 2026-11-21: lost' })");

interface Opened extends Fixture {
  readonly core: Core;
  readonly log: LogRecorder;
  readonly sick: VisitorUuid;
  readonly met: VisitorUuid;
  raise(): void;
}

async function opened(t: Test, tracer: CoreOptions['tracer']): Promise<Opened> {
  const log = new LogRecorder();
  const made = await fixture(t, log);
  const core = await made.open('core', { ...(tracer && { tracer }) });
  const kiosk = new KioskStub(made.keys, { dwellMs: 2 * HOUR });
  const [sick, met] = [newCard(), newCard()];
  const told = [
    { happening: checkIn(sick), atMs: NOW - 3 * HOUR },
    { happening: checkIn(met), atMs: NOW - 2 * HOUR },
  ];
  await core.accept([await kiosk.batch(told, NOW)]);
  const raise = () => void core.cases.raise({ card: sick, state: 'confirmed', source: 'officer', by: 'officer', key: 'one' });
  return { ...made, core, log, sick, met, raise };
}

t.test(
  'trace thread: one that fails is told of, counted and begun anew after longer and longer rests; the case waits, and the core goes on',
  async (t) => {
    const { core, log, clock, raise, met } = await opened(t, { program: FAILS });
    raise();
    await until(() => core.notices.counts().failures === 1 && core.notices.isAtRest);
    t.match(core.notices.counts(), { toTrace: 1, waiting: 1, fault: 'trace.thread_failed', failures: 1 });
    t.match(log.of('trace.thread_failed'), [{ level: 'error', fields: { code: 'trace.thread_failed', restMs: 1_000, bug: 'RangeError' } }]);
    t.match(log.of('trace.waits'), [{ fields: { source: 'case/1', code: 'trace.thread_failed' } }]);
    const seen: number[] = [];
    for (let second = 1; second <= 32; second++) {
      await clock.advance(1_000);
      await until(() => core.notices.isAtRest);
      seen.push(core.notices.counts().failures);
    }
    const begunAt = seen.flatMap((failures, index) => (failures > (seen[index - 1] ?? 1) ? [index + 1] : []));
    t.ok(begunAt.length >= 3 && begunAt.length <= 5, `begun anew in seconds ${begunAt.join()}`);
    t.equal(log.of('trace.waits').length, 1, 'told of once');
    t.notMatch(log.text, /a card/);
    t.strictSame(core.notices.ofHolder(met), []);
  },
);

t.test('trace thread: one that reached its memory limit ends alone, with a name of its own', async (t) => {
  const { core, log, raise, met } = await opened(t, { program: EATS });
  raise();
  await until(() => core.notices.counts().failures === 1 && core.notices.isAtRest);
  t.match(core.notices.counts(), { toTrace: 1, waiting: 1, fault: 'trace.too_large' });
  t.match(log.of('trace.waits'), [{ fields: { code: 'trace.too_large' } }]);
  t.equal((await core.overlapsWith(met)).length, 1, 'and the core answers');
});

t.test('trace thread: a case that exposed more cards than can be told of is refused, by counting them', async (t) => {
  const { core, keys, sick } = await opened(t, undefined);
  const question = { card: new CardNames(keys.pseudonymKey).of(sick), anchorMs: NOW, nowMs: NOW, policy: DEFAULT_TRACE_POLICY };
  const turns = new Turns(systemClock, new AbortController().signal);
  t.equal((await trace(core.visits(), { ...question, mostCards: 2 }, turns)).exposures.length, 1);
  await t.rejects(trace(core.visits(), { ...question, mostCards: 1 }, turns), { code: 'trace.too_large' });
});

t.test('trace thread: what it refuses is thrown by its code; what is asked when it is closed fails, and no thread is left', async (t) => {
  const { dir, keys, clock, log } = await opened(t, undefined);
  const parts = { dir: `${dir}/core`, storeKey: keys.storeKey, firstDay: () => '2026-11-01' as never, clock, log };
  let held = 0;
  const hold = async () => {
    held += 1;
    return () => {
      held -= 1;
    };
  };
  const asked = { card: NAMES.of(newCard()), anchorMs: NOW, nowMs: NOW, policy: DEFAULT_TRACE_POLICY, hasVenues: true };
  const refusing = new TraceThread({ ...parts, hold, program: SAYS_NO });
  await t.rejects(
    refusing.trace(asked, () => {}),
    { code: 'store.corrupt' },
  );
  await t.rejects(refusing.backward(asked, []), { code: 'store.corrupt' });
  t.match([held, refusing.fault, refusing.failures], [0, undefined, 0], 'it answers: nothing is wrong with it');
  await refusing.close();
  const silent = new TraceThread({ ...parts, hold, program: SILENT });
  const waiting = t.rejects(
    silent.trace(asked, () => {}),
    { code: 'trace.thread_failed' },
  );
  await until(() => held === 1);
  await new Promise<void>((resolve) => setImmediate(resolve));
  await silent.close();
  await waiting;
  await t.rejects(
    silent.trace(asked, () => {}),
    { code: 'trace.thread_failed' },
  );
  t.equal(held, 0, 'columns may be made again');
});

t.test('trace thread: what was found is handed over a part at a time, and what was forgotten meanwhile is left out', async (t) => {
  const { core, sick, met } = await opened(t, undefined);
  const { book } = core.notices;
  const exposure = (card: VisitorUuid, atMs: number): Exposure => {
    const span = { fromMs: atMs, toMs: atMs + HOUR };
    const meeting = {
      venue: '0123456789abcdef' as VenueId,
      span,
      overlapMs: HOUR,
      isCertain: true,
      isDoubtful: false,
      groupSize: 1,
      rows: [],
    };
    return { card: NAMES.of(card), priority: 'high', order: 1, meetings: [meeting] };
  };
  const rows = encodeRows([exposure(sick, NOW), exposure(met, NOW), exposure(newCard(), NOW - 20 * 24 * HOUR)]);
  t.match([...decodeRows(rows)], [{ priority: 'high', order: 1, metAtMs: NOW, overlapMs: HOUR, isCertain: true }, { metAtMs: NOW }, {}]);
  const finding = { source: 'case/9', policyVersion: 1, isRaised: true, endsAtMs: undefined };
  const now = { foundAtMs: book.foundAtMs('case/9', NOW), nowMs: NOW, firstDay: '2026-11-10' as never };
  const isErased = book.isErased;
  book.isErased = (card) => Buffer.compare(card, NAMES.of(met)) === 0;
  book.put(finding, rows, now);
  t.equal(book.ofSource('case/9', 0, 10).length, 1, 'neither the one who was taken back nor the one of a forgotten day');
  book.isErased = isErased;
  book.put(finding, encodeRows([exposure(met, NOW)]), now);
  book.finish('case/9', [], now);
  t.equal(book.ofSource('case/9', 0, 10).length, 2);
  const later = { ...now, foundAtMs: book.foundAtMs('case/9', NOW - HOUR) };
  t.ok(later.foundAtMs > now.foundAtMs, 'also where the clock went back');
  book.put(finding, encodeRows([exposure(met, NOW)]), later);
  book.finish('case/9', [], later);
  t.equal(book.ofSource('case/9', 0, 10).length, 1, 'what is found no more is gone');
});

t.test('trace thread: a day that is dropped between two traces is in none after them, whatever the thread had open', async (t) => {
  const { core, keys, clock, sick, met } = await opened(t, undefined);
  const kiosk = new KioskStub(keys, { dwellMs: 2 * HOUR });
  const third = newCard();
  await core.accept([
    await kiosk.batch(
      [
        { happening: checkIn(sick), atMs: NOW - HOUR },
        { happening: checkIn(third), atMs: NOW - HOUR / 2 },
      ],
      NOW,
    ),
  ]);
  core.cases.raise({ card: sick, state: 'confirmed', source: 'officer', by: 'officer', key: 'one' });
  await until(() => core.notices.isAtRest);
  const of = () => core.notices.book.ofSource('case/1', 0, 10).length;
  t.equal(of(), 2);
  core.dropDay('2026-11-21' as never);
  await core.accept([await kiosk.batch([{ happening: checkIn(met), atMs: NOW - HOUR / 4 }], NOW)]);
  await clock.advance(62_000);
  await until(() => core.notices.isAtRest && core.notices.counts().toTrace === 0);
  t.equal(of(), 0);
});

t.test('trace thread: what was found is handed over whole, also when a card or a day is forgotten between two parts of it', async (t) => {
  const { core, dir, keys, clock, log, sick } = await opened(t, undefined);
  const kiosk = new KioskStub(keys, { dwellMs: 2 * HOUR });
  const cards = Array.from({ length: 2 * ROWS_AT_A_TIME }, () => ({ happening: checkIn(newCard()), atMs: NOW - 2 * HOUR }));
  await core.accept([await kiosk.batch([{ happening: checkIn(sick), atMs: NOW - 2 * HOUR }], NOW), await kiosk.batch(cards, NOW)]);
  const firstDay = () => '2026-11-01' as never;
  const thread = new TraceThread({ dir: `${dir}/core`, storeKey: keys.storeKey, hold: async () => () => {}, firstDay, clock, log });
  t.teardown(() => thread.close());
  const asked = {
    card: new CardNames(keys.pseudonymKey).of(sick),
    anchorMs: NOW,
    nowMs: NOW,
    policy: DEFAULT_TRACE_POLICY,
    hasVenues: false,
  };
  let [found, parts] = [0, 0];
  await thread.trace(asked, (rows) => {
    found += [...decodeRows(rows)].length;
    parts += 1;
    thread.forget();
  });
  t.equal(found, cards.length);
  t.equal(parts, 2);
});
