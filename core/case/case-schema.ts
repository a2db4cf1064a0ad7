/** The tables of stickers, results and cases in core.db. A card lies in a column `card`, and nowhere else, so that it can be erased by it. */

export const CASE_STEP = `
  -- Each link and each result as it was said, however late, twice or against another: what holds of them is a rule over all (sticker-rule.ts).
  -- A sticker lies here by a keyed name. An origin is a row of a kiosk, or one request over REST.
  CREATE TABLE sticker_link (
    origin TEXT PRIMARY KEY,
    sticker BLOB NOT NULL CHECK (length(sticker) = 16),
    card BLOB NOT NULL CHECK (length(card) = 16),
    at_ms INTEGER NOT NULL,
    venue TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sticker_link_by_sticker ON sticker_link (sticker);
  CREATE INDEX sticker_link_by_card ON sticker_link (card);

  CREATE TABLE sticker_result (
    origin TEXT PRIMARY KEY,
    sticker BLOB NOT NULL CHECK (length(sticker) = 16),
    -- The digest of a clinician's code, or who was admitted over REST.
    recorder TEXT NOT NULL,
    result TEXT NOT NULL CHECK (result IN ('positive', 'negative', 'void')),
    at_ms INTEGER NOT NULL,
    venue TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sticker_result_by_sticker ON sticker_result (sticker);

  -- AUTOINCREMENT: a number is never given twice.
  CREATE TABLE "case" (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    card BLOB NOT NULL CHECK (length(card) = 16),
    source TEXT NOT NULL CHECK (source IN ('sticker', 'officer', 'partner', 'temperature-flag')),
    -- The same thing said again is the same case.
    origin TEXT NOT NULL UNIQUE,
    -- What its source says, and what a health officer has decided since.
    said TEXT NOT NULL CHECK (said IN ('suspected', 'confirmed', 'dismissed')),
    decided TEXT CHECK (decided IN ('suspected', 'confirmed', 'dismissed')),
    confirmed_at_ms INTEGER,
    tested_at_ms INTEGER,
    onset_at_ms INTEGER,
    raised_at_ms INTEGER NOT NULL,
    changed_at_ms INTEGER NOT NULL,
    venue TEXT,
    region TEXT
  ) STRICT;
  CREATE INDEX case_by_card ON "case" (card);
`;

/** A sticker is for one test: of one whose rows are forgotten this stays, a keyed name, as of a card that was taken back its tombstone does. */
export const SPENT_STICKER_STEP = `
  CREATE TABLE sticker_spent (sticker BLOB PRIMARY KEY CHECK (length(sticker) = 16)) STRICT, WITHOUT ROWID;
  -- By retention, or since its card was taken back. One that was linked to another card as well goes on for that one.
  CREATE TRIGGER sticker_link_forgotten AFTER DELETE ON sticker_link
  WHEN NOT EXISTS (SELECT 1 FROM sticker_link WHERE sticker = OLD.sticker) BEGIN
    INSERT OR IGNORE INTO sticker_spent VALUES (OLD.sticker);
  END;
  CREATE TRIGGER sticker_result_forgotten AFTER DELETE ON sticker_result
  WHEN NOT EXISTS (SELECT 1 FROM sticker_link WHERE sticker = OLD.sticker) BEGIN
    INSERT OR IGNORE INTO sticker_spent VALUES (OLD.sticker);
  END;
`;
