/** Reads a kiosk's outbox beside the product: what it holds, sent or not. */
import Database from 'better-sqlite3';
import type { KioskId } from '../../protocol/ids.ts';
import { nonceOf, rowName } from './audit-road.ts';

export interface KeptRow {
  readonly name: string;
  /** Content key id and IV: must never come twice. */
  readonly nonce: string;
  readonly isSettled: boolean;
}

export function readOutbox(path: string, kiosk: KioskId): KeptRow[] {
  const db = new Database(path, { readonly: true });
  try {
    const sql =
      'SELECT hex(key_id) AS keyId, seq, row, settled_run_ms IS NOT NULL AS isSettled FROM rows JOIN keys USING (key) ORDER BY position';
    const rows = db.prepare(sql).all() as { keyId: string; seq: number; row: Buffer; isSettled: number }[];
    return rows.map(({ keyId, seq, row, isSettled }) => ({
      name: rowName(kiosk, keyId.toLowerCase(), seq),
      nonce: `${keyId.toLowerCase()}/${nonceOf(row)}`,
      isSettled: isSettled === 1,
    }));
  } finally {
    db.close();
  }
}
