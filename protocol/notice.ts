/**
 * The notice document: lets one kiosk tell whether there is a notice for the card in front of it, and until when, and lets nobody list the
 * cards. Signed with the gateway's receipt key for that one kiosk's topic and retained; a fresh key for each document, so that nothing of
 * one is found in another. What it says of the card's case is nothing: all notices look the same here.
 * Source: docs/protocol.md, "Notices".
 */
import type { KeyObject } from 'node:crypto';
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { readArray, readBytes, readInteger, readMap } from './cbor-read.ts';
import { signSign1, verifySign1 } from './cose.ts';
import { DecodeError } from './errors.ts';
import type { DeploymentId, KioskId, VisitorUuid } from './ids.ts';
import { DIGEST_BYTES, digestFor, FILTER_KEY_BYTES, MARK_BYTES, markNumbers, markRun, marksOf, readMarks } from './marks.ts';
import { type StickerMarks, stickersOfCbor, stickersToCbor } from './sticker-mark.ts';
import { topicOf } from './topics.ts';
import type { EpochMillis } from './units.ts';

/** Of a strange card 20,000 marks of 40 bits take one in 55 million for a noticed one. */
export const MOST_NOTICES = 20_000;
/** 100,000 bytes of marks, and 2,048 ends with less than 16 bytes around each; room for what clinics are told. */
export const LONGEST_NOTICE_BYTES = 196_608;
export const MOST_ENDS = 2_048;
export const GREATEST_NOTICE_VERSION = 2 ** 32 - 1;
/** Ends are told by whole quarters of an hour, so that a document says little of when somebody was shown theirs. */
export const END_STEP_MS = 900_000;

/** The cards whose notices end together. */
export interface NoticeGroup {
  /** From then on there is no notice for them; a whole quarter of an hour. */
  readonly endsAtMs: EpochMillis;
  /** 5 bytes a card, ascending, each once. */
  readonly marks: Uint8Array;
}

export interface NoticeDocument {
  /** 1 to 2^32 - 1; of one kiosk, stepping up with each document that is signed for it. */
  readonly version: number;
  readonly issuedAtMs: EpochMillis;
  readonly expiresAtMs: EpochMillis;
  /** 32 random bytes, of this document alone. */
  readonly key: Uint8Array;
  /** By their end, ascending. */
  readonly groups: readonly NoticeGroup[];
  /** For a clinic's kiosk alone: which stickers are of no more use. */
  readonly stickers?: StickerMarks;
}

/** A card that there is a notice for, as a gateway knows it. */
export interface Noticed {
  /** 16 bytes, of `noticeDigestOf`. */
  readonly digest: Uint8Array;
  /** A whole quarter of an hour. */
  readonly endsAtMs: EpochMillis;
}

interface NoticePlace {
  readonly deployment: DeploymentId;
  readonly kiosk: KioskId;
}

const KEY = { version: 0, issuedAt: 1, expiresAt: 2, key: 3, groups: 4, stickers: 65 } as const;
/** What a kiosk need not know: it passes over keys from here on, and refuses a document with any other that it does not know. */
const FIRST_PASSABLE_KEY = 64;
const KNOWN: ReadonlySet<number> = new Set(Object.values(KEY));
const LATEST_MS = 253_402_300_799_999;

/** @returns 16 bytes: what leaves the core in a card's place. Who has the card can find it here; it leads back to no card. */
export const noticeDigestOf = (card: VisitorUuid): Uint8Array => digestFor('vestibule-notice-1', card);

/** @returns the last whole quarter of an hour up to `atMs`: a notice may end a little early, and never late. */
export const endStep = (atMs: number): EpochMillis => (Math.floor(atMs / END_STEP_MS) * END_STEP_MS) as EpochMillis;

/** Noticed cards, laid out once for the documents of many kiosks: the digests of those whose notices end together, one behind the other. */
export type NoticeRuns = readonly { readonly endsAtMs: EpochMillis; readonly digests: Uint8Array }[];

/** @param noticed each card once, at most MOST_NOTICES, in any order. @returns by their end, ascending. */
export function layOutNotices(noticed: readonly Noticed[]): NoticeRuns {
  const byEnd = [...Map.groupBy(noticed, ({ endsAtMs }) => endsAtMs)].sort(([a], [b]) => a - b);
  return byEnd.map(([endsAtMs, some]) => ({ endsAtMs, digests: new Uint8Array(Buffer.concat(some.map(({ digest }) => digest))) }));
}

/** @param key 32 random bytes. @returns the same groups for the same cards and key. */
export const groupNotices = (runs: NoticeRuns, key: Uint8Array): NoticeGroup[] =>
  runs.map(({ endsAtMs, digests }) => ({ endsAtMs, marks: marksOf(markRun(digests, key)) }));

/** Looks cards up in one document. */
export class NoticeFilter {
  readonly #key: Uint8Array;
  readonly #ends = new Map<number, EpochMillis>();

  /** @throws DecodeError `decode.malformed` for marks that do not ascend. */
  constructor({ key, groups }: Pick<NoticeDocument, 'key' | 'groups'>) {
    this.#key = key;
    // A mark that is there twice stands for two cards that came to the same: the later end is the last one set.
    for (const { endsAtMs, marks } of groups) for (const mark of readMarks(marks, 'notice marks')) this.#ends.set(mark, endsAtMs);
  }

  /** @returns when the notice for this card ends, passed or not; `undefined` when there is none; wrongly not so for one strange card in 55 million. */
  endOf(card: VisitorUuid): EpochMillis | undefined {
    if (this.#ends.size === 0) return undefined;
    const [mark = Number.NaN] = markNumbers([noticeDigestOf(card)], this.#key);
    return this.#ends.get(mark);
  }
}

/** @returns the signed document, the same for the same content. @throws DecodeError as `openNotice` for one that would not be read. */
export function encodeNotice(document: NoticeDocument, place: NoticePlace, signingKey: KeyObject): Uint8Array {
  const { version, issuedAtMs, expiresAtMs, key, groups, stickers } = document;
  const fields = new Map<number, CborValue>([
    [KEY.version, version],
    [KEY.issuedAt, issuedAtMs],
    [KEY.expiresAt, expiresAtMs],
    [KEY.key, key],
    [KEY.groups, groups.map(({ endsAtMs, marks }) => [endsAtMs, marks])],
  ]);
  if (stickers !== undefined) fields.set(KEY.stickers, stickersToCbor(stickers));
  const payload = encodeCbor(fields);
  decodePayload(payload);
  return signSign1(payload, externalAadOf(place), signingKey);
}

/**
 * Reads a document; whether it is newer than the one held, and still good, is the caller's to say.
 * @param signer.publicKey the gateway's receipt key.
 * @throws SealError `seal.signature` for one that another signed, or that is for another kiosk or deployment; DecodeError when it is none.
 */
export function openNotice(bytes: Uint8Array, signer: NoticePlace & { readonly publicKey: KeyObject }): NoticeDocument {
  const { publicKey } = signer;
  return decodePayload(
    verifySign1(bytes, { externalAad: externalAadOf(signer), publicKey, subject: 'notice', longestBytes: LONGEST_NOTICE_BYTES }),
  );
}

function decodePayload(payload: Uint8Array): NoticeDocument {
  const fields = readMap(decodeCbor(payload, 'notice', LONGEST_NOTICE_BYTES), 'notice');
  for (const key of fields.keys())
    if (!KNOWN.has(key) && key < FIRST_PASSABLE_KEY)
      throw new DecodeError('decode.unsupported', `notice: field ${key} is not known to this version`);
  const issuedAtMs = readTime(fields.get(KEY.issuedAt), 'notice issue');
  const expiresAtMs = readTime(fields.get(KEY.expiresAt), 'notice expiry');
  if (expiresAtMs <= issuedAtMs) throw new DecodeError('decode.malformed', 'notice: expires before it is issued');
  const stickers = fields.get(KEY.stickers);
  return {
    version: readInteger(fields.get(KEY.version), 'notice version', 1, GREATEST_NOTICE_VERSION),
    issuedAtMs,
    expiresAtMs,
    key: readBytes(fields.get(KEY.key), 'notice key', FILTER_KEY_BYTES),
    groups: readGroups(fields.get(KEY.groups)),
    ...(stickers === undefined ? {} : { stickers: stickersOfCbor(stickers) }),
  };
}

function readGroups(value: CborValue | undefined): NoticeGroup[] {
  let lastMs = -1;
  let bytes = 0;
  return readArray(value, 'notice groups', 0, MOST_ENDS).map((group) => {
    const [end, marks] = readArray(group, 'notice group', 2);
    const endsAtMs = readTime(end, 'notice end');
    if (endsAtMs % END_STEP_MS !== 0) throw new DecodeError('decode.malformed', 'notice: an end within a quarter of an hour');
    if (endsAtMs <= lastMs) throw new DecodeError('decode.malformed', 'notice: ends do not ascend');
    lastMs = endsAtMs;
    const read = readBytes(marks, 'notice marks', MARK_BYTES, MOST_NOTICES * MARK_BYTES);
    readMarks(read, 'notice marks');
    bytes += read.length;
    if (bytes > MOST_NOTICES * MARK_BYTES) throw new DecodeError('decode.malformed', `notice: more than ${MOST_NOTICES} marks`);
    return { endsAtMs, marks: read };
  });
}

const readTime = (value: CborValue | undefined, subject: string): EpochMillis => readInteger(value, subject, 0, LATEST_MS) as EpochMillis;

const externalAadOf = ({ deployment, kiosk }: NoticePlace): Uint8Array =>
  encodeCbor(['vestibule-notice-1', deployment, topicOf(kiosk, 'notice')]);

/** Of the digests of `noticeDigestOf`. */
export const NOTICE_DIGEST_BYTES = DIGEST_BYTES;
