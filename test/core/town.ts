/** Towns of scans that go straight to the keeper, without the seals: for properties and measurements of the stores and the look. */
import type { Opened, PlacedEvent } from '../../core/accept.ts';
import { Cases, DEFAULT_CASE_POLICY } from '../../core/case/cases.ts';
import { openCoreDb } from '../../core/core-db.ts';
import type { Day } from '../../core/day.ts';
import { makeColumns } from '../../core/day-columns.ts';
import { DayKeys } from '../../core/day-keys.ts';
import { DayStore, type DayStoreOptions } from '../../core/day-store.ts';
import { DayVisits, type VisitLook, VisitMemory } from '../../core/day-visits.ts';
import type { DoubtEntry } from '../../core/intake.ts';
import { Keeper } from '../../core/keep.ts';
import { Notes } from '../../core/notes.ts';
import { type Contact, contactsOf, type OverlapQuestion } from '../../core/overlap.ts';
import { CardNames } from '../../core/pseudonym.ts';
import type { VisitStore } from '../../core/store.ts';
import { Streams } from '../../core/streams.ts';
import { Turns } from '../../core/trace/turns.ts';
import type { Happening } from '../../protocol/event.ts';
import type { BootId, DeploymentId, EntranceId, KeyId, KioskId, Seq, VenueId, VisitorUuid } from '../../protocol/ids.ts';
import { silentLog } from '../../protocol/log.ts';
import type { EpochMillis, MonotonicMillis } from '../../protocol/units.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** A number as an id: 16 characters that any id may have. */
export const idOf = <T extends string>(kind: string, number: number): T => `${kind}${String(number).padStart(15, '0')}` as T;

/** A number as 16 bytes. */
export function cardOf(number: number): VisitorUuid {
  const card = Buffer.alloc(16, 0xca);
  card.writeUInt32BE(number, 4);
  return new Uint8Array(card) as VisitorUuid;
}

export const keyIdOf = (number: number): KeyId => {
  const id = Buffer.alloc(8, 0x1d);
  id.writeUInt32BE(number);
  return new Uint8Array(id) as KeyId;
};

export interface TownRow {
  /** A kiosk and its one content key. */
  readonly kiosk: number;
  readonly seq: number;
  readonly venue: number;
  /** Who tells it: the kiosk's, always the same; 0 unless given. */
  readonly gateway?: number;
  readonly happening: Happening;
  readonly atMs: number;
  readonly uncertaintyMs?: number;
  readonly dwellMs?: number;
  readonly lingeringMs?: number;
}

export function placedRow(row: TownRow, receivedAtMs: number): PlacedEvent {
  const { kiosk, seq, venue, gateway = 0, happening, atMs, uncertaintyMs = 0, dwellMs = 3_600_000, lingeringMs = 0 } = row;
  const stamp = {
    wallMs: atMs as EpochMillis,
    monotonicMs: 0 as MonotonicMillis,
    bootId: new Uint8Array(16) as BootId,
    clock: 'synced' as const,
  };
  return {
    stream: { deployment: idOf<DeploymentId>('d', gateway), kiosk: idOf<KioskId>('k', kiosk), keyId: keyIdOf(kiosk) },
    seq: seq as Seq,
    placement: { venue: idOf<VenueId>('v', venue), entrance: idOf<EntranceId>('e', venue), direction: 'both', dwellMs, lingeringMs },
    atMs,
    uncertaintyMs,
    isUnplaced: false,
    receivedAtMs,
    event: { stamp, ...happening },
  };
}

export const TOWN_KEY = Buffer.alloc(32, 7);
const NO_NOTICES = { rowsCame() {}, noteHighReading() {}, noteFlag() {}, noteShown() {}, caseMayCome() {}, told() {} };
export const NAMES = new CardNames(TOWN_KEY);

/** The stores of a core without its front: nothing is verified, nothing dropped by itself. */
export class Town {
  readonly days: DayStore;
  readonly streams: Streams;
  readonly notes: Notes;
  readonly #db;
  readonly #keeper: Keeper;
  readonly #memory = new VisitMemory();

  constructor(dir: string, options: Partial<DayStoreOptions> = {}) {
    this.#db = openCoreDb(`${dir}/core.db`, TOWN_KEY, 'write');
    this.days = new DayStore({ dir: `${dir}/days`, keys: new DayKeys(this.#db), log: silentLog, mode: 'write', ...options });
    this.streams = new Streams(this.#db);
    this.notes = new Notes(this.#db);
    const shared = { db: this.#db, notes: this.notes, names: NAMES };
    const clock = new ManualClock();
    const cases = new Cases({ ...shared, pseudonymKey: TOWN_KEY, policy: DEFAULT_CASE_POLICY, clock, log: silentLog });
    this.#keeper = new Keeper({ ...shared, days: this.days, streams: this.streams, cases, notices: NO_NOTICES });
  }

  keep(rows: readonly TownRow[], now: { readonly firstDay: Day; readonly nowMs: number }): void {
    this.keepPlaced([rows.map((row) => placedRow(row, now.nowMs))], now);
  }

  /** @param batches the rows of each opened entry. */
  keepPlaced(batches: readonly (readonly PlacedEvent[])[], now: { readonly firstDay: Day; readonly nowMs: number }): void {
    const opened = batches.map((events): Opened => ({ events, setAside: [] }));
    this.#keeper.keep(opened, { ...now, deployment: idOf<DeploymentId>('d', 0), noteTaken: () => {} });
  }

  /** Lets triage doubt rows, come or not. */
  doubt(rows: readonly TownRow[], now: { readonly firstDay: Day; readonly nowMs: number }): void {
    for (const [gateway, own] of Map.groupBy(rows, ({ gateway = 0 }) => gateway)) this.#doubt(own, idOf<DeploymentId>('d', gateway), now);
  }

  #doubt(rows: readonly TownRow[], deployment: DeploymentId, now: { readonly firstDay: Day; readonly nowMs: number }): void {
    const opened = rows.map(({ kiosk, seq }): Opened => {
      const row = { kiosk: idOf<KioskId>('k', kiosk), keyId: keyIdOf(kiosk), seq: seq as Seq };
      const doubt: DoubtEntry = { kind: 'doubt', position: 1, row, reason: 'door-rate', raisedAtMs: now.nowMs as EpochMillis };
      return { events: [], doubt, setAside: [] };
    });
    this.#keeper.keep(opened, { ...now, deployment, noteTaken: () => {} });
  }

  /** Makes the columns of each day anew, as the core does when it is idle. */
  async tidy(isWanted: (day: Day) => boolean = () => true): Promise<void> {
    const turns = new Turns(new ManualClock(), new AbortController().signal);
    for (const day of this.days.days().filter(isWanted)) {
      const file = this.days.find(day);
      if (file !== undefined && file.freshCount > 0) await makeColumns(file, day, new DayVisits(this, { firstDay: day }).rule, turns);
    }
  }

  visits(firstDay: Day): VisitStore {
    return new DayVisits(this, { firstDay }, this.#memory);
  }

  contactsOf(card: VisitorUuid, question: Partial<OverlapQuestion & VisitLook>): Promise<Contact[]> {
    const asked = {
      minimumOverlapMs: 900_000,
      nowMs: Number.MAX_SAFE_INTEGER,
      firstDay: '2026-01-01' as Day,
      answerKey: Buffer.alloc(32, 9),
      ...question,
    };
    const turns = new Turns(new ManualClock(), new AbortController().signal);
    return contactsOf(new DayVisits(this, asked, this.#memory), NAMES.of(card), asked, turns);
  }

  close(): void {
    this.days.close();
    this.#db.close();
  }
}
