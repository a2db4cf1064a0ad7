/**
 * The fate of each row of one batch, written into ledger, quarantine and flags within the transaction of ingest.
 */
import { codeOf, type ErrorCode, StoreError } from '../protocol/errors.ts';
import type { Seq } from '../protocol/ids.ts';
import type { ReceiptRange } from '../protocol/receipt.ts';
import { topicOf } from '../protocol/topics.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { storeErrorOf } from './database.ts';
import type { ArrivedBatch, Ledger } from './ledger.ts';
import type { OpenedBatch, OpenedRow } from './open-batch.ts';
import type { Quarantine } from './quarantine.ts';
import type { Kiosk } from './registry.ts';
import type { FlagChange, Triage } from './triage.ts';

export interface Deciders {
  readonly ledger: Ledger;
  readonly quarantine: Quarantine;
  readonly triage: Triage;
}

export type Decision =
  /** In the ledger, each row with its own fate. */
  | {
      readonly kind: 'taken';
      readonly batch: OpenedBatch;
      /** The rows that count: new ones, those of a clone among them. */
      readonly taken: readonly OpenedRow[];
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

/**
 * @param opened the batch, or why it could not be opened.
 * @param nameOf gives an error its code, and reports a bug.
 * @throws StoreError when the store can not keep it now; nothing else.
 */
export function decide(
  deciders: Deciders,
  kiosk: Kiosk,
  message: Uint8Array,
  opened: OpenedBatch | ErrorCode,
  receivedAtMs: EpochMillis,
  nameOf: (error: unknown) => ErrorCode,
): Decision {
  try {
    return deciders.ledger.transact(() => {
      if (typeof opened === 'string') return quarantineWhole(deciders, kiosk, message, opened, receivedAtMs);
      return takeRows(deciders, kiosk, opened, receivedAtMs);
    });
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
  const { ledger, quarantine, triage } = deciders;
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
  const legible = new Set(batch.rows.filter((row) => 'event' in row).map(({ seq }) => seq));
  const standings = ledger.stand(arrived, batch.rows, ({ seq }) => legible.has(seq));
  const taken: OpenedRow[] = [];
  const fates: ReceiptRange[] = [];
  for (const row of batch.rows) {
    const standing = standings.get(row.seq);
    const at = { from: row.seq, to: row.seq };
    if (standing === 'new' || standing === 'cloned') {
      taken.push(row);
      fates.push({ ...at, outcome: 'accepted', reason: undefined });
    } else if (standing === 'duplicate') {
      fates.push({ ...at, outcome: 'duplicate', reason: undefined });
    } else {
      const reason = 'fault' in row ? row.fault : 'ingest.conflict';
      const of = { seq: row.seq, sign1: batch.sign1, keyRecord: batch.keyRecord };
      quarantine.add({ kiosk: kiosk.kiosk, receivedAtMs, reason, content: row.row, of });
      fates.push({ ...at, outcome: standing === 'conflict' ? 'conflict' : 'quarantined', reason });
    }
  }
  if (taken.length > 0) ledger.appendBatch(arrived, taken);
  const flagChanges = triage.take(kiosk, batch, taken, receivedAtMs);
  return { kind: 'taken', batch, taken, flagChanges, receivedAtMs, ranges: mergeRanges(fates) };
}

/** @param fates one for each row, ascending. @returns neighbours of the same fate as one range. */
export function mergeRanges(fates: readonly ReceiptRange[]): ReceiptRange[] {
  const ranges: ReceiptRange[] = [];
  for (const fate of fates) {
    const last = ranges.at(-1);
    if (last !== undefined && last.to + 1 === fate.from && last.outcome === fate.outcome && last.reason === fate.reason)
      ranges[ranges.length - 1] = { ...last, to: fate.to };
    else ranges.push(fate);
  }
  return ranges;
}
