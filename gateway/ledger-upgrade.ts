/** Carries the entries that an earlier layout kept in the index's own file over into files by day. Cut short, it goes on at the next start. */
import type { FlagEntry, Placement } from '../core/intake.ts';
import type { KeyId, KioskId, Seq } from '../protocol/ids.ts';
import type { EpochMillis } from '../protocol/units.ts';
import type { Db } from './database.ts';
import type { Segments } from './segments.ts';

const MOST_AT_ONCE = 200;

interface OldEntry {
  position: number;
  kind: 'batch' | 'flag';
  received_at_ms: EpochMillis;
}

/** @throws StoreError; what was carried over until then stays so. */
export function carryOver(db: Db, segments: Segments): void {
  for (;;) {
    const old = db.prepare('SELECT position, kind, received_at_ms FROM entries ORDER BY position LIMIT ?').all(MOST_AT_ONCE) as OldEntry[];
    const first = old[0];
    if (first === undefined) return;
    const segment = segments.openFor(first.received_at_ms, first.position);
    const last = segment.lastPosition();
    segment.db.transact(() => {
      for (const entry of old) {
        // Was carried over, and the start that did it was cut short before it was taken from here.
        if (entry.position <= last) continue;
        if (entry.kind === 'flag') segment.appendFlag(entry.position, flagOf(db, entry.position), entry.received_at_ms);
        else appendBatch(db, segment, entry);
      }
      segment.flush();
    });
    const through = old.at(-1)?.position ?? 0;
    db.transact(() => {
      db.prepare('DELETE FROM entries WHERE position <= ?').run(through);
      db.prepare('DELETE FROM key_records WHERE NOT EXISTS (SELECT 1 FROM batches WHERE batches.record_no = key_records.record_no)').run();
    });
  }
}

function appendBatch(db: Db, segment: ReturnType<Segments['openFor']>, { position, received_at_ms }: OldEntry): void {
  const batch = db.prepare('SELECT batches.*, record FROM batches JOIN key_records USING (record_no) WHERE position = ?').get(position) as {
    kiosk: KioskId;
    kiosk_public_key: Uint8Array;
    placement: string;
    topic: string;
    record: Uint8Array;
    sign1: Uint8Array;
  };
  const rows = db.prepare('SELECT row FROM rows WHERE position = ? ORDER BY seq').pluck().all(position) as Uint8Array[];
  segment.appendBatch(
    position,
    {
      kiosk: batch.kiosk,
      kioskPublicKey: batch.kiosk_public_key,
      placement: { lingeringMs: 0, ...(JSON.parse(batch.placement) as Partial<Placement>) } as Placement,
      topic: batch.topic,
      keyRecord: batch.record,
      sign1: batch.sign1,
      receivedAtMs: received_at_ms,
    },
    rows,
    [],
  );
}

function flagOf(db: Db, position: number): Omit<FlagEntry, 'kind' | 'position'> {
  const flag = db.prepare('SELECT * FROM flag_entries WHERE position = ?').get(position) as {
    kiosk: KioskId;
    key_id: Uint8Array;
    seq: Seq;
    state: FlagEntry['state'];
    raised_at_ms: EpochMillis;
    expires_at_ms: EpochMillis;
  };
  return {
    reading: { kiosk: flag.kiosk, keyId: new Uint8Array(flag.key_id) as KeyId, seq: flag.seq },
    state: flag.state,
    raisedAtMs: flag.raised_at_ms,
    expiresAtMs: flag.expires_at_ms,
  };
}
