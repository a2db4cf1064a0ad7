/** What the gateway's receipts say that a person should know. PUBACK alone settles; a receipt settles nothing. */
import type { KeyObject } from 'node:crypto';
import { MOST_ROWS } from '../protocol/batch.ts';
import { codeOf } from '../protocol/errors.ts';
import type { DeploymentId, KioskId } from '../protocol/ids.ts';
import type { Log } from '../protocol/log.ts';
import { openReceipt } from '../protocol/receipt.ts';

export interface ReceiptCounts {
  readonly conflicts: number;
  readonly quarantined: number;
}

/** @returns the rows that this receipt names as conflicts and as quarantined; none when the gateway did not sign it. */
export function countReceipt(
  bytes: Uint8Array,
  signer: { readonly deployment: DeploymentId; readonly kiosk: KioskId; readonly publicKey: KeyObject },
  log: Log,
): ReceiptCounts {
  try {
    const { ranges } = openReceipt(bytes, signer);
    // A receipt for a batch whose list could not be read names a range without end.
    const rowsOf = (outcome: string) =>
      ranges.filter((range) => range.outcome === outcome).reduce((sum, { from, to }) => sum + Math.min(MOST_ROWS, to - from + 1), 0);
    const counts = { conflicts: rowsOf('conflict'), quarantined: rowsOf('quarantined') };
    for (const { outcome, reason } of ranges) {
      if (outcome === 'conflict' || outcome === 'quarantined') log.warn('receipt.put_aside', { outcome, reason });
    }
    return counts;
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    log.warn('receipt.refused', { code });
    return { conflicts: 0, quarantined: 0 };
  }
}
