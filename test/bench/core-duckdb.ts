/**
 * DuckDB on the same visits: what somebody would take who needs columns and has no wish to write any. Not among this project's packages: it is
 * installed, pinned, into a cache of its own at first use.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { TownVisit } from './core-town.ts';

const VERSION = '1.5.6-r.1';

interface Reader {
  getRows(): unknown[][];
}
interface Connection {
  run(sql: string): Promise<unknown>;
  runAndReadAll(sql: string): Promise<Reader>;
  closeSync(): void;
}
interface Library {
  DuckDBInstance: { create(path: string, options: Record<string, string>): Promise<{ connect(): Promise<Connection>; closeSync(): void }> };
}

/** @returns `undefined` when it can not be had here. */
function library(say: (line: string) => void): Library | undefined {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'vestibule-bench', `duckdb-${VERSION}`);
  const require = createRequire(join(cache, 'package.json'));
  try {
    if (!existsSync(join(cache, 'node_modules/@duckdb/node-api'))) {
      mkdirSync(cache, { recursive: true });
      writeFileSync(join(cache, 'package.json'), '{"private":true}');
      say(`duckdb: installing @duckdb/node-api ${VERSION} into ${cache}`);
      const args = ['install', '--no-audit', '--no-fund', '--save-exact', `@duckdb/node-api@${VERSION}`];
      execFileSync('npm', args, { cwd: cache, stdio: ['ignore', 'ignore', 'pipe'], timeout: 300_000 });
    }
    return require('@duckdb/node-api') as Library;
  } catch (error) {
    say(`duckdb: can not be had here: ${error instanceof Error ? error.message.split('\n')[0] : 'unknown'}`);
    return undefined;
  }
}

export interface Asked {
  readonly card: number;
  readonly windowFromMs: number;
  readonly anchorMs: number;
  readonly minimumMs: number;
}

export class DuckTown {
  readonly #connection: Connection;
  readonly #close: () => void;

  private constructor(connection: Connection, close: () => void) {
    this.#connection = connection;
    this.#close = close;
  }

  /** @param visits a CSV of `VisitsFile`. */
  static async open(dir: string, visits: string, say: (line: string) => void): Promise<DuckTown | undefined> {
    const found = library(say);
    if (found === undefined) return undefined;
    const instance = await found.DuckDBInstance.create(join(dir, 'town.duckdb'), { threads: '2', memory_limit: '2GB' });
    const connection = await instance.connect();
    // By venue and time, so that the least and greatest of each group of rows tell which to pass over; and an index to a card's own visits.
    const columns = `{card: 'INTEGER', venue: 'INTEGER', f: 'BIGINT', t: 'BIGINT'}`;
    await connection.run(
      `CREATE TABLE visit AS SELECT * FROM read_csv('${visits}', header = false, columns = ${columns}) ORDER BY venue, f`,
    );
    await connection.run('CREATE INDEX visit_by_card ON visit (card)');
    await connection.run('CHECKPOINT');
    return new DuckTown(connection, () => {
      connection.closeSync();
      instance.closeSync();
    });
  }

  /** One statement: the planner joins. @returns meetings. */
  async firstOrderJoined(asked: Asked): Promise<number> {
    const rows = await this.#all(`WITH own AS (SELECT * FROM visit WHERE ${ownOf(asked)})
      SELECT v.card, v.venue, greatest(o.f, v.f), least(o.t, v.t) FROM own o JOIN visit v ON v.venue = o.venue AND v.f < o.t AND v.t > o.f
      WHERE v.card <> ${asked.card} AND ${metBy('o', 'v', asked)}`);
    return rows.length;
  }

  /** Two: the card's visits by the index, then each venue by constants, so that groups of rows are passed over. @returns meetings. */
  async firstOrder(asked: Asked): Promise<number> {
    const own = (await this.#all(`SELECT venue, f, t FROM visit WHERE ${ownOf(asked)}`)) as [number, bigint, bigint][];
    if (own.length === 0) return 0;
    const parts = own.map(
      ([venue, f, t]) => `SELECT card, venue, greatest(f, ${f}), least(t, ${t}) FROM visit
      WHERE venue = ${venue} AND f < ${t} AND f > ${Number(f) - LONGEST_MS} AND t > ${f} AND card <> ${asked.card}
        AND ${metBy(`(SELECT ${f} AS f, ${t} AS t)`, 'visit', asked, [f, t])}`,
    );
    return (await this.#all(parts.join(' UNION ALL '))).length;
  }

  /** @returns second-order cards, first-order ones left out. */
  async secondOrder(asked: Asked & { readonly highFromMs: number; readonly mediumMs: number }): Promise<number> {
    const high = { ...asked, windowFromMs: asked.highFromMs, minimumMs: asked.mediumMs };
    const rows = await this.#all(`WITH own AS (SELECT * FROM visit WHERE ${ownOf(asked)}),
      met AS MATERIALIZED (SELECT v.card, greatest(o.f, v.f) AS f, least(o.t, v.t) AS t FROM own o JOIN visit v ON v.venue = o.venue AND v.f < o.t AND v.t > o.f
        WHERE v.card <> ${asked.card}),
      first AS MATERIALIZED (SELECT DISTINCT card FROM met WHERE t - f >= ${asked.minimumMs} AND t >= ${asked.windowFromMs} AND f <= ${asked.anchorMs}),
      between AS MATERIALIZED (SELECT card, min(f) AS since FROM met WHERE t - f >= ${asked.mediumMs} AND t >= ${asked.highFromMs} AND f <= ${asked.anchorMs} GROUP BY card),
      theirs AS MATERIALIZED (SELECT v.*, b.since FROM between b JOIN visit v ON v.card = b.card
        WHERE v.t >= ${asked.highFromMs} AND v.f <= ${asked.anchorMs})
      SELECT DISTINCT v.card FROM theirs o JOIN visit v ON v.venue = o.venue AND v.f < o.t AND v.t > o.f
      WHERE v.card <> o.card AND v.card <> ${asked.card} AND v.card NOT IN (SELECT card FROM first) AND least(o.t, v.t) > o.since
        AND ${metBy('o', 'v', high)}`);
    return rows.length;
  }

  close(): void {
    this.#close();
  }

  async #all(sql: string): Promise<unknown[][]> {
    return (await this.#connection.runAndReadAll(sql)).getRows();
  }
}

/** No visit in the town is longer. */
const LONGEST_MS = 9 * 3_600_000;

const ownOf = ({ card, windowFromMs, anchorMs }: Asked): string => `card = ${card} AND t >= ${windowFromMs} AND f <= ${anchorMs}`;

function metBy(own: string, other: string, { minimumMs, windowFromMs, anchorMs }: Asked, span?: readonly [bigint, bigint]): string {
  const [f, t] =
    span === undefined
      ? [`greatest(${own}.f, ${other}.f)`, `least(${own}.t, ${other}.t)`]
      : [`greatest(f, ${span[0]})`, `least(t, ${span[1]})`];
  return `${t} - ${f} >= ${minimumMs} AND ${t} >= ${windowFromMs} AND ${f} <= ${anchorMs}`;
}

/** The visits as text for DuckDB to read. */
export class VisitsFile {
  readonly path: string;
  readonly #stream;

  constructor(dir: string) {
    this.path = join(dir, 'visits.csv');
    this.#stream = createWriteStream(this.path);
  }

  async add(visits: readonly TownVisit[]): Promise<void> {
    for (let first = 0; first < visits.length; first += 50_000) {
      const lines = visits.slice(first, first + 50_000).map(({ card, venue, fromMs, toMs }) => `${card},${venue},${fromMs},${toMs}\n`);
      if (!this.#stream.write(lines.join(''))) await once(this.#stream, 'drain');
    }
  }

  async close(): Promise<void> {
    this.#stream.end();
    await once(this.#stream, 'finish');
  }
}
