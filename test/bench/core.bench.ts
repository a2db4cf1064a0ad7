/**
 * Measures how fast day files take visits, and how fast a case is traced in a synthetic town, beside DuckDB on the same visits. Small: 1 million
 * visits; --full: also 10 million. Degrees of the town are published with the figures: without them nobody could say what they mean.
 */
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openCore } from '../../core/core.ts';
import type { Day } from '../../core/day.ts';
import type { LedgerEntry } from '../../core/intake.ts';
import { makeCoreKeys } from '../../core/keys.ts';
import { DEFAULT_TRACE_POLICY, type TracePolicy } from '../../core/trace/trace.ts';
import { type Traced, trace } from '../../core/trace/tracer.ts';
import { Turns } from '../../core/trace/turns.ts';
import { silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import { checkIn, DEPLOYMENT, KioskStub, newCard } from '../core/kiosk-stub.ts';
import { cardOf, NAMES, Town } from '../core/town.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { seededRandom } from '../support/suite-size.ts';
import { DuckTown, VisitsFile } from './core-duckdb.ts';
import { measurePuback } from './core-puback.ts';
import { TOWN_DAYS, TOWN_START, townCards, townDays } from './core-town.ts';
import { machine, makeDiskDirectory, median, quantile, rounded } from './figures.ts';
import type { Bench } from './main.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY_MS = 86_400_000;
const FIRST_DAY = '2026-11-02' as Day;
/** Saturday evening of the last week: the days before are work days. */
const ANCHOR_MS = TOWN_START + (TOWN_DAYS - 2) * DAY_MS + 20 * HOUR;
const NOW = { firstDay: FIRST_DAY, nowMs: ANCHOR_MS + 2 * HOUR };
const SMALL = 1_000_000;
const WARMING = 60;
const POLICY = DEFAULT_TRACE_POLICY;
const signal = new AbortController().signal;

type Figures = Record<string, number | string>;

export const bench: Bench = async ({ isFull, parts, say }) => {
  const wants = (part: string): boolean => parts === undefined || parts.includes(part);
  const figures: Figures = { ...machine() };
  if (wants('accept')) await measureAccept(isFull, figures, say);
  if (wants('puback')) Object.assign(figures, await measurePuback(say));
  if (!wants('town')) return figures;
  const small = await measureTown(SMALL, say);
  Object.assign(figures, isFull ? named(small, '_1M') : small);
  if (isFull) {
    const large = await measureTown(10_000_000, say);
    Object.assign(figures, large);
    figures.growth = rounded(Number(large.firstOrderUsPerContact) / Number(small.firstOrderUsPerContact), 2);
  }
  return figures;
};

const named = (figures: Figures, end: string): Figures =>
  Object.fromEntries(Object.entries(figures).map(([name, one]) => [name + end, one]));

async function measureTown(wanted: number, say: (line: string) => void): Promise<Figures> {
  const root = makeDiskDirectory('core');
  try {
    const cards = townCards(wanted);
    const town = new Town(root);
    const figures: Figures = { townCards: cards };
    const file = new VisitsFile(root);
    const { visits, rows, keepMs, mostRssBytes } = await fill(town, file, cards, say);
    const columnsMs = await timed(() => town.tidy());
    figures.loadRssMiB = Math.round(mostRssBytes / 1_048_576);
    figures.columnsRssMiB = Math.round(process.memoryUsage.rss() / 1_048_576);
    figures.townVisits = visits;
    figures.townRows = rows;
    figures.ingestPerSecond = perSecond(visits, keepMs);
    figures.ingestRowsPerSecond = perSecond(rows, keepMs);
    figures.ingestWithColumnsPerSecond = perSecond(visits, keepMs + columnsMs);
    const bytes = town.days.days().reduce((sum, day) => sum + statSync(join(root, 'days', `${day}.db`)).size, 0);
    figures.bytesAVisit = Math.round(bytes / visits);
    say(`${visits} visits of ${cards} cards: ${figures.ingestPerSecond} visits/s, with columns ${figures.ingestWithColumnsPerSecond}`);

    const random = seededRandom(5);
    const cases = Array.from({ length: 400 }, () => Math.floor(random() * cards));
    const warming = Array.from({ length: WARMING }, () => Math.floor(random() * cards));
    const first = await measureFirstOrder(town, { cases, warming }, figures, say);
    await measureSecondOrder(town, cases.slice(0, 40), figures, say);
    if (wanted <= SMALL) await measureDegrees(town, cases.slice(0, 60), cards, figures, say);
    await file.close();
    await measurePeer({ root, visits: file.path, cases, warming, first }, figures, say);
    const [day] = town.days.days();
    if (day !== undefined) figures.dropDayMs = rounded(await timed(async () => town.days.drop(day, () => {})), 1);
    town.close();
    return figures;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function fill(town: Town, file: VisitsFile, cards: number, say: (line: string) => void) {
  let [visits, rows, keepMs, mostRssBytes] = [0, 0, 0, 0];
  for (const day of townDays(cards)) {
    for (const batches of day.keeps) {
      keepMs += await timed(async () => town.keepPlaced(batches, NOW));
      rows += batches.reduce((sum, { length }) => sum + length, 0);
    }
    visits += day.visits.length;
    await file.add(day.visits);
    mostRssBytes = Math.max(mostRssBytes, process.memoryUsage.rss());
    if (visits > 1_500_000) say(`${visits} visits: ${perSecond(visits, keepMs)} a second`);
  }
  return { visits, rows, keepMs, mostRssBytes };
}

async function traced(town: Town, card: number, policy: TracePolicy, mostOrder: 1 | 2): Promise<Traced & { ms: number }> {
  const question = { card: NAMES.of(cardOf(card)), anchorMs: ANCHOR_MS, nowMs: NOW.nowMs, policy, mostOrder };
  const started = performance.now();
  const answer = await trace(town.visits(FIRST_DAY), question, new Turns(systemClock, signal));
  return { ...answer, ms: performance.now() - started };
}

async function measureFirstOrder(town: Town, { cases, warming }: Asked, figures: Figures, say: (line: string) => void) {
  const cold = await traced(town, cases[0] ?? 0, POLICY, 1);
  figures.firstTraceColdMs = rounded(cold.ms, 1);
  // Others first, here as at DuckDB: what runs first is compiled while it runs.
  for (const card of warming) await traced(town, card, POLICY, 1);
  const answers: { ms: number; meetings: number }[] = [];
  for (const card of cases) {
    const { exposures, ms } = await traced(town, card, POLICY, 1);
    answers.push({ ms, meetings: exposures.reduce((sum, { meetings }) => sum + meetings.length, 0) });
  }
  const times = answers.map(({ ms }) => ms);
  const contacts = answers.reduce((sum, { meetings }) => sum + meetings, 0);
  figures.firstOrderMedianMs = rounded(median(times), 2);
  figures.firstOrderP99Ms = rounded(quantile(times, 0.99), 2);
  figures.firstOrderContacts = Math.round(contacts / answers.length);
  figures.firstOrderUsPerContact = rounded((times.reduce((sum, ms) => sum + ms, 0) * 1_000) / contacts, 2);
  say(`first order: median ${figures.firstOrderMedianMs} ms, p99 ${figures.firstOrderP99Ms} ms, ${figures.firstOrderContacts} contacts`);
  return answers;
}

async function measureSecondOrder(town: Town, cases: readonly number[], figures: Figures, say: (line: string) => void): Promise<void> {
  let [ms, lookedAt] = [0, 0];
  const times: number[] = [];
  const held = holding();
  for (const card of cases) {
    const answer = await traced(town, card, { ...POLICY, mediumMinimumOverlapMs: POLICY.minimumOverlapMs }, 2);
    ms += answer.ms;
    lookedAt += answer.lookedAt;
    times.push(answer.ms);
  }
  figures.traceHoldMs = rounded(await held.end(), 1);
  figures.secondOrderUsPerRow = rounded((ms * 1_000) / lookedAt, 3);
  figures.secondOrderRows = Math.round(lookedAt / cases.length);
  figures.secondOrderMedianMs = rounded(median(times), 1);
  say(`second order: ${figures.secondOrderUsPerRow} µs a row, ${figures.secondOrderRows} rows, longest hold ${figures.traceHoldMs} ms`);
}

/** How many cards each priority means, by the minimum of the second order. */
async function measureDegrees(town: Town, cases: readonly number[], cards: number, figures: Figures, say: (line: string) => void) {
  for (const minutes of [15, 30, 60, 120]) {
    const high: number[] = [];
    const medium: number[] = [];
    for (const card of cases) {
      const { exposures } = await traced(town, card, { ...POLICY, mediumMinimumOverlapMs: minutes * MINUTE }, 2);
      high.push(exposures.filter(({ priority }) => priority === 'high').length);
      medium.push(exposures.filter(({ order }) => order === 2).length);
    }
    figures.degreeHighMedian = median(high);
    figures.degreeHighP90 = quantile(high, 0.9);
    figures[`degreeSecondMedian_${minutes}min`] = median(medium);
    figures[`degreeSecondP90_${minutes}min`] = quantile(medium, 0.9);
    figures[`degreeSecondShare_${minutes}min`] = rounded(median(medium) / cards, 4);
    say(`second order of ${minutes} min: median ${median(medium)}, p90 ${quantile(medium, 0.9)}; high: ${median(high)}`);
  }
}

interface Asked {
  readonly cases: readonly number[];
  /** Not measured. */
  readonly warming: readonly number[];
}

interface Peer extends Asked {
  readonly root: string;
  readonly visits: string;
  readonly first: readonly { readonly ms: number; readonly meetings: number }[];
}

async function measurePeer({ root, visits, cases, warming, first }: Peer, figures: Figures, say: (line: string) => void): Promise<void> {
  const duck = await DuckTown.open(root, visits, say);
  if (duck === undefined) {
    figures.peerRatio = 'no DuckDB here';
    return;
  }
  try {
    const times = { joined: [] as number[], byConstants: [] as number[] };
    const windowFromMs = ANCHOR_MS - POLICY.farWindowMs;
    const of = (card: number) => ({ card, windowFromMs, anchorMs: ANCHOR_MS, minimumMs: POLICY.minimumOverlapMs });
    for (const card of warming.slice(0, 20)) {
      await duck.firstOrderJoined(of(card));
      await duck.firstOrder(of(card));
    }
    let [theirs, ours] = [0, 0];
    for (const [nth, card] of cases.slice(0, 60).entries()) {
      const asked = of(card);
      if (nth < 20) times.joined.push(await timed(() => duck.firstOrderJoined(asked)));
      let found = 0;
      times.byConstants.push(await timed(async () => (found = await duck.firstOrder(asked))));
      theirs += found;
      ours += first[nth]?.meetings ?? 0;
    }
    figures.peerSameContacts = theirs === ours ? 'yes' : `no: ${theirs} and ${ours}`;
    const best = Math.min(median(times.joined), median(times.byConstants));
    figures.peerFirstOrderMs = rounded(best, 2);
    figures.peerFirstOrderJoinedMs = rounded(median(times.joined), 2);
    figures.peerRatio = rounded(best / median(first.slice(0, 60).map(({ ms }) => ms)), 1);
    const second: number[] = [];
    for (const card of cases.slice(0, 5)) {
      const high = { highFromMs: ANCHOR_MS - POLICY.highWindowMs, mediumMs: POLICY.minimumOverlapMs };
      const asked = of(card);
      second.push(await timed(() => duck.secondOrder({ ...asked, ...high })));
    }
    figures.peerSecondOrderMs = rounded(median(second), 1);
    figures.peerSecondOrderRatio = rounded(median(second) / Number(figures.secondOrderMedianMs), 1);
    say(`duckdb: first order ${figures.peerFirstOrderMs} ms (${figures.peerRatio} times), second ${figures.peerSecondOrderMs} ms`);
  } finally {
    duck.close();
  }
}

/** How long, at most, something that waits for its turn has to wait while others work. */
function holding(): { end(): Promise<number> } {
  let longestMs = 0;
  let isOver = false;
  let beforeMs = performance.now();
  const ended = new Promise<number>((resolve) => {
    const turn = (): void => {
      const nowMs = performance.now();
      longestMs = Math.max(longestMs, nowMs - beforeMs);
      beforeMs = nowMs;
      if (isOver) resolve(longestMs);
      else setImmediate(turn);
    };
    setImmediate(turn);
  });
  return {
    end: () => {
      isOver = true;
      return ended;
    },
  };
}

async function measureAccept(isFull: boolean, figures: Figures, say: (line: string) => void): Promise<void> {
  const root = makeDiskDirectory('core');
  try {
    const keys = await makeCoreKeys(join(root, 'keys'));
    const core = await openCore({
      dir: join(root, 'core'),
      deployment: DEPLOYMENT,
      keys,
      clock: new ManualClock(NOW.nowMs),
      log: silentLog,
    });
    const kiosks = Array.from({ length: 10 }, () => new KioskStub(keys));
    const batches = isFull ? 1_000 : 100;
    const random = seededRandom(7);
    const entries: LedgerEntry[] = [];
    for (let i = 0; i < batches; i++) {
      const told = Array.from({ length: 64 }, () => ({ happening: checkIn(newCard()), atMs: NOW.nowMs - Math.floor(random() * DAY_MS) }));
      entries.push(await (kiosks[i % 10] as KioskStub).batch(told, NOW.nowMs));
    }
    const ms = await timed(() => core.accept(entries));
    figures.acceptRowsPerSecond = perSecond(batches * 64, ms);
    core.close();
    say(`accept: ${figures.acceptRowsPerSecond} rows/s verified, opened and kept`);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const perSecond = (count: number, ms: number): number => Math.round((count * 1_000) / ms);

async function timed(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}
