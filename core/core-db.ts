/**
 * core.db: what the core knows besides the scans of a day: the key of each day, which rows lie where, undos, flags, and what it
 * could not take. Encrypted under the store key. The tables are read and written by day-keys.ts, streams.ts and notes.ts.
 */
import { CASE_STEP, SPENT_STICKER_STEP } from './case/case-schema.ts';
import { GATEWAY_STEP, STREAMS_APART_STEP } from './gateways.ts';
import { GATEWAY_TIERS_STEP, REVOCATION_STEP } from './holder/revocations.ts';
import { FLAG_RULE_STEP, NOTICE_STEP } from './notice/notice-schema.ts';
import { type Db, openEncrypted } from './sqlite.ts';
import { TRACE_POLICY_STEP } from './trace/policy-book.ts';

export const CORE_SCHEMA = [
  `
  CREATE TABLE day (
    day TEXT PRIMARY KEY,
    key BLOB NOT NULL CHECK (length(key) = 32),
    -- 0 until the file has once been made: a file that is missing after that has been lost.
    is_made INTEGER NOT NULL CHECK (is_made IN (0, 1))
  ) STRICT, WITHOUT ROWID;

  -- One kiosk under one content key; rows name it by its number. AUTOINCREMENT: a number is never given twice.
  CREATE TABLE stream (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kiosk TEXT NOT NULL,
    key_id BLOB NOT NULL CHECK (length(key_id) = 8),
    UNIQUE (kiosk, key_id)
  ) STRICT;

  CREATE TABLE venue (id INTEGER PRIMARY KEY AUTOINCREMENT, venue TEXT NOT NULL UNIQUE) STRICT;

  -- Every row of a stream that lies in a day's file has its number within these; not every number within them is there.
  CREATE TABLE stream_day (
    stream INTEGER NOT NULL,
    day TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    PRIMARY KEY (stream, day)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE undo (
    stream INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    of_stream INTEGER NOT NULL,
    of_seq INTEGER NOT NULL,
    received_at_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX undo_by_target ON undo (of_stream, of_seq);

  CREATE TABLE flag (
    stream INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('confirmed', 'unconfirmed', 'cleared')),
    position INTEGER NOT NULL,
    raised_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, seq)
  ) STRICT, WITHOUT ROWID;

  -- Rows that came when their day was past retention. Their names alone, so that one that comes again is not counted again.
  CREATE TABLE expired (
    stream INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    noted_at_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, seq)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE set_aside (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint BLOB NOT NULL UNIQUE CHECK (length(fingerprint) = 16),
    position INTEGER NOT NULL,
    kiosk TEXT NOT NULL,
    seq INTEGER,
    reason TEXT NOT NULL,
    received_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- What the gateway's triage doubts about a row, by name.
  CREATE TABLE doubt (
    stream INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    reason TEXT NOT NULL,
    raised_at_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, seq, reason)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Days of earlier versions name cards by a hash that nothing turns back: they are dropped, and the gateway offers its ledger again from
  -- the start. The files go with their keys, when the day files are next opened.
  DELETE FROM day;
  DELETE FROM stream_day;
  DELETE FROM counter WHERE name = 'taken-position';
  `,
  REVOCATION_STEP,
  GATEWAY_STEP,
  CASE_STEP,
  NOTICE_STEP,
  STREAMS_APART_STEP,
  FLAG_RULE_STEP,
  GATEWAY_TIERS_STEP,
  TRACE_POLICY_STEP,
  SPENT_STICKER_STEP,
] as const;

/** @param key 32 bytes. @throws StoreError `store.wrong_key` when the file was made under another, and as `openEncrypted` does. */
export const openCoreDb = (path: string, key: Uint8Array, mode: 'write' | 'read'): Db =>
  openEncrypted(path, { subject: 'core.db', key, schema: CORE_SCHEMA, mode, ifUnreadable: 'store.wrong_key' });
