/**
 * The fate of each row of one batch, written into ledger, quarantine and flags within the transaction of ingest.
 */
import { codeOf, type ErrorCode, StoreError } from '../protocol/errors.ts';
import type { Seq } from '../protocol/ids.ts';
import type { ReceiptRange } from '../protocol/receipt.ts';
import { topicOf } from '../protocol/topics.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { withClinicFaults } from './clinic/clinic-rule.ts';
import type { ClinicianList } from './clinic/clinician-list.ts';
import { storeErrorOf } from './database.ts';
import type { ArrivedBatch, Ledger } from './ledger.ts';
import type { OpenedBatch, OpenedRow, UnreadBatch } from './open-batch.ts';
import type { Quarantine } from './quarantine.ts';
import type { Kiosk } from './registry.ts';
import type { ErasedCards } from './revoke/erased-cards.ts';
import type { FlagChange, Triage } from './triage.ts';

export interface Deciders {
  readonly ledger: Ledger;
  readonly quarantine: Quarantine;
  readonly triage: Triage;
  readonly clinicians: Pick<ClinicianList, 'find'>;
  readonly erasedCards: Pick<ErasedCards, 'has'>;
}

export type Decision =
  /** In the ledger, each row with its own fate. */
  | {
      readonly kind: 'taken';
      readonly batch: OpenedBatch;
      /** The rows that count: new ones, those of a clone among them. */
      readonly taken: readonly OpenedRow[];
      /** How many rows are in quarantine. */
      readonly setAside: number;
      readonly flagChanges: readonly FlagChange[];
      readonly receivedAtMs: EpochMillis;
      readonly ranges: readonly ReceiptRange[];
    }
  /** Kept whole in quarantine. */
  | { readonly kind: 'quarantined'; readonly reason: ErrorCode; readonly ranges: readonly ReceiptRange[] }
  /** Nothing of it was kept: quarantine had no room for what is wrong with it. */
  | { readonly kind: 'refused' };

/** A batch whose list can not be read is answered as one range over all there can be. */
const EVERYTHING = { from: 1 as Seq, to: Number.MAX_SAFE_INTEGER as Seq };

/** One batch, opened or with why it could not be. */
export interface Undecided {
  readonly kiosk: Kiosk;
  readonly message: Uint8Array;
  readonly opened: UnreadBatch | ErrorCode;
  readonly receivedAtMs: EpochMillis;
  /** Gives an error its code, and reports a bug. */
  nameOf(error: unknown): ErrorCode;
}

/**
 * Decides what arrived together, in one transaction. When anything is wrong with one of them, each is decided in a step of its own.
 * @param onDecided called before they are committed.
 * @returns one decision for each. @throws StoreError when the store can keep none of them now; nothing else.
 */
export function decideAll(deciders: Deciders, undecided: readonly Undecided[], onDecided: () => void): Decision[] {
  const { ledger } = deciders;
  const decideEach = (each: (one: Undecided) => Decision) => () => {
    const decisions = undecided.map(each);
    onDecided();
    return decisions;
  };
  try {
    return ledger.transact(
      decideEach((one) => decideOne(deciders, one)),
      areInEntries,
    );
  } catch (error) {
    if (storeErrorOf(error, 'ledger') !== undefined) throw error;
  }
  return ledger.transact(
    decideEach((one) => decide(deciders, one.kiosk, one.message, one.opened, one.receivedAtMs, one.nameOf)),
    areInEntries,
  );
}

const areInEntries = (decisions: readonly Decision[]): boolean =>
  decisions.every((decision) => decision.kind === 'taken' && decision.setAside === 0);

const decideOne = (deciders: Deciders, { kiosk, message, opened, receivedAtMs }: Omit<Undecided, 'nameOf'>): Decision =>
  typeof opened === 'string'
    ? quarantineWhole(deciders, kiosk, message, opened, receivedAtMs)
    : takeRows(deciders, kiosk, opened.read(), receivedAtMs);

/**
 * @param opened the batch, or why it could not be opened.
 * @param nameOf gives an error its code, and reports a bug.
 * @throws StoreError when the store can not keep it now; nothing else.
 */
export function decide(
  deciders: Deciders,
  kiosk: Kiosk,
  message: Uint8Array,
  opened: UnreadBatch | ErrorCode,
  receivedAtMs: EpochMillis,
  nameOf: (error: unknown) => ErrorCode,
): Decision {
  try {
    return deciders.ledger.transact(() => decideOne(deciders, { kiosk, message, opened, receivedAtMs }));
  } catch (error) {
    if (storeErrorOf(error, 'ledger') !== undefined) throw error;
    if (codeOf(error) === 'ingest.quarantine_full') return { kind: 'refused' };
    return quarantineOrRefuse(deciders, kiosk, message, nameOf(error), receivedAtMs);
  }
}

function quarantineOrRefuse(deciders: Deciders, kiosk: Kiosk, message: Uint8Array, reason: ErrorCode, receivedAtMs: EpochMillis): Decision {
  try {
    return deciders.ledger.transact(() => quarantineWhole(deciders, kiosk, message, reason, receivedAtMs));
  } catch (error) {
    if (codeOf(error) === 'ingest.quarantine_full') return { kind: 'refused' };
    throw error instanceof StoreError ? error : new StoreError('store.failed', 'quarantine: can not be written', { cause: error });
  }
}

function quarantineWhole(
  { quarantine }: Deciders,
  kiosk: Kiosk,
  message: Uint8Array,
  reason: ErrorCode,
  receivedAtMs: EpochMillis,
): Decision {
  quarantine.add({ kiosk: kiosk.kiosk, receivedAtMs, reason, content: message });
  return { kind: 'quarantined', reason, ranges: [{ ...EVERYTHING, outcome: 'quarantined', reason }] };
}

function takeRows(deciders: Deciders, kiosk: Kiosk, batch: OpenedBatch, receivedAtMs: EpochMillis): Decision {
  const { ledger, quarantine, triage, clinicians, erasedCards } = deciders;
  const rows = withClinicFaults(clinicians, kiosk, batch, receivedAtMs);
  const arrived: ArrivedBatch = {
    kiosk: kiosk.kiosk,
    kioskPublicKey: kiosk.publicKey,
    placement: kiosk.placement,
    topic: topicOf(kiosk.kiosk, 'batch'),
    keyRecord: batch.keyRecord,
    epoch: batch.epoch,
    keyId: batch.keyId,
    sign1: batch.sign1,
    receivedAtMs,
  };
  ledger.checkEpoch(arrived);
  const standings = ledger.stand(arrived, rows, (row) => 'event' in row);
  const taken: OpenedRow[] = [];
  const ranges: ReceiptRange[] = [];
  let setAside = 0;
  for (const [index, row] of rows.entries()) {
    const standing = standings[index];
    // As it was opened: what is at fault in another way is not kept either.
    const opened = batch.rows[index] ?? row;
    if (standing !== 'duplicate' && 'event' in opened && 'card' in opened.event && erasedCards.has(opened.event.card)) {
      // Remembered as seen, and kept nowhere.
      addToRanges(ranges, row.seq, 'erased', 'ingest.card_revoked');
    } else if (standing === 'new' || standing === 'cloned') {
      taken.push(row);
      addToRanges(ranges, row.seq, 'accepted', undefined);
    } else if (standing === 'duplicate') {
      addToRanges(ranges, row.seq, 'duplicate', undefined);
    } else {
      const reason = 'fault' in row ? row.fault : 'ingest.conflict';
      const of = { seq: row.seq, sign1: batch.sign1, keyRecord: batch.keyRecord };
      quarantine.add({ kiosk: kiosk.kiosk, receivedAtMs, reason, content: row.row, of });
      setAside += 1;
      addToRanges(ranges, row.seq, standing === 'conflict' ? 'conflict' : 'quarantined', reason);
    }
  }
  const readings = triage.readingsOf(kiosk, batch, taken, receivedAtMs);
  if (taken.length > 0) ledger.appendBatch(arrived, taken, readings);
  const flagChanges = triage.take(readings, receivedAtMs);
  return { kind: 'taken', batch, taken, setAside, flagChanges, receivedAtMs, ranges };
}

/** Adds a row's fate: to the range before it, when that is its neighbour and of the same fate. @param seq past the last range. */
export function addToRanges(ranges: ReceiptRange[], seq: Seq, outcome: ReceiptRange['outcome'], reason: ErrorCode | undefined): void {
  const last = ranges.at(-1);
  if (last !== undefined && last.to + 1 === seq && last.outcome === outcome && last.reason === reason)
    ranges[ranges.length - 1] = { ...last, to: seq };
  else ranges.push({ from: seq, to: seq, outcome, reason });
}
