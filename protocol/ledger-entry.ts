/**
 * What a gateway's ledger holds, as it is handed to sinks: batches as they came from kiosks, and what triage says of single rows.
 */
import type { DoubtReason } from './doubt.ts';
import type { EntranceId, KeyId, KioskId, Seq, VenueId } from './ids.ts';
import type { EpochMillis } from './units.ts';

export type Direction = 'in' | 'out' | 'both';

/** Where a kiosk hung when the gateway took its rows. */
export interface Placement {
  readonly venue: VenueId;
  readonly entrance: EntranceId;
  readonly direction: Direction;
  /** How long a visit without a check-out is taken to last. */
  readonly dwellMs: number;
  /** How long after somebody left others may still meet what they left in the air; 0 where the venue says nothing of it. */
  readonly lingeringMs: number;
  /** Under whose health office the venue is, in the gateway's words; left out where it says nothing of it. 1 to 100 characters. */
  readonly region?: string;
  /** What follows of a flag on a reading there; left out where the venue never said. */
  readonly flagRule?: FlagRule;
}

/** What a venue says of high-temperature flags. Each flag goes by the rule as it stood when its reading came. */
export interface FlagRule {
  /** From 1 up: of this venue, stepping up with each change. */
  readonly version: number;
  /** So long somebody has to have met the flagged person to be told, 1 minute to 12 hours; left out: nobody is told. */
  readonly minimumOverlapMs?: number;
  /** Whether a confirmed flag makes a suspected case. */
  readonly isSuspected: boolean;
}

export const FLAG_OVERLAP_MS = { least: 60_000, most: 12 * 3_600_000, usual: 900_000 } as const;

/** Names one row for ever. */
export interface RowIdentity {
  readonly kiosk: KioskId;
  readonly keyId: KeyId;
  readonly seq: Seq;
}

/** Rows as they came, with what is needed to verify and open them again without trusting the gateway's reading of them. */
export interface BatchEntry {
  readonly kind: 'batch';
  /** Steps up by one or more for each entry of one ledger. */
  readonly position: number;
  readonly kiosk: KioskId;
  /** Raw Ed25519, 32 bytes. */
  readonly kioskPublicKey: Uint8Array;
  readonly placement: Placement;
  readonly topic: string;
  readonly keyRecord: Uint8Array;
  /** The signed list of the whole batch. */
  readonly sign1: Uint8Array;
  /** The rows that the ledger took: all of the batch, or less where some were duplicates. */
  readonly rows: readonly Uint8Array[];
  readonly receivedAtMs: EpochMillis;
}

/** What the gateway's triage says of a high reading; a later entry for the same reading replaces an earlier one. */
export interface FlagEntry {
  readonly kind: 'flag';
  readonly position: number;
  /** The first high reading. The card is not named: the core knows it from that row. */
  readonly reading: RowIdentity;
  readonly state: 'confirmed' | 'unconfirmed' | 'cleared';
  readonly raisedAtMs: EpochMillis;
  readonly expiresAtMs: EpochMillis;
}

/** What the gateway's triage doubts about a row; doubts only add up. */
export interface DoubtEntry {
  readonly kind: 'doubt';
  readonly position: number;
  readonly row: RowIdentity;
  readonly reason: DoubtReason;
  readonly raisedAtMs: EpochMillis;
}

export type LedgerEntry = BatchEntry | FlagEntry | DoubtEntry;
