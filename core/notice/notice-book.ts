/**
 * Exposures and the notices that come of them, in core.db: found, raised, first shown, aged off, withdrawn. A notice is an exposure that its
 * holder is told of. Nothing here outlives the days that it was made of.
 */
import type { VenueId } from '../../protocol/ids.ts';
import { MOST_NOTICES } from '../../protocol/notice.ts';
import { type Day, dayOf, startOfDay } from '../day.ts';
import type { FlagRule, HolderNotice } from '../intake.ts';
import type { RowNumber } from '../notes.ts';
import type { CardPseudonym } from '../pseudonym.ts';
import { type Db, inStore, prepared } from '../sqlite.ts';
import { decodeRows, type ExposureRows, type LineageStep } from '../trace/exposure-rows.ts';

/** After it was first shown at a kiosk; to a holder who asks, also after it was raised. */
export const SHOWN_FOR_MS = 48 * 3_600_000;
/** A notice that nobody was shown. */
export const UNSEEN_FOR_MS = 14 * 86_400_000;

export type Level = HolderNotice['level'];

/** A confirmed high-temperature flag. */
export interface StandingFlag {
  /** `<stream>/<number of the reading>`. */
  readonly name: string;
  readonly card: CardPseudonym;
  readonly raisedAtMs: number;
  readonly expiresAtMs: number;
  /** As its venue says; `undefined`: as the policy does. */
  readonly minimumOverlapMs: number | undefined;
  /** Of the venue's rule; 0 where it said nothing. */
  readonly ruleVersion: number;
}

/** What a trace is of, whose findings are written in the place of what it found before. */
export interface Finding {
  readonly source: string;
  readonly policyVersion: number;
  /** Whether holders are told. */
  readonly isRaised: boolean;
  /** Nobody is told past it. */
  readonly endsAtMs: number | undefined;
  /** `flag` for all of them; by their priority where it is not given. */
  readonly level?: 'flag';
  /** Of a flag's: by which version of its venue's rule. */
  readonly venueRuleVersion?: number;
}

export interface VenueNotice {
  readonly venue: VenueId;
  /** Whole hours. */
  readonly fromMs: number;
  readonly toMs: number;
  /** `undefined` where too few to tell. */
  readonly visitors: number | undefined;
}

/** One of a case's exposures, for those who may see them. */
export interface FoundExposure {
  readonly card: CardPseudonym;
  readonly level: Level;
  readonly degree: 1 | 2;
  readonly metAtMs: number;
  readonly overlapMs: number;
  readonly isCertain: boolean;
  readonly policyVersion: number;
  /** Of a flag's: by which version of its venue's rule; 0 where the venue said nothing. */
  readonly venueRuleVersion: number;
  readonly lineage: readonly LineageStep[];
  readonly raisedAtMs: number | undefined;
  readonly firstShownAtMs: number | undefined;
  readonly endsAtMs: number | undefined;
}

interface Row {
  readonly source: string;
  readonly card: Uint8Array;
  readonly level: Level;
  readonly degree: 1 | 2;
  readonly met_at_ms: number;
  readonly overlap_ms: number;
  readonly is_certain: 0 | 1;
  readonly policy_version: number;
  readonly venue_rule_version: number;
  readonly lineage: string;
  readonly raised_at_ms: number | null;
  readonly first_shown_at_ms: number | null;
  readonly ends_at_ms: number | null;
}

const PUT = `
  INSERT INTO exposure (source, card, level, degree, met_at_ms, overlap_ms, is_certain, policy_version, lineage, day, found_at_ms,
    raised_at_ms, ends_at_ms, venue_rule_version)
  VALUES (@source, @card, @level, @degree, @met, @overlap, @certain, @policy, @lineage, @day, @now, @raised, @ends, @venueRule)
  ON CONFLICT DO UPDATE SET level = @level, degree = @degree, met_at_ms = @met, overlap_ms = @overlap, is_certain = @certain,
    policy_version = @policy, venue_rule_version = @venueRule, lineage = @lineage, day = @day, found_at_ms = @now,
    ends_at_ms = CASE WHEN @raised IS NULL THEN NULL WHEN raised_at_ms IS NULL THEN @ends ELSE ends_at_ms END,
    first_shown_at_ms = CASE WHEN @raised IS NULL THEN NULL ELSE first_shown_at_ms END,
    raised_at_ms = CASE WHEN @raised IS NULL THEN NULL ELSE coalesce(raised_at_ms, @raised) END`;

export class NoticeBook {
  readonly #db: Db;
  /** Whether a card was taken back by its holder: a trace may have read its visits before. */
  isErased: (card: CardPseudonym) => boolean = () => false;

  /** @param db core.db. */
  constructor(db: Db) {
    this.#db = db;
  }

  /** @returns when a trace that begins now finds what it finds: later than whatever was found of that source before, so that it can be told from it. */
  foundAtMs(source: string, nowMs: number): number {
    const sql = 'SELECT max(found_at_ms) FROM exposure WHERE source = ?';
    const before = inStore('core.db', () => this.#db.prepare(sql).pluck().get(source) as number | null);
    return Math.max(nowMs, (before ?? 0) + 1);
  }

  /**
   * Within the caller's transaction: some of what was found. The same again changes nothing. What was forgotten while it was looked for is left
   * out: cards that were taken back, and what rests on a day before `firstDay`.
   */
  put(finding: Finding, rows: ExposureRows, { foundAtMs, nowMs, firstDay }: { foundAtMs: number; nowMs: number; firstDay: Day }): void {
    const { source, policyVersion, isRaised, endsAtMs, level, venueRuleVersion = 0 } = finding;
    inStore('core.db', () => {
      const put = prepared(this.#db, PUT);
      for (const row of decodeRows(rows)) {
        const day = dayOf(row.reachMs);
        if (day < firstDay || this.isErased(row.card)) continue;
        put.run({
          source,
          card: row.card,
          level: level ?? row.priority,
          degree: row.order,
          met: row.metAtMs,
          overlap: row.overlapMs,
          certain: Number(row.isCertain),
          policy: policyVersion,
          venueRule: venueRuleVersion,
          lineage: row.lineage,
          day,
          now: foundAtMs,
          raised: isRaised ? nowMs : null,
          ends: isRaised ? Math.min(nowMs + UNSEEN_FOR_MS, endsAtMs ?? Number.MAX_SAFE_INTEGER) : null,
        });
      }
    });
  }

  /** Within the caller's transaction: all was put. What that source's traces found before and this one did not is gone. */
  finish(
    source: string,
    venues: readonly VenueNotice[],
    { foundAtMs, nowMs, firstDay }: { foundAtMs: number; nowMs: number; firstDay: Day },
  ): void {
    inStore('core.db', () => {
      this.#db.prepare('DELETE FROM exposure WHERE source = ? AND found_at_ms <> ?').run(source, foundAtMs);
      this.#db.prepare('DELETE FROM venue_notice WHERE source = ?').run(source);
      const put = this.#db.prepare('INSERT OR REPLACE INTO venue_notice VALUES (?, ?, ?, ?, ?, ?, ?)');
      for (const { venue, fromMs, toMs, visitors } of venues) {
        const day = dayOf(fromMs);
        if (day >= firstDay) put.run(source, venue, fromMs, toMs, visitors ?? null, day, nowMs);
      }
    });
  }

  /** Within the caller's transaction: at most `most` exposures of that source, and its venues' notices, are gone. @returns how many were. */
  withdraw(source: string, most: number): number {
    return inStore('core.db', () => {
      const sql = 'DELETE FROM exposure WHERE source = ? AND card IN (SELECT card FROM exposure WHERE source = ? LIMIT ?)';
      const gone = this.#db.prepare(sql).run(source, source, most).changes;
      return gone + this.#db.prepare('DELETE FROM venue_notice WHERE source = ?').run(source).changes;
    });
  }

  /**
   * Within the caller's transaction: a kiosk has shown the card's notices. Those that were raised by then age off from then on.
   * @param latestMs the latest that it can have been. @returns whether that changes anything.
   */
  shown(card: CardPseudonym, atMs: number, latestMs: number): boolean {
    const sql = `UPDATE exposure SET first_shown_at_ms = max(raised_at_ms, @at),
        ends_at_ms = CASE level WHEN 'flag' THEN min(ends_at_ms, max(raised_at_ms, @at) + @for) ELSE max(raised_at_ms, @at) + @for END
      WHERE card = @card AND raised_at_ms <= @latest AND first_shown_at_ms IS NULL`;
    return inStore('core.db', () => this.#db.prepare(sql).run({ card, at: atMs, latest: latestMs, for: SHOWN_FOR_MS }).changes > 0);
  }

  /** For whom there are notices now, and until when; where there are more than a gateway can tell of, the weightiest and latest. */
  noticed(nowMs: number): {
    readonly cards: readonly { readonly card: CardPseudonym; readonly endsAtMs: number }[];
    readonly leftOut: number;
  } {
    const sql = `SELECT card, max(ends_at_ms) AS ends FROM exposure WHERE ends_at_ms > ? GROUP BY card
      ORDER BY min(CASE level WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END), max(raised_at_ms) DESC LIMIT ?`;
    return inStore('core.db', () => {
      const rows = this.#db.prepare(sql).all(nowMs, MOST_NOTICES) as { card: Uint8Array; ends: number }[];
      const all =
        rows.length < MOST_NOTICES
          ? rows.length
          : Number(this.#db.prepare('SELECT count(DISTINCT card) FROM exposure WHERE ends_at_ms > ?').pluck().get(nowMs));
      const cards = rows.map(({ card, ends }) => ({ card: new Uint8Array(card) as CardPseudonym, endsAtMs: ends }));
      return { cards, leftOut: all - rows.length };
    });
  }

  /** What a holder is shown who asks: for 48 hours after it was raised, and after a kiosk has shown it first. */
  ofCard(card: CardPseudonym, nowMs: number): HolderNotice[] {
    const sql = `SELECT * FROM exposure WHERE card = ? AND raised_at_ms IS NOT NULL AND max(raised_at_ms, coalesce(first_shown_at_ms, 0)) > ?
      AND (level <> 'flag' OR ends_at_ms > ?) ORDER BY raised_at_ms DESC, source`;
    const rows = inStore('core.db', () => this.#db.prepare(sql).all(card, nowMs - SHOWN_FOR_MS, nowMs) as Row[]);
    return rows.map((row) => ({
      level: row.level,
      order: row.degree,
      day: dayOf(row.met_at_ms),
      overlapMinutes: Math.floor(row.overlap_ms / 60_000),
      isClockCertain: row.is_certain === 1,
      raisedAtMs: row.raised_at_ms ?? 0,
    }));
  }

  /** The exposures of one source, by card, at most `limit` behind the first `offset`. */
  ofSource(source: string, offset: number, limit: number): FoundExposure[] {
    const sql = 'SELECT * FROM exposure WHERE source = ? ORDER BY card LIMIT ? OFFSET ?';
    return inStore('core.db', () => this.#db.prepare(sql).all(source, limit, offset) as Row[]).map(exposureOf);
  }

  /** Venues' notices of cases, latest first, at most `limit` that began before `beforeMs`. */
  venues(venue: VenueId, beforeMs: number, limit: number): VenueNotice[] {
    const sql = `SELECT venue, from_ms AS fromMs, max(to_ms) AS toMs, max(visitors) AS visitors FROM venue_notice
      WHERE venue = ? AND from_ms < ? GROUP BY from_ms ORDER BY from_ms DESC LIMIT ?`;
    type Found = Omit<VenueNotice, 'visitors'> & { visitors: number | null };
    const rows = inStore('core.db', () => this.#db.prepare(sql).all(venue, beforeMs, limit) as Found[]);
    return rows.map((row) => ({ ...row, visitors: row.visitors ?? undefined }));
  }

  /** Within the caller's transaction: a reading that a flag may stand on. Twice is not an error. @param rule of its venue, as it stood then. */
  addHighReading({ stream, seq }: RowNumber, card: CardPseudonym, atMs: number, rule?: FlagRule): void {
    const sql = `INSERT OR IGNORE INTO high_reading (stream, seq, card, at_ms, rule_version, is_told, minimum_overlap_ms, is_suspected)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
    const { version = 0, minimumOverlapMs, isSuspected = false } = rule ?? {};
    const isTold = rule === undefined || minimumOverlapMs !== undefined;
    const values = [version, Number(isTold), minimumOverlapMs ?? null, Number(isSuspected)];
    inStore('core.db', () => this.#db.prepare(sql).run(stream, seq, card, atMs, ...values));
  }

  /** The confirmed flags that stand and that their venue tells of, and whose card each is. */
  flags(nowMs: number): StandingFlag[] {
    const sql = `SELECT flag.stream || '/' || flag.seq AS name, card, raised_at_ms AS raisedAtMs, expires_at_ms AS expiresAtMs,
        minimum_overlap_ms AS minimumOverlapMs, rule_version AS ruleVersion FROM flag JOIN high_reading ON high_reading.stream = flag.stream AND high_reading.seq = flag.seq
      WHERE state = 'confirmed' AND is_told AND expires_at_ms > ? ORDER BY raised_at_ms, name`;
    type Found = Omit<StandingFlag, 'card' | 'minimumOverlapMs'> & { card: Uint8Array; minimumOverlapMs: number | null };
    const rows = inStore('core.db', () => this.#db.prepare(sql).all(nowMs) as Found[]);
    const own = ({ card, minimumOverlapMs }: Found) => ({
      card: new Uint8Array(card) as CardPseudonym,
      minimumOverlapMs: minimumOverlapMs ?? undefined,
    });
    return rows.map((row) => ({ ...row, ...own(row) }));
  }

  /** Forgets what has aged off for every reader, and what was made of a forgotten day. @returns whether anything. */
  sweep(nowMs: number, firstDay: Day): boolean {
    return inStore('core.db', () => {
      const run = (sql: string, ...values: (string | number)[]): number => this.#db.prepare(sql).run(...values).changes;
      // While a source is traced, its ended exposures stay: else the next trace would raise them anew.
      const gone = run(
        `DELETE FROM exposure WHERE day < ? OR (ends_at_ms <= ? AND source NOT IN (SELECT source FROM trace))`,
        firstDay,
        nowMs - SHOWN_FOR_MS,
      );
      run('DELETE FROM high_reading WHERE at_ms < ?', startOfDay(firstDay));
      return gone + run('DELETE FROM venue_notice WHERE day < ? OR raised_at_ms <= ?', firstDay, nowMs - UNSEEN_FOR_MS) > 0;
    });
  }
}

const exposureOf = (row: Row): FoundExposure => ({
  card: new Uint8Array(row.card) as CardPseudonym,
  level: row.level,
  degree: row.degree,
  metAtMs: row.met_at_ms,
  overlapMs: row.overlap_ms,
  isCertain: row.is_certain === 1,
  policyVersion: row.policy_version,
  venueRuleVersion: row.venue_rule_version,
  lineage: JSON.parse(row.lineage) as LineageStep[],
  raisedAtMs: row.raised_at_ms ?? undefined,
  firstShownAtMs: row.first_shown_at_ms ?? undefined,
  endsAtMs: row.ends_at_ms ?? undefined,
});
