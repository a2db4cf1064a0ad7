/** The longer questions that the outbox asks of its tables, and what comes back. */
import type { KeyNumber } from './outbox-row.ts';

export interface OldestRow {
  readonly position: number;
  readonly runMs: number;
}

/** How far some settled rows were looked at, and how many of them were wanted. */
export interface LookedAt {
  readonly at: number;
  readonly rows: number;
}

export interface Gone {
  readonly key: KeyNumber;
  /** 1 or 0. */
  readonly isUnsent: number;
}

/** Ages ascend with the position, so that looking at the oldest is enough. */
export const OVERDUE = `SELECT position FROM
  (SELECT position, appended_run_ms, appended_at_ms FROM rows WHERE position >= ? AND settled_run_ms IS NULL ORDER BY position LIMIT ?)
  WHERE appended_run_ms < ? OR (appended_at_ms < ? AND position >= (SELECT undated_before FROM meta))`;
export const SETTLED_BEFORE = 'SELECT position FROM rows WHERE settled_run_ms < ? ORDER BY settled_run_ms LIMIT ?';
export const SETTLED_BEHIND =
  'SELECT position, key, seq, row FROM rows WHERE settled_run_ms IS NOT NULL AND position > ? ORDER BY position LIMIT ?';
