/**
 * What clinics' desks are told of stickers, so that one that was used, voided or has expired is refused at each of them, offline too: marks, as
 * of noticed cards, in the notice document of a clinic's kiosk. Nobody can list the stickers, nor learn whose they are or what a test showed.
 * Source: docs/protocol.md, "Notices".
 */
import type { CborValue } from './cbor.ts';
import { readArray, readBytes, readInteger } from './cbor-read.ts';
import { DecodeError } from './errors.ts';
import { digestFor, MARK_BYTES, markNumbers, marksOf, readMarks } from './marks.ts';
import type { EpochMillis } from './units.ts';

/** What a core says of one: linked to a card, its result is there, or out of use. */
export const TOLD_STANDINGS = ['linked', 'done', 'void'] as const;
export type ToldStanding = (typeof TOLD_STANDINGS)[number];

/** `free`: nothing is known against it. `expired`: it was linked so long ago that no result counts any more. */
export type StickerStanding = 'free' | 'expired' | ToldStanding;

export interface ToldSticker {
  /** 16 bytes, of `stickerDigestOf`. */
  readonly digest: Uint8Array;
  readonly standing: ToldStanding;
  /** Of a linked one: from then on no result counts for it, a whole hour; else 0. */
  readonly endsAtMs: EpochMillis;
}

/** Under the key of a notice document; 5 bytes a sticker, ascending, each once. */
export interface StickerMarks {
  readonly done: Uint8Array;
  readonly voided: Uint8Array;
  /** By their end, ascending. */
  readonly linked: readonly { readonly endsAtMs: EpochMillis; readonly marks: Uint8Array }[];
}

/** The latest ones, where there are more: of a strange sticker so many marks take one in 109 million for a used one. */
export const MOST_STICKERS = 10_000;
/** A link is told for three weeks at most, by the hour. */
export const MOST_STICKER_ENDS = 1_024;
export const STICKER_END_STEP_MS = 3_600_000;
const LATEST_MS = 253_402_300_799_999;

/** @returns 16 bytes: what leaves the core in a sticker's place. */
export const stickerDigestOf = (sticker: Uint8Array): Uint8Array => digestFor('vestibule-sticker-1', sticker);

/** @returns the first whole hour from `atMs` on: a desk may take a little too long for a test, and the core knows. */
export const stickerEnd = (atMs: number): EpochMillis => (Math.ceil(atMs / STICKER_END_STEP_MS) * STICKER_END_STEP_MS) as EpochMillis;

/** @param told each sticker once, at most MOST_STICKERS. @param key 32 bytes, the document's. */
export function markStickers(told: readonly ToldSticker[], key: Uint8Array): StickerMarks {
  const marks = (some: readonly ToldSticker[]): Uint8Array =>
    marksOf(
      markNumbers(
        some.map(({ digest }) => digest),
        key,
      ),
    );
  const by = Map.groupBy(told, ({ standing }) => standing);
  const byEnd = Map.groupBy(by.get('linked') ?? [], ({ endsAtMs }) => endsAtMs);
  return {
    done: marks(by.get('done') ?? []),
    voided: marks(by.get('void') ?? []),
    linked: [...byEnd].sort(([a], [b]) => a - b).map(([endsAtMs, some]) => ({ endsAtMs, marks: marks(some) })),
  };
}

/** Looks stickers up in one document. */
export class StickerFilter {
  readonly #key: Uint8Array;
  readonly #standings = new Map<number, ToldStanding>();
  readonly #ends = new Map<number, EpochMillis>();

  /** @throws DecodeError `decode.malformed` for marks that do not ascend. */
  constructor(key: Uint8Array, { done, voided, linked }: StickerMarks) {
    this.#key = key;
    for (const { endsAtMs, marks } of linked)
      for (const mark of readMarks(marks, SUBJECT)) {
        this.#standings.set(mark, 'linked');
        this.#ends.set(mark, endsAtMs);
      }
    for (const mark of readMarks(done, SUBJECT)) this.#standings.set(mark, 'done');
    for (const mark of readMarks(voided, SUBJECT)) this.#standings.set(mark, 'void');
  }

  /** @param sticker 16 bytes. */
  standing(sticker: Uint8Array, nowMs: number): StickerStanding {
    if (this.#standings.size === 0) return 'free';
    const [mark = Number.NaN] = markNumbers([stickerDigestOf(sticker)], this.#key);
    const standing = this.#standings.get(mark) ?? 'free';
    return standing === 'linked' && nowMs >= (this.#ends.get(mark) ?? Number.POSITIVE_INFINITY) ? 'expired' : standing;
  }
}

export const stickersToCbor = ({ done, voided, linked }: StickerMarks): CborValue => [
  done,
  voided,
  linked.map(({ endsAtMs, marks }) => [endsAtMs, marks]),
];

/** @throws DecodeError `decode.malformed`, and as the readers do. */
export function stickersOfCbor(value: CborValue): StickerMarks {
  const [done, voided, groups] = readArray(value, SUBJECT, 3);
  let left = MOST_STICKERS * MARK_BYTES;
  const marksIn = (marks: CborValue | undefined, least: number): Uint8Array => {
    const read = readBytes(marks, SUBJECT, least, MOST_STICKERS * MARK_BYTES);
    readMarks(read, SUBJECT);
    left -= read.length;
    if (left < 0) throw new DecodeError('decode.malformed', `${SUBJECT}: more than ${MOST_STICKERS}`);
    return read;
  };
  const read = { done: marksIn(done, 0), voided: marksIn(voided, 0) };
  let lastMs = -1;
  const linked = readArray(groups, SUBJECT, 0, MOST_STICKER_ENDS).map((group) => {
    const [end, marks] = readArray(group, SUBJECT, 2);
    const endsAtMs = readInteger(end, 'sticker end', 0, LATEST_MS) as EpochMillis;
    if (endsAtMs % STICKER_END_STEP_MS !== 0 || endsAtMs <= lastMs)
      throw new DecodeError('decode.malformed', `${SUBJECT}: ends that are no whole hours, or do not ascend`);
    lastMs = endsAtMs;
    return { endsAtMs, marks: marksIn(marks, MARK_BYTES) };
  });
  return { ...read, linked };
}

const SUBJECT = 'sticker marks';
