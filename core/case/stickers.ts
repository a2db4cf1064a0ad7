/** What was said of stickers, in core.db: links and results, each once, by keyed names; and which are spent, when that is forgotten. */
import type { TestResult } from '../../protocol/event.ts';
import type { VenueId } from '../../protocol/ids.ts';
import { type CardPseudonym, nameText } from '../pseudonym.ts';
import { type Db, inStore, type Statement } from '../sqlite.ts';
import { judgeSticker, type Link, type Result, type StickerVerdict } from './sticker-rule.ts';

export interface LinkSaid {
  /** Names for ever what was said: a row of a kiosk, or one request over REST. */
  readonly origin: string;
  readonly sticker: Uint8Array;
  readonly card: CardPseudonym;
  readonly atMs: number;
  readonly venue: VenueId;
}

export interface ResultSaid {
  readonly origin: string;
  readonly sticker: Uint8Array;
  readonly recorder: string;
  readonly result: TestResult;
  readonly atMs: number;
  readonly venue: VenueId | undefined;
}

interface KnownLink extends Link {
  readonly name: CardPseudonym;
  readonly venue: VenueId;
  readonly origin: string;
}

interface KnownResult extends Result {
  readonly venue: VenueId | undefined;
  readonly origin: string;
}

export type Verdict = StickerVerdict<KnownLink, KnownResult>;

export class Stickers {
  readonly #db: Db;
  readonly #addLink: Statement;
  readonly #addResult: Statement;
  readonly #links: Statement;
  readonly #results: Statement;
  readonly #spent: Statement;

  constructor(db: Db) {
    this.#db = db;
    this.#addLink = db.prepare('INSERT OR IGNORE INTO sticker_link (origin, sticker, card, at_ms, venue) VALUES (?, ?, ?, ?, ?)');
    this.#addResult = db.prepare(
      'INSERT OR IGNORE INTO sticker_result (origin, sticker, recorder, result, at_ms, venue) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#links = db.prepare('SELECT origin, card, at_ms, venue FROM sticker_link WHERE sticker = ?');
    this.#results = db.prepare('SELECT origin, result, at_ms, venue FROM sticker_result WHERE sticker = ?');
    this.#spent = db.prepare('SELECT 1 FROM sticker_spent WHERE sticker = ?');
  }

  /** @returns whether it was not said before. */
  addLink({ origin, sticker, card, atMs, venue }: LinkSaid): boolean {
    return inStore('core.db', () => this.#addLink.run(origin, sticker, card, atMs, venue).changes > 0);
  }

  /** @returns whether it was not said before. */
  addResult({ origin, sticker, recorder, result, atMs, venue }: ResultSaid): boolean {
    return inStore('core.db', () => this.#addResult.run(origin, sticker, recorder, result, atMs, venue ?? null).changes > 0);
  }

  /** One that is spent has expired for whatever is said of it later, and no link of it is known; it can still be voided. */
  judge(sticker: Uint8Array, lifeMs: number): Verdict {
    type LinkRow = { origin: string; card: CardPseudonym; at_ms: number; venue: VenueId };
    type ResultRow = { origin: string; result: TestResult; at_ms: number; venue: VenueId | null };
    return inStore('core.db', () => {
      const links = (this.#links.all(sticker) as LinkRow[]).map(({ origin, card, at_ms, venue }) => {
        const name = new Uint8Array(card) as CardPseudonym;
        return { origin, name, card: nameText(name), atMs: at_ms, venue };
      });
      const results = (this.#results.all(sticker) as ResultRow[]).map(({ origin, result, at_ms, venue }) => ({
        ...{ origin, result, atMs: at_ms, venue: venue ?? undefined },
      }));
      const verdict = judgeSticker(links, results, lifeMs);
      if (verdict.state === 'void' || this.#spent.get(sticker) === undefined) return verdict;
      return { state: 'expired', link: undefined, result: undefined, isConflicting: false };
    });
  }

  /** Forgets links that were made before, and what was said of their stickers; results that never had a link likewise. @returns the stickers: they are spent. */
  sweep(keptFromMs: number): Uint8Array[] {
    const names = inStore('core.db', () => {
      const run = (sql: string): Uint8Array[] => this.#db.prepare(`${sql} RETURNING sticker`).pluck().all(keptFromMs) as Uint8Array[];
      return [
        ...run('DELETE FROM sticker_result WHERE sticker IN (SELECT sticker FROM sticker_link WHERE at_ms < ?)'),
        ...run('DELETE FROM sticker_link WHERE at_ms < ?'),
        ...run('DELETE FROM sticker_result WHERE at_ms < ?'),
      ];
    });
    return names.map((name) => new Uint8Array(name));
  }

  /** The stickers of which something was said last, by name, the latest last, and spent ones before them; at most `most`. */
  latest(most: number): Uint8Array[] {
    const sql = `SELECT sticker FROM (SELECT sticker, at_ms FROM sticker_link UNION ALL SELECT sticker, at_ms FROM sticker_result
      UNION ALL SELECT sticker, 0 FROM sticker_spent) GROUP BY sticker ORDER BY max(at_ms) DESC, sticker LIMIT ?`;
    const names = inStore('core.db', () => this.#db.prepare(sql).pluck().all(most) as Uint8Array[]);
    return names.map((name) => new Uint8Array(name)).reverse();
  }
}
