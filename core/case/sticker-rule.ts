/**
 * What holds of one sticker, from all that was ever said of it: a function of the set, whatever came first, late or twice. Pure.
 *
 * - The first link, by the time it was made, is its link. Another card's later link changes nothing, and is a conflict.
 * - A result counts up to a bounded time after the link; the first that counts stands. Another word later is a conflict.
 * - Void outweighs all: a sticker that was voided is of no use before or after.
 */
import { RESULTS, type TestResult } from '../../protocol/event.ts';

export interface Link {
  /** The card's name in the store, as text. */
  readonly card: string;
  readonly atMs: number;
}

export interface Result {
  readonly result: TestResult;
  readonly atMs: number;
}

export interface StickerVerdict<L extends Link = Link, R extends Result = Result> {
  /** `expired`: a result came, and too late. */
  readonly state: 'unused' | 'linked' | 'expired' | TestResult;
  readonly link: L | undefined;
  /** The result that stands; `undefined` also when it is void. */
  readonly result: R | undefined;
  /** Linked to two cards, or recorded as positive and as negative. */
  readonly isConflicting: boolean;
}

/** @param lifeMs how long after its link a result counts. */
export function judgeSticker<L extends Link, R extends Result>(
  links: readonly L[],
  results: readonly R[],
  lifeMs: number,
): StickerVerdict<L, R> {
  const link = links.toSorted((a, b) => a.atMs - b.atMs || compare(a.card, b.card))[0];
  const counted = results
    .filter(({ result, atMs }) => result !== 'void' && (link === undefined || atMs <= link.atMs + lifeMs))
    .toSorted((a, b) => a.atMs - b.atMs || RESULTS.indexOf(a.result) - RESULTS.indexOf(b.result));
  const isConflicting = links.some(({ card }) => card !== link?.card) || counted.some(({ result }) => result !== counted[0]?.result);
  if (results.some(({ result }) => result === 'void')) return { state: 'void', link, result: undefined, isConflicting };
  const [result] = counted;
  if (result !== undefined) return { state: result.result, link, result, isConflicting };
  const state = results.length > 0 ? 'expired' : link === undefined ? 'unused' : 'linked';
  return { state, link, result: undefined, isConflicting };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
