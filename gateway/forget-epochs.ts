/** Forgets content keys and epochs of which nothing that was seen is remembered any more, so that neither grows without bound. */
import type { Db } from './database.ts';

/** One content key of one epoch. */
export interface KeyOfEpoch {
  readonly epoch_no: number;
  readonly key_no: number;
}

/**
 * In the caller's transaction. A kiosk's newest epoch stays, or one that was switched off for long would seem to have lost all that it
 * had sent before.
 * @param dropped those of which something was forgotten just now; naming one twice changes nothing.
 */
export function forgetUnseen(db: Db, dropped: readonly KeyOfEpoch[]): void {
  const keys = new Map(dropped.map((key) => [key.key_no, key]));
  const isKeySeen = db.prepare('SELECT 1 FROM seen_windows WHERE epoch_no = ? AND key_no = ? LIMIT 1');
  for (const { epoch_no, key_no } of keys.values())
    if (isKeySeen.get(epoch_no, key_no) === undefined) db.prepare('DELETE FROM content_keys WHERE key_no = ?').run(key_no);
  const isOver = db.prepare(
    `SELECT 1 FROM epochs WHERE epoch_no = ? AND NOT EXISTS (SELECT 1 FROM content_keys WHERE content_keys.epoch_no = epochs.epoch_no)
       AND EXISTS (SELECT 1 FROM epochs AS newer WHERE newer.kiosk = epochs.kiosk AND newer.epoch_no > epochs.epoch_no)`,
  );
  for (const epochNo of new Set([...keys.values()].map(({ epoch_no }) => epoch_no))) {
    if (isOver.get(epochNo) === undefined) continue;
    db.prepare('DELETE FROM spans WHERE epoch_no = ?').run(epochNo);
    db.prepare('DELETE FROM epochs WHERE epoch_no = ?').run(epochNo);
  }
}
