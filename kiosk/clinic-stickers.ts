/**
 * What a desk remembers of the stickers that it took, in RAM, bounded, by a digest: enough to say "already used" without asking anybody. It is
 * a help to the staff and no more: what counts is decided by the core, from what every desk has said.
 */
import { createHash } from 'node:crypto';
import type { StickerLink, StickerResult } from '../protocol/event.ts';
import type { MonotonicMillis } from '../protocol/units.ts';

/**
 * `free`: nothing is known against it. `linked`: to a card. `done`: its result is there. `void`: it was voided. `expired`: it was linked so
 * long ago that no result counts any more.
 */
export type StickerStanding = 'free' | 'linked' | 'done' | 'void' | 'expired';

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

const nameOf = (sticker: Uint8Array): string => createHash('sha256').update(sticker).digest('base64');
