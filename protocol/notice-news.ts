/**
 * What a core tells a gateway of whom there are notices for: digests and ends, a page at a time, and afterwards what changed. As JSON for a
 * gateway on another machine.
 * Source: docs/ledger-entries.md, "Notices".
 */
import { z } from 'zod';
import { DecodeError } from './errors.ts';
import { END_STEP_MS, NOTICE_DIGEST_BYTES, type Noticed } from './notice.ts';
import type { EpochMillis } from './units.ts';

export interface NoticeNews {
  /** Up to where this tells: to ask with the next time. Says nothing else. */
  readonly version: string;
  /** Whether what was told before is to be forgotten: it begins anew. */
  readonly isAnew: boolean;
  /** Whether more is to be asked for at once; only then all is told. */
  readonly hasMore: boolean;
  /** For whom there is a notice, or for whom one ends at another time. */
  readonly noticed: readonly Noticed[];
  /** Digests of those for whom there is none any more. */
  readonly withdrawn: readonly Uint8Array[];
}

/** Path of a core's intake; what was told last goes in the query as `after`. */
export const NOTICES_PATH = '/api/1/notices';
/** How long an asker is kept waiting for something new. */
export const NEWS_WAIT_MS = 20_000;
/** Of a page: 45,000 bytes of base64. */
export const MOST_IN_PAGE = 1_500;
export const VERSION_FORM = /^[0-9a-f]{16}-(0|[1-9]\d{0,15})$/;

const END_BYTES = 6;
const RECORD_BYTES = NOTICE_DIGEST_BYTES + END_BYTES;

const news = z.strictObject({
  version: z.string().regex(VERSION_FORM),
  isAnew: z.boolean(),
  hasMore: z.boolean(),
  noticed: z.base64().max(Math.ceil((MOST_IN_PAGE * RECORD_BYTES) / 3) * 4),
  withdrawn: z.base64().max(Math.ceil((MOST_IN_PAGE * NOTICE_DIGEST_BYTES) / 3) * 4),
});

/** @returns JSON. */
export function encodeNews({ version, isAnew, hasMore, noticed, withdrawn }: NoticeNews): string {
  const records = Buffer.alloc(noticed.length * RECORD_BYTES);
  for (const [index, { digest, endsAtMs }] of noticed.entries()) {
    records.set(digest, index * RECORD_BYTES);
    records.writeUIntBE(endsAtMs, index * RECORD_BYTES + NOTICE_DIGEST_BYTES, END_BYTES);
  }
  const base64 = { noticed: records.toString('base64'), withdrawn: Buffer.concat(withdrawn).toString('base64') };
  return JSON.stringify({ version, isAnew, hasMore, ...base64 });
}

/** @throws DecodeError `decode.malformed`. */
export function decodeNews(text: string): NoticeNews {
  const read = news.safeParse(parse(text));
  if (!read.success) throw new DecodeError('decode.malformed', 'notice news: not as they should be');
  const { version, isAnew, hasMore } = read.data;
  const noticed = recordsIn(read.data.noticed, RECORD_BYTES).map((record) => {
    const endsAtMs = Buffer.from(record).readUIntBE(NOTICE_DIGEST_BYTES, END_BYTES) as EpochMillis;
    if (endsAtMs % END_STEP_MS !== 0) throw new DecodeError('decode.malformed', 'notice news: an end within a quarter of an hour');
    return { digest: record.subarray(0, NOTICE_DIGEST_BYTES), endsAtMs };
  });
  return { version, isAnew, hasMore, noticed, withdrawn: recordsIn(read.data.withdrawn, NOTICE_DIGEST_BYTES) };
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
