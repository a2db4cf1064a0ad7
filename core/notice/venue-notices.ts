/** What a venue is told of a case: when it was there and how busy it was then, for cleaning and airing. By whole hours, and of nobody. */
import type { VisitStore } from '../store.ts';
import { CardTable } from '../trace/card-table.ts';
import { eachMet } from '../trace/encounters.ts';
import type { TracedCase, TracePolicy } from '../trace/trace.ts';
import type { Turns } from '../trace/turns.ts';
import type { VenueNotice } from './notice-book.ts';

const HOUR_MS = 3_600_000;
/** Fewer visitors than this are not told: who was there would know of whom it speaks. */
export const FEWEST_TOLD = 5;

/** @returns one for each visit of the case in the far window, those of one venue that begin in the same hour together. @throws as `trace`. */
export async function venueNoticesOf(
  store: VisitStore,
  { card, anchorMs, nowMs, policy }: TracedCase & { readonly nowMs: number; readonly policy: TracePolicy },
  turns: Turns,
): Promise<VenueNotice[]> {
  const toMs = Math.min(anchorMs, nowMs);
  const window = { fromMs: toMs - policy.farWindowMs, toMs };
  const told = new Map<string, VenueNotice>();
  for (const visit of store.visitsOf(card, window)) {
    if (turns.isOver) await turns.next();
    const { possible, certain, venue } = visit;
    const fromMs = Math.max(possible.fromMs, window.fromMs);
    const untilMs = Math.min(possible.toMs, toMs);
    if (untilMs <= fromMs) continue;
    const own = new CardTable();
    own.number(card, 0);
    eachMet(store, { visit, span: possible, certain, minimumMs: 1, nowMs, window }, ({ columns: { names } }, index) => {
      own.number(names, index * 16);
    });
    const met = own.size - 1;
    const notice = { venue, fromMs: Math.floor(fromMs / HOUR_MS) * HOUR_MS, toMs: Math.ceil(untilMs / HOUR_MS) * HOUR_MS };
    const name = `${venue}/${notice.fromMs}`;
    const before = told.get(name);
    told.set(name, {
      ...notice,
      toMs: Math.max(notice.toMs, before?.toMs ?? 0),
      visitors: met >= FEWEST_TOLD ? Math.max(met, before?.visitors ?? 0) : before?.visitors,
    });
  }
  return [...told.values()];
}
