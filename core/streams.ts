/**
 * Short numbers for long names, and which rows lie in which day. A row that comes again can be placed on another day than before,
 * as when a gateway was restored and a kiosk sent it anew: without this it would be held, and counted, twice.
 */
import type { DeploymentId, KeyId, KioskId, VenueId } from '../protocol/ids.ts';
import type { Day } from './day.ts';
import { LruMap } from './lru-map.ts';
import { type Db, inStore, type Statement } from './sqlite.ts';

/** One kiosk of one gateway under one content key: within it a sequence number names one row. What gateways say of a kiosk is apart by that. */
export interface StreamName {
  /** Of the gateway. */
  readonly deployment: DeploymentId;
  readonly kiosk: KioskId;
  readonly keyId: KeyId;
}

interface Range {
  readonly firstSeq: number;
  readonly lastSeq: number;
}

interface Stream {
  readonly id: number;
  readonly ranges: Map<Day, Range>;
}

/** Streams and venues whose names are remembered; the others are looked up again. */
const MOST_REMEMBERED = 8_192;

export class Streams {
  readonly #streams = new LruMap<string, Stream>(MOST_REMEMBERED);
  readonly #sources = new LruMap<number, string>(MOST_REMEMBERED);
  readonly #venueIds = new LruMap<string, number>(MOST_REMEMBERED);
  readonly #venues = new LruMap<number, VenueId>(MOST_REMEMBERED);
  readonly #deployments = new LruMap<number, DeploymentId>(MOST_REMEMBERED);
  readonly #texts: { last: { readonly deployment: string; readonly kiosk: string; readonly keyId: Uint8Array; readonly text: string } } = {
    last: { deployment: '', kiosk: '', keyId: new Uint8Array(0), text: '' },
  };
  readonly #findStream: Statement;
  readonly #addStream: Statement;
  readonly #nameStream: Statement;
  readonly #nameDeployment: Statement;
  readonly #ranges: Statement;
  readonly #setRange: Statement;
  readonly #findVenue: Statement;
  readonly #addVenue: Statement;
  readonly #nameVenue: Statement;

  constructor(db: Db) {
    this.#findStream = db.prepare('SELECT id FROM stream WHERE deployment = ? AND kiosk = ? AND key_id = ?').pluck();
    this.#addStream = db.prepare('INSERT INTO stream (deployment, kiosk, key_id) VALUES (?, ?, ?)');
    this.#nameStream = db.prepare(`SELECT kiosk || '/' || hex(key_id) FROM stream WHERE id = ?`).pluck();
    this.#nameDeployment = db.prepare('SELECT deployment FROM stream WHERE id = ?').pluck();
    this.#ranges = db.prepare('SELECT day, first_seq, last_seq FROM stream_day WHERE stream = ?');
    this.#setRange = db.prepare(
      `INSERT INTO stream_day (stream, day, first_seq, last_seq) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET first_seq = excluded.first_seq, last_seq = excluded.last_seq`,
    );
    this.#findVenue = db.prepare('SELECT id FROM venue WHERE venue = ?').pluck();
    this.#addVenue = db.prepare('INSERT INTO venue (venue) VALUES (?)');
    this.#nameVenue = db.prepare('SELECT venue FROM venue WHERE id = ?').pluck();
  }

  /** @returns a stream's name as a key of maps: rows come in long stretches of one stream, for which it is made once. */
  textOf({ deployment, kiosk, keyId }: StreamName): string {
    const { last } = this.#texts;
    const isSameKey = keyId === last.keyId || Buffer.compare(keyId, last.keyId) === 0;
    if (isSameKey && kiosk === last.kiosk && deployment === last.deployment) return last.text;
    const text = `${deployment}/${kiosk}/${Buffer.from(keyId).toString('latin1')}`;
    this.#texts.last = { deployment, kiosk, keyId, text };
    return text;
  }

  /** @returns a stream's number, given at its first row; `undefined` when none has come. */
  find(name: StreamName): number | undefined {
    return this.#stream(name)?.id;
  }

  /** As `find`, and gives it a number when it has none. Call within a transaction on core.db. */
  number(name: StreamName): number {
    const known = this.find(name);
    if (known !== undefined) return known;
    const id = inStore('core.db', () => Number(this.#addStream.run(name.deployment, name.kiosk, name.keyId).lastInsertRowid));
    this.#streams.set(this.textOf(name), { id, ranges: new Map() });
    return id;
  }

  /** @returns whose stream it is: of which gateway, by its deployment. */
  deployment(stream: number): DeploymentId {
    return this.#deployments.getOrMake(stream, () => inStore('core.db', () => this.#nameDeployment.get(stream) as DeploymentId));
  }

  /** @returns kiosk and content key of the stream as text, the same whatever order things came in. */
  source(stream: number): string {
    return this.#sources.getOrMake(stream, () => inStore('core.db', () => this.#nameStream.get(stream) as string));
  }

  /** @returns the days, but for `except`, whose file may hold this row. */
  daysThatMayHold(name: StreamName, seq: number, except?: Day): Day[] {
    const days: Day[] = [];
    for (const [day, range] of this.#stream(name)?.ranges ?? []) {
      if (day !== except && range.firstSeq <= seq && seq <= range.lastSeq) days.push(day);
    }
    return days;
  }

  /**
   * Notes that rows are about to lie in a day's file. Call within a transaction on core.db that commits before the row is written:
   * a crash between leaves a range too wide, which costs a look, where one too narrow would cost a row held twice.
   */
  widen(name: StreamName, day: Day, rows: Range): void {
    const id = this.number(name);
    const ranges = this.#stream(name)?.ranges;
    const range = ranges?.get(day);
    const firstSeq = Math.min(range?.firstSeq ?? rows.firstSeq, rows.firstSeq);
    const lastSeq = Math.max(range?.lastSeq ?? rows.lastSeq, rows.lastSeq);
    if (firstSeq === range?.firstSeq && lastSeq === range.lastSeq) return;
    inStore('core.db', () => this.#setRange.run(id, day, firstSeq, lastSeq));
    ranges?.set(day, { firstSeq, lastSeq });
  }

  /** As `number`, of a venue. */
  venueNumber(venue: VenueId): number {
    return this.#venueIds.getOrMake(venue, () =>
      inStore('core.db', () => (this.#findVenue.get(venue) as number | undefined) ?? Number(this.#addVenue.run(venue).lastInsertRowid)),
    );
  }

  findVenue(venue: VenueId): number | undefined {
    const known = this.#venueIds.get(venue);
    if (known !== undefined) return known;
    const found = inStore('core.db', () => this.#findVenue.get(venue) as number | undefined);
    if (found !== undefined) this.#venueIds.set(venue, found);
    return found;
  }

  venue(id: number): VenueId {
    return this.#venues.getOrMake(id, () => inStore('core.db', () => this.#nameVenue.get(id) as VenueId));
  }

  /** What is remembered can be more than was committed, or than is still held: call after a rollback, and after a day is forgotten. */
  lookUpAnew(): void {
    for (const map of [this.#streams, this.#sources, this.#deployments, this.#venueIds, this.#venues]) map.clear();
  }

  #stream(name: StreamName): Stream | undefined {
    const key = this.textOf(name);
    const held = this.#streams.get(key);
    if (held !== undefined) return held;
    return inStore('core.db', () => {
      const id = this.#findStream.get(name.deployment, name.kiosk, name.keyId) as number | undefined;
      if (id === undefined) return undefined;
      const rows = this.#ranges.all(id) as { day: Day; first_seq: number; last_seq: number }[];
      const stream = { id, ranges: new Map(rows.map((row) => [row.day, { firstSeq: row.first_seq, lastSeq: row.last_seq }])) };
      this.#streams.set(key, stream);
      return stream;
    });
  }
}
