/** Which rows of a kiosk the gateway has, told in as few words as a command may have. What is left out is sent again for nothing. */
import type { KeyId, KioskId, Seq } from '../../protocol/ids.ts';
import { type Had, MOST_KEYS, MOST_RANGES, type SeqRange } from '../../protocol/send-again.ts';
import { type Db, translating } from '../database.ts';
import { offsetsOf, WINDOW_SIZE } from '../seen.ts';

/** @param db the ledger's index. @returns of the newest 64 content keys, each with its 16 longest ranges. @throws StoreError. */
export function hadOf(db: Db, kiosk: KioskId): Had[] {
  return translating('ledger', () => {
    const select =
      'SELECT key_no AS keyNo, key_id AS keyId, epoch_no AS epochNo FROM content_keys WHERE kiosk = ? ORDER BY key_no DESC LIMIT ?';
    const keys = db.prepare(select).all(kiosk, MOST_KEYS) as { keyNo: number; keyId: Uint8Array; epochNo: number }[];
    const seqsOf = new Map<number, number[]>(keys.map(({ keyNo }) => [keyNo, []]));
    for (const epochNo of new Set(keys.map((key) => key.epochNo))) collect(db, epochNo, seqsOf);
    return keys.map(({ keyNo, keyId }) => ({ keyId: new Uint8Array(keyId) as KeyId, ranges: rangesOf(seqsOf.get(keyNo) ?? []) }));
  });
}

function collect(db: Db, epochNo: number, seqsOf: ReadonlyMap<number, number[]>): void {
  const windows = db.prepare('SELECT window, key_no AS keyNo, entries FROM seen_windows WHERE epoch_no = ?').iterate(epochNo);
  for (const { window, keyNo, entries } of windows as IterableIterator<{ window: number; keyNo: number; entries: Buffer }>)
    for (const offset of offsetsOf(entries)) seqsOf.get(keyNo)?.push(window * WINDOW_SIZE + offset);
}

/** @returns the 16 longest, ascending. */
export function rangesOf(seqs: readonly number[]): SeqRange[] {
  const ranges: { from: Seq; to: Seq }[] = [];
  for (const seq of seqs.toSorted((a, b) => a - b) as Seq[]) {
    const last = ranges.at(-1);
    if (last !== undefined && seq <= last.to + 1) last.to = seq;
    else ranges.push({ from: seq, to: seq });
  }
  return ranges
    .toSorted((a, b) => b.to - b.from - (a.to - a.from))
    .slice(0, MOST_RANGES)
    .toSorted((a, b) => a.from - b.from);
}
