/**
 * Venues and their entrances, in the registry's file: the one place where they are read and changed, by a command or by a page. A running
 * gateway tells the kiosks within a second of a change.
 */
import { ConfigError } from '../../protocol/errors.ts';
import { type EntranceId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { FLAG_OVERLAP_MS } from '../../protocol/ledger-entry.ts';
import { type Db, translating } from '../database.ts';
import { type Entrance, MOST_ENTRANCES, NEW_VENUE, parseEntrance, parseVenueChange, type Venue, type VenueRules } from './venue.ts';

interface VenueRow {
  id: VenueId;
  name: string;
  timezone: string;
  organisation: string;
  site: string;
  region: string;
  kind: VenueRules['kind'];
  dwell_ms: number;
  lingering_ms: number;
  threshold_centi_celsius: NonNullable<VenueRules['threshold']> | null;
  unsigned_cards: VenueRules['unsignedCards'];
  are_flags_told: 0 | 1;
  flag_overlap_ms: number;
  are_flagged_suspected: 0 | 1;
}

/** The version is 0 until anything was said of flags, and steps up with each change of what is. */
export const FLAG_RULE_STEP = `
  ALTER TABLE venues ADD COLUMN are_flags_told INTEGER NOT NULL DEFAULT 1 CHECK (are_flags_told IN (0, 1));
  ALTER TABLE venues ADD COLUMN flag_overlap_ms INTEGER NOT NULL DEFAULT ${FLAG_OVERLAP_MS.usual} CHECK (flag_overlap_ms > 0);
  ALTER TABLE venues ADD COLUMN are_flagged_suspected INTEGER NOT NULL DEFAULT 0 CHECK (are_flagged_suspected IN (0, 1));
  ALTER TABLE venues ADD COLUMN flag_rule_version INTEGER NOT NULL DEFAULT 0 CHECK (flag_rule_version >= 0);`;

interface EntranceRow {
  id: EntranceId;
  venue: VenueId;
  name: string;
  direction: Entrance['direction'];
  is_told: 0 | 1;
}

export class VenueBook {
  readonly #db: Db;
  readonly #onChange: () => void;

  /** @param db the registry's. @param onChange told after each change made here. */
  constructor(db: Db, onChange: () => void) {
    this.#db = db;
    this.#onChange = onChange;
  }

  /** By name. @throws StoreError. */
  venues(): Venue[] {
    return translating('registry', () => {
      const entrances = Map.groupBy(
        this.#db.prepare('SELECT id, venue, name, direction, is_told FROM entrances ORDER BY name, id').all() as EntranceRow[],
        ({ venue }) => venue,
      );
      const rows = this.#db.prepare('SELECT * FROM venues ORDER BY name, id').all() as VenueRow[];
      return rows.map((row) => venueOf(row, entrances.get(row.id) ?? []));
    });
  }

  /** @throws ConfigError `config.invalid` when there is none of that id; StoreError. */
  venue(id: VenueId): Venue {
    const found = this.venues().find((venue) => venue.id === id);
    if (found === undefined) throw new ConfigError('config.invalid', `venue ${id}: not registered`);
    return found;
  }

  /**
   * @param rules a name and a time zone, and what else is known; the rest is as in NEW_VENUE.
   * @param id of `newVenueId`, so that cores know whose it is. @throws ConfigError `config.invalid` with every fault; StoreError.
   */
  add(rules: unknown, id: VenueId): Venue {
    const { name, timezone, ...more } = parseVenueChange(rules);
    if (name === undefined || timezone === undefined) throw new ConfigError('config.invalid', 'venue: name and timezone are needed');
    this.#write(() => {
      this.#db.prepare('INSERT INTO venues (id, name, timezone) VALUES (?, ?, ?)').run(id, name, timezone);
      this.#put(id, { ...NEW_VENUE, ...more, name, timezone });
    });
    return this.venue(id);
  }

  /**
   * Changes what `change` names, and nothing else. A stay that is set here holds for every kiosk of the venue, one admitted with another too.
   * @throws ConfigError `config.invalid` with every fault; StoreError.
   */
  edit(id: VenueId, change: unknown): Venue {
    const rules = parseVenueChange(change);
    this.#write(() => {
      const { id: _id, entrances: _entrances, ...before } = this.venue(id);
      this.#put(id, { ...before, ...rules });
      if (rules.dwellMs !== undefined) this.#db.prepare('UPDATE kiosks SET dwell_ms = NULL WHERE venue = ?').run(id);
    });
    return this.venue(id);
  }

  /**
   * Adds an entrance, or gives the one of that name or id at the venue another direction; its kiosks are told.
   * @throws ConfigError `config.invalid` with every fault, or when the venue has 64 already; StoreError.
   */
  putEntrance(venue: VenueId, wanted: unknown): Entrance {
    const { name, direction } = parseEntrance(wanted);
    return this.#write(() => {
      const { entrances } = this.venue(venue);
      const known = entrances.find((entrance) => entrance.id === name || entrance.name === name);
      if (known === undefined && entrances.length >= MOST_ENTRANCES)
        throw new ConfigError('config.invalid', `venue ${venue}: has ${MOST_ENTRANCES} entrances already`);
      const entrance = { id: known?.id ?? newPlaceId<EntranceId>(), name: known?.name ?? name, direction, isTold: true };
      this.#db
        .prepare(
          `INSERT INTO entrances (id, venue, name, direction, is_told) VALUES (?, ?, ?, ?, 1)
           ON CONFLICT (id) DO UPDATE SET direction = excluded.direction, is_told = 1`,
        )
        .run(entrance.id, venue, entrance.name, direction);
      return entrance;
    });
  }

  /**
   * Gives an entrance another name; what it is for stays as it is. @param which its name, or its id.
   * @throws ConfigError `config.invalid` when there is none, or another one at the venue is called so; StoreError.
   */
  renameEntrance(venue: VenueId, which: string, wanted: string): void {
    this.#write(() => {
      const { entrances } = this.venue(venue);
      const entrance = entrances.find((one) => one.id === which || one.name === which);
      if (entrance === undefined) throw new ConfigError('config.invalid', `venue ${venue}: no entrance "${which}"`);
      const { name } = parseEntrance({ name: wanted, direction: entrance.direction });
      if (entrances.some((one) => one !== entrance && (one.name === name || one.id === name)))
        throw new ConfigError('config.invalid', `venue ${venue}: another entrance is "${name}"`);
      this.#db.prepare('UPDATE entrances SET name = ? WHERE id = ?').run(name, entrance.id);
    });
  }

  /** @param name of the entrance, or its id. @throws ConfigError `config.invalid` when there is none, or a kiosk hangs there; StoreError. */
  removeEntrance(venue: VenueId, name: string): void {
    this.#write(() => {
      const entrance = this.venue(venue).entrances.find((one) => one.id === name || one.name === name);
      if (entrance === undefined)
        throw new ConfigError('config.invalid', `venue ${venue}: no entrance "${name}"; it has ${namesOf(this.venue(venue))}`);
      const hangs = this.#db.prepare('SELECT 1 FROM kiosks WHERE entrance = ? LIMIT 1').get(entrance.id);
      if (hangs !== undefined) throw new ConfigError('config.invalid', `entrance ${entrance.id}: a kiosk was admitted there`);
      this.#db.prepare('DELETE FROM entrances WHERE id = ?').run(entrance.id);
    });
  }

  /** Removes a venue with its entrances. @throws ConfigError `config.invalid` when there is none, or a kiosk was admitted there; StoreError. */
  remove(id: VenueId): void {
    this.#write(() => {
      const { name } = this.venue(id);
      const kiosk = this.#db.prepare('SELECT kiosk FROM kiosks WHERE venue = ? ORDER BY revoked_at_ms IS NOT NULL LIMIT 1').pluck().get(id);
      // A revoked one, too: its row is what keeps it out.
      if (kiosk !== undefined)
        throw new ConfigError('config.invalid', `venue ${id} (${name}): kiosk ${String(kiosk)} was admitted there; move it first`);
      if (this.#db.prepare('SELECT 1 FROM clinicians WHERE venue = ? LIMIT 1').get(id) !== undefined)
        throw new ConfigError('config.invalid', `venue ${id} (${name}): clinicians were given codes for it`);
      this.#db.prepare('DELETE FROM entrances WHERE venue = ?').run(id);
      this.#db.prepare('DELETE FROM venues WHERE id = ?').run(id);
    });
  }

  /** Does all that `work` changes here, or none of it. @throws what `work` throws. */
  together<T>(work: () => T): T {
    return this.#write(work);
  }

  #put(id: VenueId, rules: VenueRules): void {
    const flags = [Number(rules.areFlagsTold), rules.flagOverlapMs, Number(rules.areFlaggedSuspected)];
    this.#db
      .prepare(
        `UPDATE venues SET name = ?, organisation = ?, site = ?, region = ?, kind = ?, timezone = ?, dwell_ms = ?, lingering_ms = ?,
           threshold_centi_celsius = ?, unsigned_cards = ?,
           flag_rule_version = flag_rule_version + (are_flags_told <> ? OR flag_overlap_ms <> ? OR are_flagged_suspected <> ?),
           are_flags_told = ?, flag_overlap_ms = ?, are_flagged_suspected = ? WHERE id = ?`,
      )
      .run(
        rules.name,
        rules.organisation,
        rules.site,
        rules.region,
        rules.kind,
        rules.timezone,
        rules.dwellMs,
        rules.lingeringMs,
        rules.threshold ?? null,
        rules.unsignedCards,
        ...flags,
        ...flags,
        id,
      );
  }

  #write<T>(work: () => T): T {
    const done = translating('registry', () => this.#db.transact(work));
    this.#onChange();
    return done;
  }
}

const namesOf = ({ entrances }: Venue): string => entrances.map(({ id, name }) => (name === '' ? id : `"${name}"`)).join(', ') || 'none';

const venueOf = (row: VenueRow, entrances: readonly EntranceRow[]): Venue => ({
  id: row.id,
  name: row.name,
  organisation: row.organisation,
  site: row.site,
  region: row.region,
  kind: row.kind,
  timezone: row.timezone,
  dwellMs: row.dwell_ms,
  lingeringMs: row.lingering_ms,
  threshold: row.threshold_centi_celsius ?? undefined,
  unsignedCards: row.unsigned_cards,
  areFlagsTold: row.are_flags_told === 1,
  flagOverlapMs: row.flag_overlap_ms,
  areFlaggedSuspected: row.are_flagged_suspected === 1,
  entrances: entrances.map(({ id, name, direction, is_told }) => ({ id, name, direction, isTold: is_told === 1 })),
});
