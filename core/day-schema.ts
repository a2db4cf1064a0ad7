/**
 * The tables of a day's file. Scans come as *runs*, in columns, as they were kept together; now and then they are laid by card onto *shelves*,
 * and the visits that they make by venue into *halls*: the day's columns. What came since lies in runs again. `place` says which rows are held.
 */

const SHELVES_BY_ROWS = `
  CREATE TABLE scan (
    stream INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    card BLOB NOT NULL CHECK (length(card) = 16),
    venue INTEGER NOT NULL,
    kind INTEGER NOT NULL CHECK (kind IN (1, 2)),
    at_ms INTEGER NOT NULL,
    uncertainty_ms INTEGER NOT NULL CHECK (uncertainty_ms >= 0),
    dwell_ms INTEGER NOT NULL CHECK (dwell_ms >= 0),
    group_size INTEGER NOT NULL,
    PRIMARY KEY (stream, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX scan_by_card ON scan (card);
  CREATE INDEX scan_by_venue ON scan (venue, at_ms);
  CREATE INDEX scan_unsure ON scan (venue, at_ms) WHERE uncertainty_ms > 600000;

  CREATE TABLE reading (
    stream INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    card BLOB NOT NULL CHECK (length(card) = 16),
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX reading_by_card ON reading (card);
`;

export const DAY_SCHEMA = [
  SHELVES_BY_ROWS,
  'ALTER TABLE scan ADD COLUMN lingering_ms INTEGER NOT NULL DEFAULT 0 CHECK (lingering_ms >= 0)',
  `
  -- Days of this layout are not read any more: core.db drops them (core-db.ts).
  DROP TABLE scan;
  DROP TABLE reading;

  -- AUTOINCREMENT: a number is never given twice, so that a reader knows which runs it has seen.
  CREATE TABLE run (id INTEGER PRIMARY KEY AUTOINCREMENT, scans BLOB NOT NULL) STRICT;

  -- Rows that are held, each stretch of numbers without a gap. Of each row the first two bytes of its card's name: on which shelf it lies.
  CREATE TABLE place (
    stream INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    prefixes BLOB NOT NULL,
    PRIMARY KEY (stream, first_seq)
  ) STRICT, WITHOUT ROWID;

  -- Of the generation that columns says; those of another are left over and mean nothing.
  CREATE TABLE columns (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    generation INTEGER NOT NULL,
    -- A shelf has the names that begin with its number in this many bits.
    shelf_bits INTEGER NOT NULL,
    scans INTEGER NOT NULL
  ) STRICT;
  INSERT INTO columns VALUES (1, 0, 0, 0);

  -- id: generation * 65536 + shelf.
  CREATE TABLE shelf (id INTEGER PRIMARY KEY, scans BLOB NOT NULL) STRICT;

  CREATE TABLE hall (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    generation INTEGER NOT NULL,
    venue INTEGER NOT NULL,
    -- From the earliest possible start to the latest possible end of its visits.
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    visits BLOB NOT NULL
  ) STRICT;
  CREATE INDEX hall_by_venue ON hall (generation, venue, from_ms, to_ms);

  -- Names of cards whose visits can not be told from this day alone: 1 still in at its end, 2 out without having come in.
  CREATE TABLE loose (
    generation INTEGER NOT NULL,
    kind INTEGER NOT NULL CHECK (kind IN (1, 2)),
    names BLOB NOT NULL,
    PRIMARY KEY (generation, kind)
  ) STRICT, WITHOUT ROWID;

  -- Names that begin with these two bytes: something that was said of their rows since (an undo, a doubt) is not in the columns.
  CREATE TABLE stale (id INTEGER PRIMARY KEY AUTOINCREMENT, prefix INTEGER NOT NULL) STRICT;

  CREATE TABLE total (kind INTEGER PRIMARY KEY, scans INTEGER NOT NULL) STRICT;
  INSERT INTO total VALUES (0, 0), (1, 0), (2, 0);
  `,
  `
  -- No scan of the day is less sure, and no venue's air lingered for longer: how far from the day its visits can reach.
  ALTER TABLE columns ADD COLUMN most_unsure_ms INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE columns ADD COLUMN most_lingering_ms INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- Runs up to this one are in the columns: they mean nothing any more, and go by and by.
  ALTER TABLE columns ADD COLUMN last_run INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- A venue's halls lie one behind the other, and are found without an index.
  -- id: (generation * 2^26 + venue) * 2^10 + how many of the venue's lie before it.
  CREATE TABLE hall_by_id (
    id INTEGER PRIMARY KEY,
    -- From the earliest possible start to the latest possible end of its visits.
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    visits BLOB NOT NULL
  ) STRICT;
  INSERT INTO hall_by_id SELECT (generation * 67108864 + venue) * 1024 + nth, from_ms, to_ms, visits
    FROM (SELECT *, row_number() OVER (PARTITION BY generation, venue ORDER BY from_ms, id) - 1 AS nth FROM hall) ORDER BY generation, venue, nth;
  DROP TABLE hall;
  ALTER TABLE hall_by_id RENAME TO hall;
  `,
] as const;

/** Of one generation. */
export const SHELVES = 65_536;
/** Of one venue. */
export const HALLS = 2 ** 10;
const VENUES = 2 ** 26;
const GENERATIONS = 2 ** 17;

/** @returns the number of a venue's first hall; the others lie behind it. @param venue its number in core.db. */
export function firstHall(generation: number, venue: number): number {
  if (venue >= VENUES || generation > GENERATIONS) throw new RangeError(`hall: no number for venue ${venue}, generation ${generation}`);
  return (generation * VENUES + venue) * HALLS;
}

/** Kinds of loose cards. */
export const LOOSE = { in: 1, out: 2 } as const;
