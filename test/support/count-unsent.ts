/** Looks into a kiosk's outbox beside the product, with nothing else loaded: a guest on an emulated processor does it often. */
import Database from 'better-sqlite3';

/** @returns how many rows still have to be sent. */
export const countUnsent = (path: string): number => numberIn(path, 'SELECT count(*) FROM rows WHERE settled_run_ms IS NULL');

/** @returns the last command to send again that was carried out; 0 before the first. */
export const sentAgainVersion = (path: string): number => numberIn(path, 'SELECT sent_again FROM meta');

function numberIn(path: string, sql: string): number {
  const db = new Database(path, { readonly: true });
  try {
    return db.prepare(sql).pluck().get() as number;
  } finally {
    db.close();
  }
}
