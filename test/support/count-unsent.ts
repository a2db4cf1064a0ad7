/** Looks into a kiosk's outbox beside the product, with nothing else loaded: a guest on an emulated processor does it often. */
import Database from 'better-sqlite3';

/** @returns how many rows still have to be sent. */
export function countUnsent(path: string): number {
  const db = new Database(path, { readonly: true });
  try {
    return db.prepare('SELECT count(*) FROM rows WHERE settled_run_ms IS NULL').pluck().get() as number;
  } finally {
    db.close();
  }
}
