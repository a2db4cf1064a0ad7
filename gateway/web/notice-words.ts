/** How notices and revocations are on their way from cores to kiosks: counts, and since when a core is not heard. Never a card. */
import type { NoticeSummary } from '../notice/notice-desk.ts';
import type { Registry } from '../registry.ts';
import type { WordsFor } from './error-words.ts';
import { plural } from './kiosk-words.ts';
import type { GatewayView, Trouble } from './schema.ts';

/** A core that is started anew is back within that. */
const PATIENCE_MS = 15 * 60_000;
const LONG_MS = 3_600_000;

/** @returns `undefined` before it was looked. */
export function noticesOf(summary: NoticeSummary | undefined, words: WordsFor): GatewayView['notices'] {
  if (summary === undefined) return undefined;
  const { unheard, unheardSinceMs, cards, leftOut, kiosks, told } = summary;
  const standing = Object.entries(unheard).map(([sink, code]) => ({
    sink,
    code,
    why: words(code).meaning,
    sinceMs: unheardSinceMs[sink] ?? 0,
  }));
  return { cards, leftOut, kiosks, told, unheard: standing };
}

/** @returns how many cards their holders took back, and of how many something is still to be done here or at a kiosk. @throws StoreError. */
export function takenBackOf({ erasedCards }: Pick<Registry, 'erasedCards'>): GatewayView['takenBack'] {
  const all = erasedCards.all();
  return { cards: all.length, pending: all.filter(({ erasedAtMs, unheard }) => erasedAtMs === undefined || unheard.length > 0).length };
}

export function noticeTroubles(notices: GatewayView['notices'], nowMs: number): Trouble[] {
  const unheard = (notices?.unheard ?? []).filter(({ sinceMs }) => nowMs - sinceMs >= PATIENCE_MS);
  const standing = unheard.map(({ sink, code, why, sinceMs }): Trouble => {
    const text = `Notices from ${sink === 'core' ? 'the tracing core' : sink} stand still: ${why}`;
    const advice = 'Kiosks go on with those that they have. Who is to be told since is not: see to that core.';
    return { tone: nowMs - sinceMs < LONG_MS ? 'look' : 'act', text, advice, code, sinceMs };
  });
  if (notices === undefined || notices.leftOut === 0) return standing;
  const text = `There are notices for ${plural(notices.leftOut, 'card', 'cards')} more than a kiosk can be told of.`;
  return [...standing, { tone: 'look', text, advice: 'Those that end last are told.' }];
}
