/**
 * Cards that their holders took back, as one kiosk is told of them: marks of their tombstones under the key of its lost-card filter. It knows
 * such a card when it is shown, and can list none.
 * Source: docs/protocol.md, "Policy".
 */
import type { VisitorUuid } from './ids.ts';
import { FILTER_KEY_BYTES, MARK_BYTES, markNumbers, marksOf, readMarks } from './marks.ts';
import { TombstoneNames } from './tombstone.ts';

/**
 * The newest: 7,500 bytes of marks. What an older one leaves at a kiosk is past its time there, and the gateway refuses all of them for good.
 */
export const MOST_REVOKED_CARDS = 1_500;

export interface RevokedCards {
  /** 32 bytes: what a card's tombstone is made with. */
  readonly tombstoneKey: Uint8Array;
  /** 5 bytes a card, ascending, each once. */
  readonly marks: Uint8Array;
}

/** @param tombstones 16 bytes each, at most MOST_REVOKED_CARDS. @param key of the kiosk's filter. @returns a policy's part about them; nothing for none. */
export const makeRevokedCards = (
  tombstones: readonly Uint8Array[],
  tombstoneKey: Uint8Array,
  key: Uint8Array,
): { readonly revokedCards?: RevokedCards } =>
  tombstones.length === 0 ? {} : { revokedCards: { tombstoneKey, marks: marksOf(markNumbers(tombstones, key)) } };

/** @returns whether a card was taken back; wrongly so for one strange card in seven hundred million. */
export function revokedTest({ tombstoneKey, marks }: RevokedCards, key: Uint8Array): (card: VisitorUuid) => boolean {
  const names = new TombstoneNames(tombstoneKey);
  const held = new Set(readMarks(marks, 'revoked cards'));
  return (card) => held.has(markNumbers([names.of(card)], key)[0] ?? Number.NaN);
}

/** @throws DecodeError `decode.malformed` unless the marks are whole, and ascend. */
export function checkRevoked(marks: Uint8Array): Uint8Array {
  readMarks(marks, 'revoked cards');
  return marks;
}

export const REVOKED_KEY_BYTES = FILTER_KEY_BYTES;
export const LONGEST_REVOKED_BYTES = MOST_REVOKED_CARDS * MARK_BYTES;
