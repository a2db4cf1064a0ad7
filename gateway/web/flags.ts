/** High-temperature flags as operators may see them: venue, entrance, time, and the card's pseudonym of that venue and day. */
import type { EntranceId, KioskId, VenueId } from '../../protocol/ids.ts';
import type { Accounts } from '../accounts.ts';
import { type Db, translating } from '../database.ts';
import type { FlagView } from './schema.ts';
import type { FlagCounts } from './view.ts';

interface Row {
  readonly kiosk: KioskId;
  readonly of_key_id: Uint8Array;
  readonly of_seq: number;
  readonly subject: string;
  readonly venue: VenueId;
  readonly entrance: EntranceId;
  readonly state: FlagView['state'];
  readonly raised_at_ms: number;
  readonly expires_at_ms: number;
}

const MOST = 500;

/** @returns those that have not expired, newest first, at most 500; cleared ones too, so that a flag does not just vanish. @throws StoreError. */
export function flagsOf(db: Db, accounts: Accounts, nowMs: number): FlagView[] {
  const rows = translating('ledger', () =>
    db
      .prepare(
        `SELECT kiosk, of_key_id, of_seq, subject, venue, entrance, state, raised_at_ms, expires_at_ms FROM flags
         WHERE expires_at_ms > ? ORDER BY raised_at_ms DESC LIMIT ?`,
      )
      .all(nowMs, MOST),
  ) as Row[];
  const oldest = Math.min(nowMs, ...rows.map(({ raised_at_ms }) => raised_at_ms));
  const handled = accounts.handledFlags(oldest);
  return rows.map((row) => {
    const flag = nameOf(row);
    const by = handled.get(flag);
    return {
      flag,
      venue: row.venue,
      entrance: row.entrance,
      kiosk: row.kiosk,
      subject: row.subject,
      state: row.state,
      raisedAtMs: row.raised_at_ms,
      expiresAtMs: row.expires_at_ms,
      ...(by && { handled: by }),
    };
  });
}

/** @throws StoreError. */
export function flagCounts(db: Db, nowMs: number): FlagCounts {
  const rows = translating('ledger', () =>
    db.prepare('SELECT state, count(*) AS n FROM flags WHERE expires_at_ms > ? GROUP BY state').all(nowMs),
  ) as { state: string; n: number }[];
  const of = (state: string): number => rows.find((row) => row.state === state)?.n ?? 0;
  return { confirmed: of('confirmed'), unconfirmed: of('unconfirmed'), pending: of('pending') };
}

/** By its scan, which names nobody. */
const nameOf = ({ kiosk, of_key_id, of_seq }: Row): string => `${kiosk}-${Buffer.from(of_key_id).toString('hex')}-${of_seq}`;
