/**
 * What a core tells a gateway of whom there are notices for, and which stickers are of no more use: digests and ends, a page at a time, and
 * afterwards what changed. As JSON for a gateway on another machine.
 * Source: docs/ledger-entries.md, "Notices".
 */
import { z } from 'zod';
import { DecodeError } from './errors.ts';
import { END_STEP_MS, NOTICE_DIGEST_BYTES, type Noticed } from './notice.ts';
import { STICKER_END_STEP_MS, TOLD_STANDINGS, type ToldSticker } from './sticker-mark.ts';
import type { EpochMillis } from './units.ts';

export interface News<Item> {
  /** Up to where this tells: to ask with the next time. Says nothing else. */
  readonly version: string;
  /** Whether what was told before is to be forgotten: it begins anew. */
  readonly isAnew: boolean;
  /** Whether more is to be asked for at once; only then all is told. */
  readonly hasMore: boolean;
  /** What stands now, or stands otherwise than before. */
  readonly noticed: readonly Item[];
  /** Digests of those of whom there is nothing to tell any more. */
  readonly withdrawn: readonly Uint8Array[];
}

/** For whom there is a notice, and until when. */
export type NoticeNews = News<Noticed>;
/** Which stickers are of no more use. */
export type StickerNews = News<ToldSticker>;

/** Path of a core's intake; what was told last goes in the query as `after`. */
export const NOTICES_PATH = '/api/1/notices';
/** The same, of stickers. */
export const STICKERS_PATH = '/api/1/stickers';
/** How long an asker is kept waiting for something new. */
export const NEWS_WAIT_MS = 20_000;
/** Of a page: 46,000 bytes of base64. */
export const MOST_IN_PAGE = 1_500;
export const VERSION_FORM = /^[0-9a-f]{16}-(0|[1-9]\d{0,15})$/;

const END_BYTES = 6;
const LONGEST_RECORD_BYTES = NOTICE_DIGEST_BYTES + END_BYTES + 1;

/** What comes behind the digest in a record. */
interface RecordForm<Item> {
  readonly moreBytes: number;
  readonly write: (item: Item, into: Buffer) => void;
  readonly read: (digest: Uint8Array, from: Buffer) => Item;
}

const NOTICED: RecordForm<Noticed> = {
  moreBytes: END_BYTES,
  write: ({ endsAtMs }, into) => void into.writeUIntBE(endsAtMs, 0, END_BYTES),
  read: (digest, from) => {
    const endsAtMs = from.readUIntBE(0, END_BYTES) as EpochMillis;
    if (endsAtMs % END_STEP_MS !== 0) throw new DecodeError('decode.malformed', 'notice news: an end within a quarter of an hour');
    return { digest, endsAtMs };
  },
};

const STICKER: RecordForm<ToldSticker> = {
  moreBytes: END_BYTES + 1,
  write: ({ standing, endsAtMs }, into) => {
    into.writeUIntBE(endsAtMs, 0, END_BYTES);
    into.writeUInt8(TOLD_STANDINGS.indexOf(standing), END_BYTES);
  },
  read: (digest, from) => {
    const endsAtMs = from.readUIntBE(0, END_BYTES) as EpochMillis;
    const standing = TOLD_STANDINGS[from.readUInt8(END_BYTES)];
    if (standing === undefined || endsAtMs % STICKER_END_STEP_MS !== 0 || (standing !== 'linked' && endsAtMs !== 0))
      throw new DecodeError('decode.malformed', 'sticker news: an end or a standing that there is not');
    return { digest, standing, endsAtMs };
  },
};

const news = z.strictObject({
  version: z.string().regex(VERSION_FORM),
  isAnew: z.boolean(),
  hasMore: z.boolean(),
  noticed: z.base64().max(Math.ceil((MOST_IN_PAGE * LONGEST_RECORD_BYTES) / 3) * 4),
  withdrawn: z.base64().max(Math.ceil((MOST_IN_PAGE * NOTICE_DIGEST_BYTES) / 3) * 4),
});

/** @returns JSON. */
export const encodeNews = (told: NoticeNews): string => encoded(told, NOTICED);
/** @returns JSON. */
export const encodeStickerNews = (told: StickerNews): string => encoded(told, STICKER);
/** @throws DecodeError `decode.malformed`. */
export const decodeNews = (text: string): NoticeNews => decoded(text, NOTICED);
/** @throws DecodeError `decode.malformed`. */
export const decodeStickerNews = (text: string): StickerNews => decoded(text, STICKER);

function encoded<Item extends { readonly digest: Uint8Array }>(told: News<Item>, { moreBytes, write }: RecordForm<Item>): string {
  const { version, isAnew, hasMore, noticed, withdrawn } = told;
  const recordBytes = NOTICE_DIGEST_BYTES + moreBytes;
  const records = Buffer.alloc(noticed.length * recordBytes);
  for (const [index, item] of noticed.entries()) {
    const record = records.subarray(index * recordBytes, (index + 1) * recordBytes);
    record.set(item.digest);
    write(item, record.subarray(NOTICE_DIGEST_BYTES));
  }
  const base64 = { noticed: records.toString('base64'), withdrawn: Buffer.concat(withdrawn).toString('base64') };
  return JSON.stringify({ version, isAnew, hasMore, ...base64 });
}

function decoded<Item>(text: string, { moreBytes, read }: RecordForm<Item>): News<Item> {
  const parsed = news.safeParse(parse(text));
  if (!parsed.success) throw new DecodeError('decode.malformed', 'notice news: not as they should be');
  const { version, isAnew, hasMore } = parsed.data;
  const noticed = recordsIn(parsed.data.noticed, NOTICE_DIGEST_BYTES + moreBytes).map((record) =>
    read(record.subarray(0, NOTICE_DIGEST_BYTES), Buffer.from(record.subarray(NOTICE_DIGEST_BYTES))),
  );
  return { version, isAnew, hasMore, noticed, withdrawn: recordsIn(parsed.data.withdrawn, NOTICE_DIGEST_BYTES) };
}

function recordsIn(base64: string, lengthBytes: number): Uint8Array[] {
  const bytes = new Uint8Array(Buffer.from(base64, 'base64'));
  if (bytes.length % lengthBytes !== 0) throw new DecodeError('decode.malformed', 'notice news: a record that is cut');
  return Array.from({ length: bytes.length / lengthBytes }, (_, index) => bytes.slice(index * lengthBytes, (index + 1) * lengthBytes));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
