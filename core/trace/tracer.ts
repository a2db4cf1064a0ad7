/**
 * Traces one case: whom it met, whom those met, and where it may have been infected itself. Pure over a store that is read; the definitions
 * are in docs/tracing.md.
 */
import { TraceError } from '../../protocol/errors.ts';
import type { CardVisit, VisitStore } from '../store.ts';
import type { Span } from '../visit.ts';
import { CardTable } from './card-table.ts';
import { eachMet, isCertain, type Sought } from './encounters.ts';
import { isEarlier, type Met, meetingOf, weightier } from './meetings.ts';
import type { BackwardCluster, Exposure, Meeting, TracedCase, TracePolicy } from './trace.ts';
import type { Turns } from './turns.ts';

export interface TraceQuestion extends TracedCase {
  /** When it is asked. */
  readonly nowMs: number;
  readonly policy: TracePolicy;
  /** 1 for the first order alone; 2 when not given. */
  readonly mostOrder?: 1 | 2;
  /** That it tells of; `MOST_CARDS` when not given. */
  readonly mostCards?: number;
}

/**
 * Five times as many as gateways can be told of (`MOST_NOTICES`); some 300 MB. Counted, as a heap's limit is no bound: a thread that reaches it
 * takes the whole process with it, now and then (docs/decisions/0045-trace-thread.md).
 */
export const MOST_CARDS = 100_000;

export interface Traced {
  /** High before medium, the first order before the second. */
  readonly exposures: readonly Exposure[];
  /** Visits that were compared. */
  readonly lookedAt: number;
}

/** What is known of a card that met the case. */
interface First {
  readonly meetings: Met[];
  isHigh: boolean;
  /** The earliest of those that make it a person between; `undefined` where none does. */
  between: Met | undefined;
}

interface Second {
  met: Met;
  between: number;
}

/** @throws StoreError; TraceError `trace.too_large` past `mostCards`; the reason of the signal that `turns` was given, when it is aborted. */
export async function trace(store: VisitStore, question: TraceQuestion, turns: Turns): Promise<Traced> {
  const { anchorMs, nowMs, policy } = question;
  const done = await store.makeReady(reach(store, { fromMs: anchorMs - policy.farWindowMs, toMs: Math.min(anchorMs, nowMs) }), turns);
  try {
    return await traceReady(store, question, turns);
  } finally {
    done();
  }
}

async function traceReady(store: VisitStore, question: TraceQuestion, turns: Turns): Promise<Traced> {
  const { card, nowMs, policy, mostOrder = 2, mostCards = MOST_CARDS } = question;
  const anchorMs = Math.min(question.anchorMs, nowMs);
  const high: Span = { fromMs: anchorMs - policy.highWindowMs, toMs: anchorMs };
  const far: Span = { fromMs: anchorMs - policy.farWindowMs, toMs: anchorMs };
  const cards = new CardTable();
  cards.number(card, 0);
  const firsts: (First | undefined)[] = [undefined];
  let lookedAt = 0;

  const shortestMs = Math.min(policy.minimumOverlapMs, policy.mediumMinimumOverlapMs);
  const refuseTooMany = (): void => {
    if (cards.size > mostCards) throw new TraceError('trace.too_large', `trace: more than ${mostCards} cards were exposed`);
  };
  for (const visit of store.visitsOf(card, reach(store, far))) {
    if (turns.isOver) await turns.next();
    refuseTooMany();
    const sought = infectorOf(visit, nowMs, shortestMs, far);
    lookedAt += eachMet(store, sought, (block, index, fromMs, toMs) => {
      const number = cards.number(block.columns.names, index * 16);
      if (number === 0) return;
      let first = firsts[number];
      if (first === undefined) {
        first = { meetings: [], isHigh: false, between: undefined };
        firsts[number] = first;
      }
      const met: Met = { sought, block, index, fromMs, toMs, isCertain: false };
      const isInHigh = toMs >= high.fromMs;
      if (toMs - fromMs >= policy.minimumOverlapMs) {
        first.meetings.push(met);
        first.isHigh ||= isInHigh;
      }
      if (isInHigh && toMs - fromMs >= policy.mediumMinimumOverlapMs && isEarlier(met, first.between)) first.between = met;
    });
  }

  const seconds = new Map<number, Second>();
  const known = cards.size;
  for (let number = 1; number < known && mostOrder > 1; number++) {
    const between = firsts[number]?.between;
    if (between === undefined) continue;
    // Before they met the case they could hand nothing on.
    const window: Span = { fromMs: Math.max(high.fromMs, between.fromMs + 1), toMs: high.toMs };
    for (const visit of store.visitsOf(cards.name(number), reach(store, window))) {
      if (turns.isOver) await turns.next();
      refuseTooMany();
      const sought = infectorOf(visit, nowMs, policy.mediumMinimumOverlapMs, window);
      lookedAt += eachMet(store, sought, (block, index, fromMs, toMs) => {
        const third = cards.number(block.columns.names, index * 16);
        if (third === 0 || third === number || (firsts[third]?.meetings.length ?? 0) > 0) return;
        const met: Met = { sought, block, index, fromMs, toMs, isCertain: isCertain(sought, block, index) };
        const held = seconds.get(third);
        if (held === undefined) seconds.set(third, { met, between: number });
        else if (weightier({ met, between: () => cards.name(number) }, { met: held.met, between: () => cards.name(held.between) })) {
          held.met = met;
          held.between = number;
        }
      });
    }
  }
  refuseTooMany();
  return { exposures: await exposuresOf({ cards, firsts, seconds, policy }, turns), lookedAt };
}

interface Found {
  readonly cards: CardTable;
  readonly firsts: readonly (First | undefined)[];
  readonly seconds: ReadonlyMap<number, Second>;
  readonly policy: TracePolicy;
}

async function exposuresOf({ cards, firsts, seconds, policy }: Found, turns: Turns): Promise<Exposure[]> {
  const [high, medium, second]: [Exposure[], Exposure[], Exposure[]] = [[], [], []];
  for (const [number, first] of firsts.entries()) {
    if (turns.isOver) await turns.next();
    const [earliest, ...others] = (first?.meetings ?? [])
      .map((met) => meetingOf(met, policy.minimumOverlapMs))
      .sort((a, b) => a.span.fromMs - b.span.fromMs || a.span.toMs - b.span.toMs);
    if (first === undefined || earliest === undefined) continue;
    const priority = first.isHigh ? 'high' : 'medium';
    const exposure: Exposure = { card: cards.name(number), priority, order: 1, meetings: [earliest, ...others] };
    if (first.isHigh) high.push(exposure);
    else medium.push(exposure);
  }
  const vias = new Map<number, Meeting>();
  for (const [number, { met, between }] of seconds) {
    if (turns.isOver) await turns.next();
    const first = firsts[between]?.between;
    let meeting = vias.get(between);
    if (meeting === undefined && first !== undefined) {
      meeting = meetingOf(first, policy.mediumMinimumOverlapMs);
      vias.set(between, meeting);
    }
    const via = meeting && { card: cards.name(between), meeting };
    const meetings = [meetingOf(met, policy.mediumMinimumOverlapMs)] as const;
    second.push({ card: cards.name(number), priority: 'medium', order: 2, meetings: [...meetings], ...(via && { via }) });
  }
  return [...high, ...medium, ...second];
}

/** @returns where a case met whom it may have been infected by, each of its visits apart, by their start. @throws as `trace`. */
export async function backwardClusters(
  store: VisitStore,
  question: TraceQuestion & { readonly isCase: (names: Uint8Array, at: number) => boolean },
  turns: Turns,
): Promise<BackwardCluster[]> {
  const { card, nowMs, policy, isCase } = question;
  const anchorMs = Math.min(question.anchorMs, nowMs);
  const window: Span = { fromMs: anchorMs - policy.backwardWindowMs, toMs: anchorMs };
  const done = await store.makeReady(reach(store, window), turns);
  try {
    const own = new CardTable();
    own.number(card, 0);
    const clusters: BackwardCluster[] = [];
    for (const visit of store.visitsOf(card, window)) {
      if (turns.isOver) await turns.next();
      const { possible, certain } = visit;
      const sought: Sought = { visit, span: possible, certain, minimumMs: policy.minimumOverlapMs, nowMs, window, isBackward: true };
      const met = new CardTable();
      let cases = 0;
      eachMet(store, sought, ({ columns: { names } }, index) => {
        if (own.find(names, index * 16) === 0 || met.find(names, index * 16) >= 0) return;
        met.number(names, index * 16);
        if (isCase(names, index * 16)) cases += 1;
      });
      const span = { fromMs: possible.fromMs, toMs: Math.min(possible.toMs, nowMs) };
      if (met.size > 0) clusters.push({ venue: visit.venue, span, visitors: met.size, cases });
    }
    return clusters.sort((a, b) => a.span.fromMs - b.span.fromMs || (a.venue < b.venue ? -1 : 1));
  } finally {
    done();
  }
}

/** A visit whose meetings can touch `window` touches this: the air may linger after it. */
const reach = ({ mostLingeringMs }: VisitStore, { fromMs, toMs }: Span): Span => ({ fromMs: fromMs - mostLingeringMs, toMs });

function infectorOf(visit: CardVisit, nowMs: number, minimumMs: number, window: Span): Sought {
  const { possible, certain, lingeringMs } = visit;
  return {
    visit,
    span: { fromMs: possible.fromMs, toMs: possible.toMs + lingeringMs },
    certain: certain && { fromMs: certain.fromMs, toMs: certain.toMs + lingeringMs },
    minimumMs,
    nowMs,
    window,
  };
}
