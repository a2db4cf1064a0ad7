/** Whose visits overlapped with a card's, each overlap apart and without the air's lingering: what an operator asks. Who was exposed is for core/trace. */
import type { VenueId } from '../protocol/ids.ts';
import { type Day, dayOf } from './day.ts';
import { type CardPseudonym, type ContactPseudonym, contactPseudonym } from './pseudonym.ts';
import type { VisitStore } from './store.ts';
import { eachMet, isCertain, type Sought } from './trace/encounters.ts';
import type { Turns } from './trace/turns.ts';
import type { Span } from './visit.ts';

export const DEFAULT_MINIMUM_OVERLAP_MS = 15 * 60_000;

/** Two visits, one of the card asked about and one of somebody else's, at one venue at one time. */
export interface Contact {
  /** For people to speak of; holds for this venue, day and answer only. */
  readonly contact: ContactPseudonym;
  readonly venue: VenueId;
  /** UTC, of the overlap's start. */
  readonly day: Day;
  /** The longest that they can have been there together. */
  readonly overlapMs: number;
  /** Whether the minimum is reached whatever the clocks were. A dwell that had to be presumed is taken as it is. */
  readonly isCertain: boolean;
  /** How many people were in on the other card: 1, or more for a group. */
  readonly groupSize: number;
  /** Whether one of the two visits rests on a scan that the gateway's triage doubts: to be weighed less, and never left out. */
  readonly isDoubtful: boolean;
  /** 1 for the overlap that started first. */
  readonly order: number;
}

export interface OverlapQuestion {
  /** 1 or more. */
  readonly minimumOverlapMs: number;
  /** When it is asked: nobody has been anywhere together any later, however long a visit that goes on may still last. */
  readonly nowMs: number;
  /** 32 random bytes, for this answer alone. */
  readonly answerKey: Uint8Array;
}

const ALWAYS: Span = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY };

/**
 * Others have their turn meanwhile.
 * @returns every contact of a card, by the overlap's start.
 * @throws StoreError of a day that can not be read; the reason of the signal that `turns` was given, when it is aborted.
 */
export async function contactsOf(store: VisitStore, card: CardPseudonym, question: OverlapQuestion, turns: Turns): Promise<Contact[]> {
  const done = await store.makeReady(ALWAYS, turns);
  try {
    return await contactsReady(store, card, question, turns);
  } finally {
    done();
  }
}

async function contactsReady(store: VisitStore, card: CardPseudonym, question: OverlapQuestion, turns: Turns): Promise<Contact[]> {
  const { minimumOverlapMs, nowMs, answerKey } = question;
  const found: (Omit<Contact, 'order' | 'contact'> & { startMs: number; other: CardPseudonym })[] = [];
  for (const visit of store.visitsOf(card, ALWAYS)) {
    if (turns.isOver) await turns.next();
    const { venue, possible: span, certain } = visit;
    const sought: Sought = { visit, span, certain, minimumMs: minimumOverlapMs, nowMs, window: ALWAYS };
    eachMet(store, sought, (block, index, startMs, endMs) => {
      const { names, doubts, groupSizes } = block.columns;
      const other = names.slice(index * 16, index * 16 + 16) as CardPseudonym;
      if (Buffer.compare(other, card) === 0) return;
      const day = dayOf(startMs);
      found.push({
        other,
        venue,
        day,
        overlapMs: endMs - startMs,
        isCertain: isCertain(sought, block, index),
        groupSize: groupSizes[index] ?? 1,
        isDoubtful: visit.isDoubtful || doubts[index] === 1,
        startMs,
      });
    });
  }
  const named: (Omit<Contact, 'order'> & { startMs: number })[] = [];
  for (const { other, ...one } of found) {
    if (turns.isOver) await turns.next();
    named.push({ ...one, contact: contactPseudonym(answerKey, other, one.venue, one.day) });
  }
  named.sort((a, b) => a.startMs - b.startMs || (a.contact < b.contact ? -1 : 1));
  return named.map(({ startMs: _, ...contact }, i) => ({ ...contact, order: i + 1 }));
}
