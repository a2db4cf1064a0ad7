/** Takes what was dropped out of the outbox's write-ahead log, too, which else keeps it until it is written over. */
import { openSqlite, translated } from './sqlite.ts';

/** More than any outbox has: nothing is written here. */
const MAX_PAGES = 4_294_967_294;

/**
 * Costs two syncs and more: for what is seldom. @param path of an outbox that is open elsewhere in this process.
 * @returns false while another reads or moves the log: to be tried again. @throws StoreError.
 */
export function emptyLog(path: string): boolean {
  const db = openSqlite(path, { synchronous: 'FULL', maxPages: MAX_PAGES });
  try {
    return translated(path, () => {
      db.pragma('busy_timeout = 0');
      const [state] = db.pragma('wal_checkpoint(TRUNCATE)') as { readonly busy: number }[];
      return state?.busy === 0;
    });
  } finally {
    db.close();
  }
}
