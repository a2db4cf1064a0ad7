/**
 * What a desk remembers of the stickers that it took, in RAM, bounded, by a digest: it knows at once what its gateway tells every desk a little
 * later. It is a help to the staff and no more: what counts is decided by the core, from what every desk has said.
 */
import { createHash } from 'node:crypto';
import type { StickerLink, StickerResult } from '../protocol/event.ts';
import type { StickerStanding } from '../protocol/sticker-mark.ts';
import type { MonotonicMillis } from '../protocol/units.ts';

interface Seen {
  readonly standing: 'linked' | 'done' | 'void';
  readonly atMs: MonotonicMillis;
}

/** A desk that takes one a minute for three weeks. */
const MOST_STICKERS = 30_000;

export class StickerMemory {
  readonly #seen = new Map<string, Seen>();

  /** @param lifeMs how long after its link a result counts. @returns what this desk knows of a sticker. */
  standing(sticker: Uint8Array, lifeMs: number, atMs: MonotonicMillis): StickerStanding {
    const seen = this.#seen.get(nameOf(sticker));
    if (seen === undefined) return 'free';
    return seen.standing === 'linked' && atMs - seen.atMs > lifeMs ? 'expired' : seen.standing;
  }

  /** Past its bound, the sticker taken longest ago is forgotten. */
  note(taken: StickerLink | StickerResult, atMs: MonotonicMillis): void {
    const name = nameOf(taken.sticker);
    this.#seen.delete(name);
    this.#seen.set(name, { standing: standingAfter(taken), atMs });
    const oldest = this.#seen.size > MOST_STICKERS ? this.#seen.keys().next().value : undefined;
    if (oldest !== undefined) this.#seen.delete(oldest);
  }
}

function standingAfter(taken: StickerLink | StickerResult): Seen['standing'] {
  if (taken.type === 'sticker-link') return 'linked';
  return taken.result === 'void' ? 'void' : 'done';
}

/** By how little use a sticker is. */
const ORDER: readonly StickerStanding[] = ['free', 'linked', 'expired', 'done', 'void'];

/** @returns what weighs more of what this desk knows and what all desks are told. */
export const worseStanding = (one: StickerStanding, other: StickerStanding): StickerStanding =>
  ORDER.indexOf(one) >= ORDER.indexOf(other) ? one : other;

const nameOf = (sticker: Uint8Array): string => createHash('sha256').update(sticker).digest('base64');
