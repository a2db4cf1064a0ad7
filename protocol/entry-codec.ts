/**
 * One entry of the ledger as bytes, for a sink on another machine: deterministic CBOR, an array for each kind. What kiosks sealed and
 * signed goes as it came; the rest is where and when the gateway took it.
 * Source: docs/ledger-entries.md.
 */
import { LONGEST_LIST_BYTES, MOST_ROWS } from './batch.ts';
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { readArray, readBytes, readChoice, readInteger, readText } from './cbor-read.ts';
import { DOUBT_REASONS } from './doubt.ts';
import { PUBLIC_KEY_BYTES } from './ed25519.ts';
import { DecodeError } from './errors.ts';
import type { EntranceId, KeyId, KioskId, Seq, VenueId } from './ids.ts';
import { LONGEST_KEY_RECORD_BYTES } from './key-record.ts';
import {
  type BatchEntry,
  type Direction,
  type DoubtEntry,
  FLAG_OVERLAP_MS,
  type FlagEntry,
  type FlagRule,
  type LedgerEntry,
  type Placement,
  type RowIdentity,
} from './ledger-entry.ts';
import { LONGEST_ROW_BYTES } from './row.ts';
import type { EpochMillis } from './units.ts';

/** A batch as a kiosk may send it is shorter by what this adds: key, placement, topic and time. */
export const LONGEST_ENTRY_BYTES = 73_728;

export type EntryKind = LedgerEntry['kind'];

const DIRECTIONS: readonly Direction[] = ['in', 'out', 'both'];
const FLAG_STATES: readonly FlagEntry['state'][] = ['confirmed', 'unconfirmed', 'cleared'];
const PLACE_FORM = /^[0-9a-hjkmnp-tv-z]{16}$/;
const TOPIC_FORM = /^[\x21-\x7e]{1,128}$/;
const REGION_FORM = /^[^\p{Cc}]{1,100}$/u;
const KEY_ID_BYTES = 8;
/** The last instant of the year 9999. */
const LATEST_MS = Date.UTC(10_000, 0) - 1;

/** @returns everything but its position, which is told beside it: the same entry is the same bytes in whatever ledger. */
export function encodeEntry(entry: LedgerEntry): Uint8Array {
  switch (entry.kind) {
    case 'batch': {
      const { kiosk, kioskPublicKey, placement, topic, keyRecord, sign1, rows, receivedAtMs } = entry;
      const { venue, entrance, direction, dwellMs } = placement;
      // Left out where there is none: an entry that was made before it could be told stays the same bytes.
      const place = [venue, entrance, DIRECTIONS.indexOf(direction), dwellMs, ...lastOf(placement)];
      return encodeCbor([kiosk, kioskPublicKey, place, topic, keyRecord, sign1, rows, receivedAtMs]);
    }
    case 'flag':
      return encodeCbor([...rowParts(entry.reading), FLAG_STATES.indexOf(entry.state), entry.raisedAtMs, entry.expiresAtMs]);
    case 'doubt':
      return encodeCbor([...rowParts(entry.row), entry.reason, entry.raisedAtMs]);
  }
}

/**
 * @param position from 1 up.
 * @throws DecodeError as `decodeCbor` and the readers do; `decode.malformed` also for a doubt that this version does not know.
 */
export function decodeEntry(kind: EntryKind, position: number, bytes: Uint8Array): LedgerEntry {
  const value = decodeCbor(bytes, `ledger ${kind}`, LONGEST_ENTRY_BYTES);
  switch (kind) {
    case 'batch':
      return readBatch(position, readArray(value, 'ledger batch', 8));
    case 'flag': {
      const parts = readArray(value, 'ledger flag', 6);
      const flag: FlagEntry = {
        kind,
        position,
        reading: readRow(parts),
        state: readChoice(parts[3], 'ledger flag state', FLAG_STATES),
        raisedAtMs: readTime(parts[4]),
        expiresAtMs: readTime(parts[5]),
      };
      return flag;
    }
    case 'doubt': {
      const parts = readArray(value, 'ledger doubt', 5);
      const doubt: DoubtEntry = {
        kind,
        position,
        row: readRow(parts),
        reason: readText(parts[3], 'ledger doubt reason', DOUBT_FORM) as DoubtEntry['reason'],
        raisedAtMs: readTime(parts[4]),
      };
      return doubt;
    }
  }
}

const DOUBT_FORM = new RegExp(`^(?:${DOUBT_REASONS.join('|')})$`);

function readBatch(position: number, parts: readonly CborValue[]): BatchEntry {
  const [kiosk, kioskPublicKey, place, topic, keyRecord, sign1, rows, receivedAtMs] = parts;
  const placed = readArray(place, 'ledger placement', 4, 7);
  const [venue, entrance, direction, dwellMs, lingeringMs, region, flagRule] = placed;
  return {
    kind: 'batch',
    position,
    kiosk: readText(kiosk, 'ledger kiosk', PLACE_FORM) as KioskId,
    kioskPublicKey: readBytes(kioskPublicKey, 'ledger kiosk key', PUBLIC_KEY_BYTES),
    placement: {
      venue: readText(venue, 'ledger venue', PLACE_FORM) as VenueId,
      entrance: readText(entrance, 'ledger entrance', PLACE_FORM) as EntranceId,
      direction: readChoice(direction, 'ledger direction', DIRECTIONS),
      dwellMs: readInteger(dwellMs, 'ledger dwell', 0, LATEST_MS),
      lingeringMs: placed.length === 4 ? 0 : readInteger(lingeringMs, 'ledger lingering', placed.length === 5 ? 1 : 0, LATEST_MS),
      ...(placed.length < 6 || (placed.length === 7 && region === null) ? {} : { region: readText(region, 'ledger region', REGION_FORM) }),
      ...(placed.length === 7 ? { flagRule: readFlagRule(flagRule) } : {}),
    },
    topic: readText(topic, 'ledger topic', TOPIC_FORM),
    keyRecord: readBytes(keyRecord, 'ledger key record', 1, LONGEST_KEY_RECORD_BYTES),
    sign1: readBytes(sign1, 'ledger list', 1, LONGEST_LIST_BYTES),
    rows: readArray(rows, 'ledger rows', 0, MOST_ROWS).map((row) => readBytes(row, 'ledger row', 1, LONGEST_ROW_BYTES)),
    receivedAtMs: readTime(receivedAtMs),
  };
}

function lastOf({ lingeringMs, region, flagRule }: Placement): CborValue[] {
  if (flagRule !== undefined) {
    const { version, minimumOverlapMs, isSuspected } = flagRule;
    return [lingeringMs, region ?? null, [version, minimumOverlapMs ?? 0, isSuspected]];
  }
  if (region !== undefined) return [lingeringMs, region];
  return lingeringMs === 0 ? [] : [lingeringMs];
}

function readFlagRule(value: CborValue | undefined): FlagRule {
  const [version, minimum, isSuspected] = readArray(value, 'ledger flag rule', 3);
  const minimumOverlapMs = readInteger(minimum, 'ledger flag overlap', 0, FLAG_OVERLAP_MS.most);
  if ((minimumOverlapMs !== 0 && minimumOverlapMs < FLAG_OVERLAP_MS.least) || typeof isSuspected !== 'boolean')
    throw new DecodeError('decode.malformed', 'ledger flag rule: not as it should be');
  return {
    version: readInteger(version, 'ledger flag rule version', 1, Number.MAX_SAFE_INTEGER),
    ...(minimumOverlapMs === 0 ? {} : { minimumOverlapMs }),
    isSuspected,
  };
}

export const rowParts = ({ kiosk, keyId, seq }: RowIdentity): CborValue[] => [kiosk, keyId, seq];

/** @throws DecodeError as the readers do. */
export const readRow = ([kiosk, keyId, seq]: readonly CborValue[]): RowIdentity => ({
  kiosk: readText(kiosk, 'ledger kiosk', PLACE_FORM) as KioskId,
  keyId: readBytes(keyId, 'ledger key id', KEY_ID_BYTES) as KeyId,
  seq: readInteger(seq, 'ledger row', 1, Number.MAX_SAFE_INTEGER) as Seq,
});

const readTime = (value: CborValue | undefined): EpochMillis => readInteger(value, 'ledger time', 0, LATEST_MS) as EpochMillis;
