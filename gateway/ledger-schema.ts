/**
 * The index's tables: what was seen, what is set aside, how far sinks are, and which files the entries lie in. Positions and numbers are AUTOINCREMENT where they outlive their rows: a plain INTEGER PRIMARY KEY
 * starts again at 1 once its table is empty, and a sink's cursor would then pass over what is new.
 */
import { ERASURES_STEP } from './sinks/erasures.ts';

export const LEDGER_STEPS: readonly string[] = [
  `-- The log that sinks read in order: batches as they came, and flags.
   CREATE TABLE entries (
     position INTEGER PRIMARY KEY AUTOINCREMENT,
     kind TEXT NOT NULL CHECK (kind IN ('batch', 'flag')),
     received_at_ms INTEGER NOT NULL
   ) STRICT;

   CREATE TABLE batches (
     position INTEGER PRIMARY KEY REFERENCES entries (position) ON DELETE CASCADE,
     kiosk TEXT NOT NULL,
     kiosk_public_key BLOB NOT NULL,
     placement TEXT NOT NULL,
     topic TEXT NOT NULL,
     record_no INTEGER NOT NULL REFERENCES key_records (record_no),
     sign1 BLOB NOT NULL
   ) STRICT;
   CREATE INDEX batches_by_record ON batches (record_no);

   -- Each row beside, not in, its batch: one can be erased and the signature over the rest still verifies.
   CREATE TABLE rows (
     position INTEGER NOT NULL REFERENCES batches (position) ON DELETE CASCADE,
     seq INTEGER NOT NULL,
     row BLOB NOT NULL,
     PRIMARY KEY (position, seq)
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE flag_entries (
     position INTEGER PRIMARY KEY REFERENCES entries (position) ON DELETE CASCADE,
     kiosk TEXT NOT NULL,
     key_id BLOB NOT NULL,
     seq INTEGER NOT NULL,
     state TEXT NOT NULL CHECK (state IN ('confirmed', 'unconfirmed', 'cleared')),
     raised_at_ms INTEGER NOT NULL,
     expires_at_ms INTEGER NOT NULL
   ) STRICT;

   CREATE TABLE key_records (
     record_no INTEGER PRIMARY KEY AUTOINCREMENT,
     digest BLOB NOT NULL UNIQUE,
     record BLOB NOT NULL
   ) STRICT;

   CREATE TABLE epochs (
     epoch_no INTEGER PRIMARY KEY AUTOINCREMENT,
     kiosk TEXT NOT NULL,
     epoch BLOB NOT NULL,
     -- Sequence numbers that came under two content keys: two live copies of one kiosk, or an older image of it.
     cloned_count INTEGER NOT NULL DEFAULT 0,
     UNIQUE (kiosk, epoch)
   ) STRICT;

   CREATE TABLE content_keys (
     key_no INTEGER PRIMARY KEY AUTOINCREMENT,
     kiosk TEXT NOT NULL,
     key_id BLOB NOT NULL,
     epoch_no INTEGER NOT NULL REFERENCES epochs (epoch_no),
     UNIQUE (kiosk, key_id)
   ) STRICT;

   -- What was seen. Outlives the rows, or a kiosk that comes back after weeks would count twice.
   CREATE TABLE seen (
     epoch_no INTEGER NOT NULL,
     seq INTEGER NOT NULL,
     key_no INTEGER NOT NULL,
     digest BLOB NOT NULL,
     -- Days since 1970 of its receipt.
     day INTEGER NOT NULL,
     PRIMARY KEY (epoch_no, seq, key_no)
   ) STRICT, WITHOUT ROWID;

   -- Ranges of sequence numbers that came; what lies between them is missing. Outlives seen.
   CREATE TABLE spans (
     epoch_no INTEGER NOT NULL,
     first_seq INTEGER NOT NULL,
     last_seq INTEGER NOT NULL,
     PRIMARY KEY (epoch_no, first_seq)
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE quarantine (
     no INTEGER PRIMARY KEY AUTOINCREMENT,
     kiosk TEXT NOT NULL,
     digest BLOB NOT NULL,
     received_at_ms INTEGER NOT NULL,
     reason TEXT NOT NULL,
     -- One row of a batch has its sequence number and what is needed to verify it; a whole message has none of the three.
     seq INTEGER,
     sign1 BLOB,
     key_record BLOB,
     content BLOB NOT NULL,
     size_bytes INTEGER NOT NULL,
     UNIQUE (kiosk, digest)
   ) STRICT;
   CREATE INDEX quarantine_sizes ON quarantine (kiosk, size_bytes);

   CREATE TABLE sinks (name TEXT PRIMARY KEY, position INTEGER NOT NULL, dropped_entries INTEGER NOT NULL DEFAULT 0) STRICT;

   -- High or not, never how high. A first reading that was not high changes no flag and is not kept.
   CREATE TABLE readings (
     kiosk TEXT NOT NULL,
     of_key_id BLOB NOT NULL,
     of_seq INTEGER NOT NULL,
     key_id BLOB NOT NULL,
     seq INTEGER NOT NULL,
     attempt INTEGER NOT NULL CHECK (attempt IN (1, 2)),
     is_high INTEGER NOT NULL CHECK (is_high IN (0, 1)),
     taken_at_ms INTEGER NOT NULL,
     received_at_ms INTEGER NOT NULL,
     PRIMARY KEY (kiosk, of_key_id, of_seq, key_id, seq)
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE flags (
     kiosk TEXT NOT NULL,
     of_key_id BLOB NOT NULL,
     of_seq INTEGER NOT NULL,
     -- HMAC of the visitor's UUID; finds a revoked card's flags; never leaves this file.
     pseudonym BLOB NOT NULL,
     -- What operators may see: differs by venue and day.
     subject TEXT NOT NULL,
     venue TEXT NOT NULL,
     entrance TEXT NOT NULL,
     state TEXT NOT NULL CHECK (state IN ('pending', 'confirmed', 'unconfirmed', 'cleared')),
     -- When a pending one becomes unconfirmed.
     deadline_ms INTEGER,
     reading_key_id BLOB NOT NULL,
     reading_seq INTEGER NOT NULL,
     raised_at_ms INTEGER NOT NULL,
     expires_at_ms INTEGER NOT NULL,
     PRIMARY KEY (kiosk, of_key_id, of_seq)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX flags_pending ON flags (deadline_ms) WHERE state = 'pending';
   CREATE INDEX flags_by_pseudonym ON flags (pseudonym);`,
  `-- The files of entries, in their order; \`upgradeLedger\` carries over what the tables of step 1 still hold.
   CREATE TABLE segments (
     no INTEGER PRIMARY KEY AUTOINCREMENT,
     -- Days since 1970 of its first commit.
     day INTEGER NOT NULL,
     started_at_ms INTEGER NOT NULL,
     -- All entries from here to the next segment's first position, without gaps.
     first_position INTEGER NOT NULL
   ) STRICT;

   -- Up to where the entries are in this index. They are committed first; what the index lacks after a power cut is made again from them.
   CREATE TABLE applied (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL) STRICT;
   INSERT INTO applied VALUES (1, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'entries'), 0));

   -- What was seen, 64 sequence numbers a line: for each row its number modulo 64, a byte, and the first 12 bytes of its digest.
   CREATE TABLE seen_windows (
     no INTEGER PRIMARY KEY AUTOINCREMENT,
     epoch_no INTEGER NOT NULL,
     -- The sequence number over 64.
     window INTEGER NOT NULL,
     key_no INTEGER NOT NULL,
     -- Days since 1970 of the last receipt.
     day INTEGER NOT NULL,
     entries BLOB NOT NULL,
     UNIQUE (epoch_no, window, key_no)
   ) STRICT;
   INSERT INTO seen_windows (epoch_no, window, key_no, day, entries)
     SELECT epoch_no, seq / 64, key_no, max(day), unhex(group_concat(printf('%02x', seq % 64) || substr(hex(digest), 1, 24), ''))
     FROM seen GROUP BY epoch_no, seq / 64, key_no ORDER BY max(day);
   DROP TABLE seen;`,
  `-- Sequence numbers that never came, below a range that swallowed the gap they left.
   ALTER TABLE epochs ADD COLUMN given_up INTEGER NOT NULL DEFAULT 0;
   CREATE INDEX content_keys_by_epoch ON content_keys (epoch_no);`,
  `-- Entries that one sink refuses for what they are, by their place in the ledger, which has them as long as retention lets it.
   CREATE TABLE set_aside (
     sink TEXT NOT NULL,
     position INTEGER NOT NULL,
     kiosk TEXT NOT NULL,
     kind TEXT NOT NULL,
     reason TEXT NOT NULL,
     set_aside_at_ms INTEGER NOT NULL,
     PRIMARY KEY (sink, position)
   ) STRICT, WITHOUT ROWID;`,
  `-- Positions that were passed over before its first: after a restore, to go on above all that was ever given out.
   ALTER TABLE segments ADD COLUMN skipped INTEGER NOT NULL DEFAULT 0;`,
  ERASURES_STEP,
];
