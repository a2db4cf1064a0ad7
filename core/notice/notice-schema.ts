/** The tables of traces, exposures and venues' notices in core.db. A card lies in a column `card`, and nowhere else, so that it can be erased by it. */

export const NOTICE_STEP = `
  -- What is traced, by its source: 'case/<number>' or 'flag/<stream>/<number of the reading>'.
  CREATE TABLE trace (
    source TEXT PRIMARY KEY,
    anchor_ms INTEGER NOT NULL,
    -- Whether holders are told: not of a case that is only suspected.
    is_raised INTEGER NOT NULL CHECK (is_raised IN (0, 1)),
    policy_version INTEGER NOT NULL,
    -- Past it nobody is told any more; the end of a flag.
    ends_at_ms INTEGER,
    -- Rows within came so often, and of so many it has been traced: a trace that is cut off is still to be done.
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    wanted INTEGER NOT NULL,
    done INTEGER NOT NULL,
    -- NULL: at once.
    traced_at_ms INTEGER
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE exposure (
    source TEXT NOT NULL,
    card BLOB NOT NULL CHECK (length(card) = 16),
    level TEXT NOT NULL CHECK (level IN ('high', 'medium', 'flag')),
    -- 1 met the case, 2 met somebody who did.
    degree INTEGER NOT NULL CHECK (degree IN (1, 2)),
    met_at_ms INTEGER NOT NULL,
    overlap_ms INTEGER NOT NULL,
    is_certain INTEGER NOT NULL CHECK (is_certain IN (0, 1)),
    policy_version INTEGER NOT NULL,
    -- JSON: the meetings, and the rows that made them. It names no card.
    lineage TEXT NOT NULL,
    -- The earliest day that a row of it may lie on: when that is forgotten, this is, too.
    day TEXT NOT NULL,
    found_at_ms INTEGER NOT NULL,
    -- NULL while nobody is told.
    raised_at_ms INTEGER,
    first_shown_at_ms INTEGER,
    -- From then on it is shown no more.
    ends_at_ms INTEGER,
    PRIMARY KEY (source, card)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX exposure_by_card ON exposure (card);
  CREATE INDEX exposure_by_end ON exposure (ends_at_ms);

  -- For cleaning and airing: when and how busy, by whole hours, and of nobody.
  CREATE TABLE venue_notice (
    source TEXT NOT NULL,
    venue TEXT NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    -- NULL where too few to tell.
    visitors INTEGER,
    day TEXT NOT NULL,
    raised_at_ms INTEGER NOT NULL,
    PRIMARY KEY (source, venue, from_ms)
  ) STRICT, WITHOUT ROWID;

  -- The card of a reading that a flag may stand on: neither what it read nor any other reading.
  CREATE TABLE high_reading (
    stream INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    card BLOB NOT NULL CHECK (length(card) = 16),
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, seq)
  ) STRICT, WITHOUT ROWID;
`;

/** What the venue said of flags when the reading came: as the core's policy where it said nothing. */
export const FLAG_RULE_STEP = `
  ALTER TABLE high_reading ADD COLUMN rule_version INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE high_reading ADD COLUMN is_told INTEGER NOT NULL DEFAULT 1 CHECK (is_told IN (0, 1));
  -- NULL: as the policy's.
  ALTER TABLE high_reading ADD COLUMN minimum_overlap_ms INTEGER;
  ALTER TABLE high_reading ADD COLUMN is_suspected INTEGER NOT NULL DEFAULT 0 CHECK (is_suspected IN (0, 1));
  -- Of a flag's: by which version of its venue's rule; 0 where the venue said nothing.
  ALTER TABLE exposure ADD COLUMN venue_rule_version INTEGER NOT NULL DEFAULT 0;
`;
