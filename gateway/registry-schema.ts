/** The registry's layout. A step is never changed once it was released: the next one follows it. */
import { FLAG_RULE_STEP } from './policy/venue-book.ts';
import { ERASED_CARDS_STEP, ERASED_SINKS_STEP, ERASED_TOLD_STEP } from './revoke/erased-cards.ts';
import { ROLLOUT_MAY_FAIL_STEP, ROLLOUTS_STEP } from './rollout/rollout-book.ts';
import { PINS_STEP } from './rotate/pin-book.ts';
import { SEALS_STEP } from './rotate/seal-book.ts';

export const REGISTRY_STEPS = [
  `CREATE TABLE venues (id TEXT PRIMARY KEY, name TEXT NOT NULL, timezone TEXT NOT NULL) STRICT;
   CREATE TABLE kiosks (
     kiosk TEXT PRIMARY KEY,
     public_key BLOB NOT NULL UNIQUE,
     venue TEXT NOT NULL REFERENCES venues (id),
     entrance TEXT NOT NULL,
     direction TEXT NOT NULL CHECK (direction IN ('in', 'out', 'both')),
     dwell_ms INTEGER NOT NULL CHECK (dwell_ms > 0),
     admitted_at_ms INTEGER NOT NULL,
     revoked_at_ms INTEGER
   ) STRICT;`,
  // What a venue goes by, what its entrances are for, which cards are lost, and what kiosks were told of it. A kiosk that was admitted with
  // a stay of its own keeps it; the direction of its entrance is told to nobody until a person sets it, for it may never have been looked at.
  `ALTER TABLE venues ADD COLUMN organisation TEXT NOT NULL DEFAULT '';
   ALTER TABLE venues ADD COLUMN site TEXT NOT NULL DEFAULT '';
   ALTER TABLE venues ADD COLUMN region TEXT NOT NULL DEFAULT '';
   ALTER TABLE venues ADD COLUMN kind TEXT NOT NULL DEFAULT 'other';
   ALTER TABLE venues ADD COLUMN dwell_ms INTEGER NOT NULL DEFAULT 7200000 CHECK (dwell_ms > 0);
   ALTER TABLE venues ADD COLUMN lingering_ms INTEGER NOT NULL DEFAULT 0 CHECK (lingering_ms >= 0);
   ALTER TABLE venues ADD COLUMN threshold_centi_celsius INTEGER;
   ALTER TABLE venues ADD COLUMN unsigned_cards TEXT NOT NULL DEFAULT 'as-gateway'
     CHECK (unsigned_cards IN ('as-gateway', 'taken', 'refused'));
   CREATE TABLE entrances (
     id TEXT PRIMARY KEY,
     venue TEXT NOT NULL REFERENCES venues (id),
     name TEXT NOT NULL,
     direction TEXT NOT NULL CHECK (direction IN ('in', 'out', 'both')),
     is_told INTEGER NOT NULL CHECK (is_told IN (0, 1))
   ) STRICT;
   CREATE INDEX entrances_by_venue ON entrances (venue);
   INSERT OR IGNORE INTO entrances (id, venue, name, direction, is_told)
     SELECT entrance, venue, '', direction, 0 FROM kiosks ORDER BY revoked_at_ms IS NOT NULL, admitted_at_ms DESC;
   CREATE TABLE admitted (
     kiosk TEXT PRIMARY KEY,
     public_key BLOB NOT NULL UNIQUE,
     venue TEXT NOT NULL REFERENCES venues (id),
     entrance TEXT NOT NULL REFERENCES entrances (id),
     dwell_ms INTEGER CHECK (dwell_ms > 0),
     admitted_at_ms INTEGER NOT NULL,
     revoked_at_ms INTEGER
   ) STRICT;
   INSERT INTO admitted SELECT kiosk, public_key, venue, entrance, dwell_ms, admitted_at_ms, revoked_at_ms FROM kiosks;
   DROP TABLE kiosks;
   ALTER TABLE admitted RENAME TO kiosks;
   CREATE TABLE lost_cards (digest BLOB PRIMARY KEY, reported_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE policies (
     kiosk TEXT PRIMARY KEY,
     filter_key BLOB NOT NULL,
     rules_digest BLOB NOT NULL,
     version INTEGER NOT NULL CHECK (version > 0),
     issued_at_ms INTEGER NOT NULL,
     expires_at_ms INTEGER NOT NULL,
     held_version INTEGER,
     held_at_ms INTEGER,
     refused_code TEXT
   ) STRICT;`,
  // When this gateway was brought back from a backup, and which kiosks have sent again what it lacked. The version is what kiosks are told.
  `CREATE TABLE restores (
     version INTEGER PRIMARY KEY CHECK (version > 0),
     backup_at_ms INTEGER NOT NULL,
     restored_at_ms INTEGER NOT NULL,
     -- The ledger goes on counting behind this.
     skip_to INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE sent_again (kiosk TEXT PRIMARY KEY, version INTEGER NOT NULL, at_ms INTEGER NOT NULL) STRICT;`,
  // What a kiosk's certificate says that it is for, and who may record results at which venue.
  `ALTER TABLE kiosks ADD COLUMN role TEXT NOT NULL DEFAULT 'kiosk' CHECK (role IN ('kiosk', 'clinic'));
   CREATE TABLE clinicians (
     number INTEGER PRIMARY KEY AUTOINCREMENT,
     venue TEXT NOT NULL REFERENCES venues (id),
     label TEXT NOT NULL,
     digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 16),
     added_at_ms INTEGER NOT NULL,
     revoked_at_ms INTEGER
   ) STRICT;
   CREATE INDEX clinicians_by_venue ON clinicians (venue);`,
  ERASED_CARDS_STEP,
  FLAG_RULE_STEP,
  PINS_STEP,
  ERASED_TOLD_STEP,
  // What operators call a kiosk.
  "ALTER TABLE kiosks ADD COLUMN name TEXT NOT NULL DEFAULT '';",
  ERASED_SINKS_STEP,
  ROLLOUTS_STEP,
  ROLLOUT_MAY_FAIL_STEP,
  SEALS_STEP,
];
