/**
 * What a core tells a gateway of cards that their holders took back, and what the gateway tells of them in return: JSON over the intake's own
 * connection. Each gateway is told of all; what one says is of itself alone.
 * Source: docs/ledger-entries.md, "Cards that were taken back".
 */
import { z } from 'zod';
import { DecodeError } from './errors.ts';
import { LONGEST_PROOF_BYTES } from './holder.ts';
import { type News, VERSION_FORM } from './notice-news.ts';
import { TOMBSTONE_BYTES } from './tombstone.ts';

/** Path of a core's intake: GET tells what was taken back, what was told last in the query as `after`; POST takes a report. */
export const REVOCATIONS_PATH = '/api/1/revocations';
/** Where what a holder asks at a kiosk is answered: as the holder's page asks it (protocol/holder.ts), by way of the kiosk's gateway. */
export const HOLDER_CHALLENGE_AT_CORE = '/api/1/holder/challenge';
export const HOLDER_ASK_AT_CORE = '/api/1/holder/ask';
/** Of a page. */
export const MOST_TOLD = 48;
/** Of one report. */
export const MOST_KNOWN = 4_096;
export const MOST_PROGRESS = 256;

/** A card that its holder took back, as a gateway is told of it. */
export interface ToldRevocation {
  /** The holder's proof (protocol/holder.ts): the gateway looks at it itself. */
  readonly proof: string;
  /** 16 bytes: the core's tombstone for it, which says nothing of the card. */
  readonly digest: Uint8Array;
}

/** Nothing of it is ever withdrawn. */
export type RevocationNews = News<ToldRevocation>;

/** How far one tier is with a card: `done` places of `of`. */
export interface TierProgress {
  readonly tier: (typeof TIERS)[number];
  readonly done: number;
  readonly of: number;
}

export interface RevocationReport {
  /** Tombstones of the core that the gateway has seen: a core that was brought back from a backup erases again. */
  readonly known: readonly Uint8Array[];
  /** How far this gateway is, with its kiosks and sinks; by the core's tombstones. */
  readonly progress: readonly { readonly tombstone: Uint8Array; readonly tiers: readonly TierProgress[] }[];
}

const TIERS = ['gateway', 'kiosks', 'sinks'] as const;

const tombstone = z
  .string()
  .length(2 * TOMBSTONE_BYTES)
  .regex(/^[0-9a-f]*$/)
  .transform((text): Uint8Array => new Uint8Array(Buffer.from(text, 'hex')));
const places = z.int().min(0).max(1_000_000);

const news = z.strictObject({
  version: z.string().regex(VERSION_FORM),
  isAnew: z.boolean(),
  hasMore: z.boolean(),
  revocations: z.array(z.strictObject({ proof: z.string().max(LONGEST_PROOF_BYTES), tombstone })).max(MOST_TOLD),
});
const report = z.strictObject({
  known: z.array(tombstone).max(MOST_KNOWN),
  progress: z
    .array(
      z.strictObject({
        tombstone,
        tiers: z.array(z.strictObject({ tier: z.enum(TIERS), done: places, of: places })).max(TIERS.length),
      }),
    )
    .max(MOST_PROGRESS),
});

/** @returns JSON. */
export const encodeRevocationNews = ({ version, isAnew, hasMore, noticed }: RevocationNews): string =>
  JSON.stringify({ version, isAnew, hasMore, revocations: noticed.map(({ proof, digest }) => ({ proof, tombstone: hexOf(digest) })) });
/** @returns JSON. */
export const encodeRevocationReport = ({ known, progress }: RevocationReport): string =>
  JSON.stringify({ known: known.map(hexOf), progress: progress.map(({ tombstone, tiers }) => ({ tombstone: hexOf(tombstone), tiers })) });
/** @throws DecodeError `decode.malformed`. */
export const decodeRevocationNews = (text: string): RevocationNews => {
  const { revocations, ...told } = decoded(news, text);
  return { ...told, noticed: revocations.map(({ proof, tombstone }) => ({ proof, digest: tombstone })), withdrawn: [] };
};
/** @throws DecodeError `decode.malformed`. */
export const decodeRevocationReport = (text: string): RevocationReport => decoded(report, text);

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function decoded<Form extends z.ZodType>(form: Form, text: string): z.output<Form> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DecodeError('decode.malformed', 'revocations: no JSON', { cause });
  }
  const parsed = form.safeParse(value);
  if (!parsed.success) throw new DecodeError('decode.malformed', 'revocations: not as they should be');
  return parsed.data;
}
