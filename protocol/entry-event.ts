/**
 * Ledger entries as CloudEvents, for sinks elsewhere: one as a message of its own, many as a batch. The data is the entry's CBOR: what a
 * kiosk sealed stays sealed. The only importer of cloudevents in this room.
 * Source: CloudEvents 1.0.2, JSON event format, sections 3.1.1 (data_base64) and 4 (JSON batch); draft-ietf-httpapi-idempotency-key-header-07.
 */
import { createHash } from 'node:crypto';
import { CloudEvent } from 'cloudevents';
import { z } from 'zod';
import { decodeEntry, type EntryKind, encodeEntry, LONGEST_ENTRY_BYTES } from './entry-codec.ts';
import { codeOf, DecodeError, type ErrorCode } from './errors.ts';
import { type DeploymentId, isPlaceId } from './ids.ts';
import type { LedgerEntry } from './ledger-entry.ts';

export const BATCH_TYPE = 'application/cloudevents-batch+json';
export const MOST_EVENTS = 256;
/** 1 MiB of rows as base64, and what each entry has besides, with room: 256 entries of 4 KiB of frame each. */
export const LONGEST_EVENTS_BYTES = 4_194_304;
/** Paths of a core's intake. */
export const ENTRIES_PATH = '/api/1/entries';
export const TAKEN_PATH = '/api/1/taken';
/** Up to where the sender was told that everything is taken. */
export const AFTER_HEADER = 'vestibule-after';
/** `?1` when the entries were set aside before, and come out of order. Source: RFC 9651, section 3.3.6 (booleans). */
export const REPLAY_HEADER = 'vestibule-replay';

const TYPE_FORM = /^vestibule\.ledger\.(batch|flag|doubt)$/;
const SOURCE_FORM = /^\/vestibule\/([0-9a-hjkmnp-tv-z]{16})\/gateway$/;
const ID_FORM = /^([1-9]\d{0,15})-([0-9a-f]{16})$/;
/** Of four characters for each three bytes. */
const LONGEST_BASE64 = Math.ceil(LONGEST_ENTRY_BYTES / 3) * 4;

/** Other attributes may be there, and are not looked at. */
export const entryEvent = z.object({
  specversion: z.literal('1.0'),
  id: z.string().max(64),
  source: z.string().max(128),
  type: z.string().max(64),
  data_base64: z.base64().max(LONGEST_BASE64),
});

/** One event as a value; `JSON.stringify` writes it. */
export function eventOf(deployment: DeploymentId, entry: LedgerEntry): CloudEvent<Uint8Array> {
  const data = encodeEntry(entry);
  return new CloudEvent({
    id: `${entry.position}-${digestOf(data)}`,
    source: `/vestibule/${deployment}/gateway`,
    type: `vestibule.ledger.${entry.kind}`,
    time: new Date(entry.kind === 'batch' ? entry.receivedAtMs : entry.raisedAtMs).toISOString(),
    subject: kioskOf(entry),
    datacontenttype: 'application/cbor',
    data,
  });
}

/** @returns one event in the JSON event format, UTF-8. */
export const encodeEvent = (deployment: DeploymentId, entry: LedgerEntry): Uint8Array =>
  Buffer.from(JSON.stringify(eventOf(deployment, entry)));

/** @param entries 1 to 256. @returns the batch in the JSON batch format, UTF-8: the same entries give the same bytes. */
export const encodeEvents = (deployment: DeploymentId, entries: readonly LedgerEntry[]): Uint8Array =>
  Buffer.from(JSON.stringify(entries.map((entry) => eventOf(deployment, entry))));

/** What is wrong with one event of a batch. */
export interface BadEvent {
  /** Its place in the batch, from 0. */
  readonly index: number;
  /** `undefined` where its id does not say it. */
  readonly position: number | undefined;
  readonly code: ErrorCode;
}

export interface ReadEvents {
  /** Of the gateway that they are from; `undefined` where the first does not say it. */
  readonly deployment: DeploymentId | undefined;
  readonly entries: readonly LedgerEntry[];
  /** The first that is wrong in itself; the entries are then those before it. */
  readonly bad: BadEvent | undefined;
}

/**
 * @param bytes a batch in the JSON batch format.
 * @throws DecodeError `decode.overlong`; `decode.malformed` when it is no batch of 1 to 256 events of one gateway, with positions that ascend.
 */
export function decodeEvents(bytes: Uint8Array): ReadEvents {
  if (bytes.length > LONGEST_EVENTS_BYTES)
    throw new DecodeError('decode.overlong', `ledger events: ${bytes.length} of at most ${LONGEST_EVENTS_BYTES} bytes`);
  const list = parse(bytes);
  if (!Array.isArray(list) || list.length === 0 || list.length > MOST_EVENTS)
    throw new DecodeError('decode.malformed', `ledger events: not a list of 1 to ${MOST_EVENTS}`);
  const entries: LedgerEntry[] = [];
  let deployment: DeploymentId | undefined;
  for (const [index, value] of list.entries()) {
    const event = entryEvent.safeParse(value);
    const position = positionIn(value);
    if (!event.success) return { deployment, entries, bad: { index, position, code: 'decode.malformed' } };
    const from = deploymentOf(event.data.source);
    if (from === undefined || from !== (deployment ?? from)) throw new DecodeError('decode.malformed', 'ledger events: not of one gateway');
    deployment = from;
    if (position !== undefined && position <= (entries.at(-1)?.position ?? 0))
      throw new DecodeError('decode.malformed', 'ledger events: positions do not ascend');
    try {
      entries.push(readEvent(event.data));
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      return { deployment, entries, bad: { index, position, code } };
    }
  }
  return { deployment, entries, bad: undefined };
}

/**
 * @param bytes one event in the JSON event format. @returns what `encodeEvent` was given.
 * @throws DecodeError when it is none.
 */
export function decodeEvent(bytes: Uint8Array): { readonly deployment: DeploymentId; readonly entry: LedgerEntry } {
  if (bytes.length > LONGEST_BASE64 + 1_024) throw new DecodeError('decode.overlong', `ledger event: ${bytes.length} bytes`);
  const event = entryEvent.safeParse(parse(bytes));
  const deployment = event.success ? deploymentOf(event.data.source) : undefined;
  if (!event.success || deployment === undefined) throw new DecodeError('decode.malformed', 'ledger event: no CloudEvent of a gateway');
  return { deployment, entry: readEvent(event.data) };
}

/**
 * @param body as `encodeEvents` gives it.
 * @returns the header's value: the same for the same entries of the same gateway, and for no others.
 * Source: draft-ietf-httpapi-idempotency-key-header-07, section 2.1: a string of RFC 9651, in quotes.
 */
export function idempotencyKeyOf(deployment: DeploymentId, entries: readonly LedgerEntry[], body: Uint8Array): string {
  const first = entries[0]?.position ?? 0;
  const last = entries.at(-1)?.position ?? 0;
  const digest = createHash('sha256').update(body).digest('base64url');
  return `"${createHash('sha256').update(`${deployment}/${first}/${last}/${digest}`).digest('base64url')}"`;
}

/** @throws DecodeError. */
function readEvent({ id, type, data_base64 }: z.infer<typeof entryEvent>): LedgerEntry {
  const kind = TYPE_FORM.exec(type)?.[1];
  if (kind === undefined) throw new DecodeError('decode.unsupported', 'ledger event: of a type that is not known here');
  const [, position, digest] = ID_FORM.exec(id) ?? [];
  const data = new Uint8Array(Buffer.from(data_base64, 'base64'));
  if (position === undefined || !Number.isSafeInteger(Number(position)) || digest !== digestOf(data))
    throw new DecodeError('decode.checksum', 'ledger event: its id is not of its data');
  return decodeEntry(kind as EntryKind, Number(position), data);
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new DecodeError('decode.malformed', 'ledger events: no JSON', { cause });
  }
}

function positionIn(value: unknown): number | undefined {
  const id = typeof value === 'object' && value !== null && 'id' in value ? String(value.id) : '';
  const position = Number(ID_FORM.exec(id)?.[1] ?? Number.NaN);
  return Number.isSafeInteger(position) ? position : undefined;
}

/** @returns `undefined` for what is no gateway. */
export function deploymentOf(source: string): DeploymentId | undefined {
  const deployment = SOURCE_FORM.exec(source)?.[1];
  return deployment !== undefined && isPlaceId(deployment) ? (deployment as DeploymentId) : undefined;
}

const kioskOf = (entry: LedgerEntry): string =>
  entry.kind === 'batch' ? entry.kiosk : entry.kind === 'flag' ? entry.reading.kiosk : entry.row.kiosk;

const digestOf = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex').slice(0, 16);
