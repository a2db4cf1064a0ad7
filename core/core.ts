/**
 * The tracing core: takes ledger entries of one gateway or of many, keeps scans by day, answers who overlapped with a card, and forgets.
 * A card lies here by its name under the core's own key only; a temperature not at all.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { RetentionClock } from '../disk/retention-clock.ts';
import { codeOf, StoreError } from '../protocol/errors.ts';
import type { DeploymentId, VisitorUuid } from '../protocol/ids.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import { EntryOpener, type Opened, venueIn } from './accept.ts';
import { type CasePolicy, Cases, DEFAULT_CASE_POLICY } from './case/cases.ts';
import { openCoreDb } from './core-db.ts';
import { type Day, firstKeptDay, startOfDay } from './day.ts';
import { DayKeys } from './day-keys.ts';
import { DayStore, type DaysCounts } from './day-store.ts';
import { DayVisits, VisitMemory } from './day-visits.ts';
import { Gateways, type Machine } from './gateways.ts';
import { Eraser } from './holder/eraser.ts';
import { HolderDesk } from './holder/holder-desk.ts';
import { Revocations } from './holder/revocations.ts';
import type { Intake, LedgerEntry, Offer, RevocationSource } from './intake.ts';
import { Keeper } from './keep.ts';
import type { CoreKeys } from './keys.ts';
import { lockCore } from './lock.ts';
import { LruMap } from './lru-map.ts';
import { type Flag, type NoteCounts, Notes, type SetAside } from './notes.ts';
import { Notices } from './notice/notices.ts';
import { type Contact, contactsOf, DEFAULT_MINIMUM_OVERLAP_MS } from './overlap.ts';
import { CardNames, type CardPseudonym } from './pseudonym.ts';
import { type Db, inStore } from './sqlite.ts';
import type { VisitStore } from './store.ts';
import { Streams } from './streams.ts';
import { Tidier } from './tidier.ts';
import { type BackwardCluster, DEFAULT_TRACE_POLICY, type TracedCase, type TracePolicy } from './trace/trace.ts';
import { TraceThread, type TraceThreadParts } from './trace/trace-thread.ts';
import { Turns } from './trace/turns.ts';

export const DEFAULT_RETENTION_DAYS = 21;

export interface CoreOptions {
  /** Holds core.db, `days/` and the lock; made if it is not there. The keys lie wherever `makeCoreKeys` was told. */
  readonly dir: string;
  /** Of its first gateway; others are added (`gateways`). Rows of another deployment than their gateway's are set aside. */
  readonly deployment: DeploymentId;
  readonly keys: CoreKeys;
  readonly clock: Clock;
  readonly log: Log;
  /** 1 to 21 whole days; 21 when not given. */
  readonly retentionDays?: number;
  /** Day files open at a time; 24 when not given. */
  readonly mostOpenDays?: number;
  /** What makes a case; as DEFAULT_CASE_POLICY where it is not given. */
  readonly cases?: Partial<CasePolicy>;
  /** How contacts are traced; DEFAULT_TRACE_POLICY where it is not given. */
  readonly tracing?: TracePolicy;
  /** Of what traces; of tests. */
  readonly tracer?: Pick<TraceThreadParts, 'program'>;
}

/** What is held: rows, each once however often it came. Days past retention are not in it. */
export interface CoreCounts extends DaysCounts, NoteCounts {
  readonly days: number;
}

/** Entries opened before they are kept together: one sync of core.db and one of each day for all of them. */
const ENTRIES_AT_A_TIME = 256;
/** Gateways whose kiosks' content keys are remembered; the others' are opened again. */
const MOST_OPENERS = 64;
/** How often it is looked whether a day is past retention; also at opening and with each accept. */
const SWEEP_EVERY_MS = 600_000;

/**
 * Opens a core for writing, completes what a crash left half done, and drops what is past retention; from then on it does so by itself.
 * @throws ConfigError `config.locked` when another process writes here; StoreError `store.wrong_key` when `keys` are not those that
 * core.db was made under, `store.corrupt`, `store.newer`, `store.disk_full`, `store.read_only`, `store.failed`.
 */
export async function openCore(options: CoreOptions): Promise<Core> {
  inStore('core', () => mkdirSync(options.dir, { recursive: true, mode: 0o700 }));
  const unlock = lockCore(options.dir);
  try {
    return new Core(options, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

export class Core implements Intake {
  /** For whoever proves that a card is theirs, and for gateways that have to know which were taken back. */
  readonly holder: HolderDesk;
  /** Whose ledgers it takes, and what kiosks and venues are whose. */
  readonly gateways: Gateways;
  /** Cases, and the stickers that make them. */
  readonly cases: Cases;
  /** Who is told what, and what gateways and holders are told of it. */
  readonly notices: Notices;
  /** By which time it is forgotten. */
  readonly retention: RetentionClock;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #names: CardNames;
  readonly #retentionDays: number;
  readonly #unlock: () => void;
  readonly #db: Db;
  readonly #days: DayStore;
  readonly #streams: Streams;
  readonly #notes: Notes;
  readonly #keeper: Keeper;
  readonly #revocations: Revocations;
  readonly #first: Machine;
  readonly #openers = new LruMap<number, EntryOpener>(MOST_OPENERS, (opener) => opener.close());
  readonly #takenOf = new Map<number, number>();
  readonly #keys: CoreKeys;
  #cancelSweep: () => void = () => {};
  #sweptFor: Day | undefined;
  readonly #visitMemory = new VisitMemory();
  readonly #tidier: Tidier;
  readonly #tracer: TraceThread;
  #isOpen = true;

  /** Use `openCore`. */
  constructor(options: CoreOptions, unlock: () => void) {
    const { dir, keys, clock, log } = options;
    this.#clock = clock;
    this.#log = log;
    this.#keys = keys;
    this.#names = new CardNames(keys.pseudonymKey);
    this.#retentionDays = Math.min(options.retentionDays ?? DEFAULT_RETENTION_DAYS, DEFAULT_RETENTION_DAYS);
    this.#unlock = unlock;
    this.retention = new RetentionClock(dir, clock, log);
    this.#db = openCoreDb(join(dir, 'core.db'), keys.storeKey, 'write');
    try {
      const mostOpen = options.mostOpenDays;
      const dayKeys = new DayKeys(this.#db);
      this.#days = new DayStore({
        dir: join(dir, 'days'),
        keys: dayKeys,
        log,
        mode: 'write',
        ...(mostOpen === undefined ? {} : { mostOpen }),
      });
      this.#streams = new Streams(this.#db);
      this.#notes = new Notes(this.#db);
      this.#tidier = new Tidier({
        days: this.#days,
        clock,
        log,
        heldDays: () => this.#heldDays(),
        rule: () => this.#visits().rule,
      });
      const shared = { db: this.#db, names: this.#names, clock, log };
      const policy = { ...DEFAULT_CASE_POLICY, ...options.cases };
      this.cases = new Cases({ ...shared, notes: this.#notes, pseudonymKey: keys.pseudonymKey, policy });
      const tracing = options.tracing ?? DEFAULT_TRACE_POLICY;
      const firstDay = () => this.#firstDay();
      const hold = () => this.#tidier.hold();
      this.#tracer = new TraceThread({ dir, storeKey: keys.storeKey, hold, firstDay, clock, log, ...options.tracer });
      this.notices = new Notices({ ...shared, cases: this.cases, tracer: this.#tracer, firstDay, policy: tracing });
      const rows = { days: this.#days, streams: this.#streams, notes: this.#notes };
      this.#keeper = new Keeper({ ...shared, ...rows, cases: this.cases, notices: this.notices });
      this.#revocations = new Revocations(this.#db, keys.storeKey);
      this.notices.book.isErased = (card) => this.#revocations.count > 0 && this.#revocations.has(this.#names.cardOf(card));
      this.holder = new HolderDesk({
        core: keys.recipient.id,
        storeKey: keys.storeKey,
        revocations: this.#revocations,
        eraser: new Eraser({ db: this.#db, days: this.#days }),
        names: this.#names,
        onErased: () => this.notices.cardErased(),
        noticesOf: (card) => this.notices.ofHolder(card),
        gateways: () => this.gateways.list().flatMap(({ no, role }) => (role === 'gateway' ? [no] : [])),
        retentionDays: this.#retentionDays,
        clock,
        log,
      });
      this.gateways = new Gateways(this.#db);
      this.#first = this.gateways.first(options.deployment, clock.wall());
      this.dropExpired();
    } catch (error) {
      this.#db.close();
      throw error;
    }
    this.#sweepLater();
    this.holder.open();
    this.notices.open();
  }

  /** As what its first gateway offers. */
  accept(entries: readonly LedgerEntry[], offer: Offer = {}): Promise<void> {
    return this.#accept(this.#first, entries, offer);
  }

  taken(): Promise<number> {
    return this.intakeOf(this.#first).taken() as Promise<number>;
  }

  /** What another gateway offers its ledger to. */
  intakeOf(gateway: Machine): Intake {
    return {
      accept: (entries, offer = {}) => this.#accept(gateway, entries, offer),
      taken: async () => {
        this.#hearOthers();
        return this.#taken(gateway);
      },
    };
  }

  /** From whom a gateway hears which cards were taken back; its first one unless another is named. */
  revocationsFor = (gateway: Machine = this.#first): RevocationSource => this.holder.sourceFor(gateway.no);

  async #accept(gateway: Machine, entries: readonly LedgerEntry[], { isReplay = false }: Offer): Promise<void> {
    this.#hearOthers();
    for (let start = 0; start < entries.length; start += ENTRIES_AT_A_TIME) {
      const opened: Opened[] = [];
      const some = entries.slice(start, start + ENTRIES_AT_A_TIME);
      for (const entry of some) opened.push(await this.#open(gateway, entry, isReplay));
      this.#refuseClosed();
      if (this.#sweptFor !== this.#firstDay()) this.dropExpired();
      // Written down with what comes next, so that it costs no sync of its own: it lags, and is never ahead of a day's file.
      const noteTaken = () => this.gateways.setTaken(gateway.no, this.#taken(gateway));
      const now = { firstDay: this.#firstDay(), nowMs: this.#clock.wall(), deployment: this.#deploymentOf(gateway), noteTaken };
      this.#keeper.keep(this.#withoutRevoked(opened), now);
      this.#tidier.soon();
      if (!isReplay) this.#takenOf.set(gateway.no, some.at(-1)?.position ?? this.#taken(gateway));
    }
  }

  async #open(gateway: Machine, entry: LedgerEntry, isReplay: boolean): Promise<Opened> {
    const deployment = this.#deploymentOf(gateway);
    const opener = this.#openers.getOrMake(gateway.no, () => new EntryOpener({ deployment, keys: this.#keys, log: this.#log }));
    const opened = await opener.open(entry);
    this.#refuseClosed();
    const isNothing = opened.events.length === 0 && opened.flag === undefined && opened.doubt === undefined;
    const named = isNothing ? undefined : venueIn(entry);
    const why = named && this.gateways.refusalOf(gateway, named, isReplay);
    return why === undefined ? opened : opener.refuseForeign(entry, why);
  }

  /** The operator may have said something of gateways from another process; also how far a ledger is to be asked for again. */
  #hearOthers(): void {
    this.#refuseClosed();
    if (this.gateways.hasChanged()) this.#takenOf.clear();
  }

  #deploymentOf = ({ deployment = this.#first.deployment as DeploymentId }: Machine): DeploymentId => deployment;

  #taken({ no }: Machine): number {
    const held = this.#takenOf.get(no) ?? this.gateways.taken(no);
    this.#takenOf.set(no, held);
    return held;
  }

  /**
   * Whose visits overlapped with those of `card` for at least `minimumOverlapMs` (15 minutes when not given), by the overlap's start.
   * @param options.onUnreadable is told each day that can not be read, which is then left out; without it such a day is thrown.
   * @throws StoreError `store.corrupt` and others of a day's file.
   */
  async overlapsWith(
    card: VisitorUuid,
    options: { readonly minimumOverlapMs?: number; readonly onUnreadable?: (day: Day, error: StoreError) => void } = {},
  ): Promise<Contact[]> {
    this.#refuseClosed();
    const { minimumOverlapMs = DEFAULT_MINIMUM_OVERLAP_MS, onUnreadable } = options;
    const question = { minimumOverlapMs, nowMs: this.#clock.wall(), answerKey: randomBytes(32) };
    const turns = new Turns(this.#clock, new AbortController().signal);
    return await contactsOf(this.#visits(onUnreadable), this.#names.of(card), question, turns);
  }

  /**
   * Where a case may have been infected: with how many it was at each venue, and how many of them are among `cases`.
   * @throws StoreError of a day that can not be read; TraceError of what traces.
   */
  async backwardClusters(traced: TracedCase, policy: TracePolicy, cases: readonly CardPseudonym[]): Promise<readonly BackwardCluster[]> {
    this.#refuseClosed();
    return this.#tracer.backward({ ...traced, policy, nowMs: this.#clock.wall() }, cases);
  }

  /** The visits within retention, as they are now, for answers that count. @throws StoreError of a day that can not be read, when it is read. */
  visits(): VisitStore {
    this.#refuseClosed();
    return this.#visits();
  }

  /** The flags that stand against a card, cleared ones left out. */
  flagsOf(card: VisitorUuid): Flag[] {
    this.#refuseClosed();
    const pseudonym = this.#names.of(card);
    const nowMs = this.#clock.wall();
    return this.#heldDays()
      .flatMap((day) => this.#days.find(day)?.readingsOf(pseudonym) ?? [])
      .map((reading) => this.#notes.flag(reading, nowMs))
      .flatMap((flag) => (flag === undefined || flag.state === 'cleared' ? [] : [flag]));
  }

  /** Forgets every day past retention, and what has aged off. @returns how many days it dropped. @throws StoreError. */
  dropExpired(): number {
    this.#refuseClosed();
    const nowMs = this.retention.look();
    const firstDay = this.#firstDay();
    const past = this.#days.days().filter((day) => day < firstDay);
    for (const day of past) this.dropDay(day);
    this.#notes.sweep(nowMs, startOfDay(firstDay));
    this.cases.sweep(startOfDay(firstDay));
    this.notices.sweep(firstDay);
    this.holder.sweep(startOfDay(firstDay));
    this.#streams.lookUpAnew();
    this.gateways.lookUpAnew();
    this.#sweptFor = firstDay;
    return past.length;
  }

  /** Forgets one day whole: past retention, or because its file is lost. What a gateway offers of it again is then taken again. */
  dropDay(day: Day): void {
    this.#refuseClosed();
    this.#days.drop(day, () => this.#notes.count('days-dropped', 1));
    this.#visitMemory.clear();
    this.#tracer.forget();
    this.#streams.lookUpAnew();
  }

  counts(): CoreCounts {
    this.#refuseClosed();
    const days = this.#heldDays();
    return { days: days.length, ...this.#days.countsOf(days), ...this.#notes.counts(this.#clock.wall()) };
  }

  /** What was set aside and why, latest first, at most `limit`. */
  setAside(limit: number): SetAside[] {
    this.#refuseClosed();
    return this.#notes.setAside(limit);
  }

  /** Closes every file and lets go of the lock. Twice is not an error; an accept under way then throws, and its entries are to be offered again. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#cancelSweep();
    this.#tidier.close();
    this.holder.close();
    this.notices.close();
    void this.#tracer.close();
    this.#openers.clear();
    this.#days.close();
    inStore('core.db', () => this.#db.close());
    this.#unlock();
  }

  /** As `close`, and resolves when no thread is left: before a process ends. */
  async end(): Promise<void> {
    this.close();
    await this.#tracer.close();
  }

  /** What comes of a card that its holder took back is counted and not kept. */
  #withoutRevoked(opened: readonly Opened[]): readonly Opened[] {
    if (this.#revocations.count === 0) return opened;
    let refused = 0;
    const kept = opened.map((one) => {
      const events = one.events.filter(({ event }) => !('card' in event && this.#revocations.has(event.card)));
      refused += one.events.length - events.length;
      return events.length === one.events.length ? one : { ...one, events };
    });
    if (refused > 0) this.#notes.count('revoked-refused', refused);
    return kept;
  }

  #sweepLater(): void {
    this.#cancelSweep = this.#clock.after(SWEEP_EVERY_MS, () => {
      try {
        this.dropExpired();
      } catch (error) {
        // A loop's top: the next round tries again, and what is past retention is looked at by nobody meanwhile.
        if (!(error instanceof StoreError)) throw error;
        this.#log.error('retention.failed', { code: codeOf(error) });
      }
      this.#sweepLater();
    });
  }

  #visits(onUnreadable?: (day: Day, error: StoreError) => void): DayVisits {
    const sources = { days: this.#days, streams: this.#streams, notes: this.#notes, tidier: this.#tidier };
    return new DayVisits(sources, { firstDay: this.#firstDay(), ...(onUnreadable && { onUnreadable }) }, this.#visitMemory);
  }

  #heldDays(): Day[] {
    const firstDay = this.#firstDay();
    return this.#days.days().filter((day) => day >= firstDay);
  }

  #firstDay = (): Day => firstKeptDay(this.retention.nowMs, this.#retentionDays);

  #refuseClosed(): void {
    if (!this.#isOpen) throw new StoreError('store.failed', 'core: closed');
  }
}
