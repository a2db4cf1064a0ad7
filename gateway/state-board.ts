/**
 * What an operator must see of the gateway, as one retained message: which kiosk has which problem, and whose turn it is.
 * Counts, codes and kiosk ids only.
 */
import type { DoubtReason } from '../protocol/doubt.ts';
import { codeOf, type ErrorCode } from '../protocol/errors.ts';
import type { KioskId } from '../protocol/ids.ts';
import type { Log } from '../protocol/log.ts';
import type { ClockDoubt } from '../protocol/retention-clock.ts';
import type { Clock } from '../protocol/time.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { DoorBoard, type DoorState } from './door-board.ts';
import type { NoticeSummary } from './notice/notice-desk.ts';
import type { PolicySummary } from './policy/policy-desk.ts';
import { SteadyLog } from './steady-log.ts';
import type { StoredTrouble } from './stored-trouble.ts';

export interface KioskProblems extends StoredTrouble {
  readonly isConnected: boolean;
  /** Batches that are not acknowledged because the gateway may be at fault. */
  readonly withheld: { readonly batches: number; readonly code: ErrorCode; readonly sinceMs: EpochMillis } | undefined;
  /** Why its connection was closed last, until it connects again. */
  readonly cutOff: ErrorCode | undefined;
  /** Events of it that can not be as they were told, since this gateway started, by reason. */
  readonly doubts: Readonly<Partial<Record<DoubtReason, number>>>;
  /** How often a second connection took the place of a living one: a copy of the kiosk, or a link that flaps. */
  readonly takeovers: number;
}

export interface RefusedConnections {
  /** `undefined` for all that claimed no kiosk's name. */
  readonly kiosk: KioskId | undefined;
  readonly code: ErrorCode;
  readonly count: number;
  readonly lastAtMs: EpochMillis;
}

export interface SinkState {
  readonly behindEntries: number;
  readonly code: ErrorCode | undefined;
  /** Entries that retention ended before the sink had taken them. */
  readonly droppedEntries: number;
  /** When the oldest of them was received; `undefined` when it has everything. */
  readonly waitingSinceMs: EpochMillis | undefined;
  /** Entries that it refused for what they are. */
  readonly setAsideEntries: number;
  /** Rows of taken-back cards that it has not said to have erased; absent where there are none. */
  readonly unerasedRows?: number;
}

export interface GatewayState {
  readonly isUp: true;
  readonly state: 'up' | 'degraded';
  readonly atMs: EpochMillis;
  readonly connectedKiosks: number;
  /** Only those with a problem, at most 200; `kiosksWithProblems` counts all. */
  readonly kiosks: Readonly<Record<string, KioskProblems>>;
  readonly kiosksWithProblems: number;
  /** Whether there is room to drop what is past its time when the disk is full. */
  readonly hasReserve: boolean;
  /** Why it is not forgotten by the wall clock; `undefined` while it is. */
  readonly clock: ClockDoubt | undefined;
  /** Why kiosks wait while write-ahead logs are moved into their files; `undefined` while a thread does that. */
  readonly checkpoints: ErrorCode | undefined;
  /** Why batches are opened where everything else is done, though there are many; `undefined` while all is well. */
  readonly opening: ErrorCode | undefined;
  readonly refused: readonly RefusedConnections[];
  readonly door: DoorState;
  readonly sinks: Readonly<Record<string, SinkState>>;
  /** How far kiosks are with the policy that they were told; `undefined` until they were told one. */
  readonly policies: PolicySummary | undefined;
  /** How far notices are on their way to kiosks; `undefined` until it was looked. */
  readonly notices: NoticeSummary | undefined;
  /** Operators' events that no reader took fast enough. The ledger has what they told. */
  readonly droppedEvents: number;
}

interface Live {
  isConnected: boolean;
  withheld: KioskProblems['withheld'];
  cutOff: ErrorCode | undefined;
  takeovers: number;
  readonly doubts: Partial<Record<DoubtReason, number>>;
  stored: StoredTrouble;
}

const MOST_KIOSKS_SHOWN = 200;
/** Anybody can claim a name: what is remembered of refusals is bounded. */
const MOST_REFUSED = 64;

export class StateBoard {
  /** What was held off, for whoever counts it. */
  readonly door: DoorBoard;
  readonly #clock: Clock;
  readonly #readStored: (kiosk: KioskId) => StoredTrouble;
  readonly #refusals: SteadyLog;
  readonly #kiosks = new Map<KioskId, Live>();
  readonly #stale = new Set<KioskId>();
  #hasReserve = true;
  #clockDoubt: ClockDoubt | undefined;
  #checkpoints: ErrorCode | undefined;
  #opening: ErrorCode | undefined;
  readonly #refused = new Map<string, RefusedConnections>();
  readonly #sinks = new Map<string, SinkState>();
  #policies: PolicySummary | undefined;
  #notices: NoticeSummary | undefined;
  #droppedEvents = 0;
  #hasChanged = true;

  /**
   * @param readStored reads what ledger and quarantine know of a kiosk.
   */
  constructor(clock: Clock, log: Log, readStored: (kiosk: KioskId) => StoredTrouble) {
    this.door = new DoorBoard(clock, () => {
      this.#hasChanged = true;
    });
    this.#clock = clock;
    this.#readStored = readStored;
    this.#refusals = new SteadyLog(log, clock, 'connection');
  }

  connected(kiosk: KioskId, hasTakenOver: boolean): void {
    this.#change(kiosk, (live) => {
      live.isConnected = true;
      live.cutOff = undefined;
      if (hasTakenOver) live.takeovers += 1;
    });
  }

  disconnected(kiosk: KioskId): void {
    this.#change(kiosk, (live) => {
      live.isConnected = false;
    });
  }

  /** @param code of the last that is withheld; `undefined` leaves it as it is. */
  withheld(kiosk: KioskId, batches: number, code: ErrorCode | undefined): void {
    this.#change(kiosk, (live) => {
      const why = code ?? live.withheld?.code;
      const sinceMs = live.withheld?.sinceMs ?? this.#clock.wall();
      live.withheld = batches === 0 || why === undefined ? undefined : { batches, code: why, sinceMs };
    });
  }

  cutOff(kiosk: KioskId, code: ErrorCode): void {
    this.#change(kiosk, (live) => {
      live.cutOff = code;
    });
  }

  doubted(kiosk: KioskId, reason: DoubtReason): void {
    this.#change(kiosk, ({ doubts }) => {
      doubts[reason] = (doubts[reason] ?? 0) + 1;
    });
  }

  /** Something was decided about rows of this kiosk: its stored troubles are read again for the next snapshot. */
  stored(kiosk: KioskId): void {
    this.#live(kiosk);
    this.#stale.add(kiosk);
    this.#hasChanged = true;
  }

  refused(kiosk: KioskId | undefined, code: ErrorCode): void {
    this.#refusals.failed({ kiosk, code });
    this.door.refused(code);
    const name = `${kiosk ?? ''} ${code}`;
    const before = this.#refused.get(name);
    this.#refused.delete(name);
    this.#refused.set(name, { kiosk, code, count: (before?.count ?? 0) + 1, lastAtMs: this.#clock.wall() });
    const oldest = this.#refused.size > MOST_REFUSED ? this.#refused.keys().next().value : undefined;
    if (oldest !== undefined) this.#refused.delete(oldest);
    this.#hasChanged = true;
  }

  sink(name: string, state: SinkState): void {
    const before = this.#sinks.get(name);
    if (before !== undefined && JSON.stringify(before) === JSON.stringify(state)) return;
    this.#sinks.set(name, state);
    this.#hasChanged = true;
  }

  get hasReserve(): boolean {
    return this.#hasReserve;
  }

  reserve(isHeld: boolean): void {
    if (isHeld !== this.#hasReserve) this.#hasChanged = true;
    this.#hasReserve = isHeld;
  }

  get clockDoubt(): ClockDoubt | undefined {
    return this.#clockDoubt;
  }

  clock(doubt: ClockDoubt | undefined): void {
    if (JSON.stringify(doubt) !== JSON.stringify(this.#clockDoubt)) this.#hasChanged = true;
    this.#clockDoubt = doubt;
  }

  get checkpointFault(): ErrorCode | undefined {
    return this.#checkpoints;
  }

  checkpoints(fault: ErrorCode | undefined): void {
    if (fault !== this.#checkpoints) this.#hasChanged = true;
    this.#checkpoints = fault;
  }

  get openingFault(): ErrorCode | undefined {
    return this.#opening;
  }

  opening(fault: ErrorCode | undefined): void {
    if (fault !== this.#opening) this.#hasChanged = true;
    this.#opening = fault;
  }

  get policySummary(): PolicySummary | undefined {
    return this.#policies;
  }

  policies(summary: PolicySummary): void {
    if (JSON.stringify(summary) === JSON.stringify(this.#policies)) return;
    this.#policies = summary;
    this.#hasChanged = true;
  }

  get noticeSummary(): NoticeSummary | undefined {
    return this.#notices;
  }

  notices(summary: NoticeSummary): void {
    if (JSON.stringify(summary) === JSON.stringify(this.#notices)) return;
    this.#notices = summary;
    this.#hasChanged = true;
  }

  eventDropped(): void {
    this.#droppedEvents += 1;
    this.#hasChanged = true;
  }

  /** How one kiosk stands; `undefined` for one that never came, in this run of the gateway or before. What is stored is read anew where it changed. */
  kiosk(kiosk: KioskId): KioskProblems | undefined {
    if (this.#stale.has(kiosk)) this.#readAgain(kiosk);
    const live = this.#kiosks.get(kiosk);
    return live && problemsOf(live);
  }

  /** Every kiosk that ever came. */
  kiosks(): Iterable<KioskId> {
    return this.#kiosks.keys();
  }

  get refusals(): readonly RefusedConnections[] {
    return [...this.#refused.values()];
  }

  get sinks(): ReadonlyMap<string, SinkState> {
    return this.#sinks;
  }

  get droppedEvents(): number {
    return this.#droppedEvents;
  }

  /** Whether a snapshot would say something new. */
  get hasChanged(): boolean {
    this.door.forgetPast();
    return this.#hasChanged;
  }

  /** What is stored of a kiosk and can not be read now stands as it was last read. */
  snapshot(): GatewayState {
    this.#hasChanged = false;
    for (const kiosk of this.#stale) this.#readAgain(kiosk);
    const troubled = [...this.#kiosks].filter(([, live]) => hasProblem(live));
    const sinks = Object.fromEntries(this.#sinks);
    const isRefused = Object.values(sinks).some(({ code }) => code !== undefined);
    const isDegraded = troubled.some(([, live]) => isOurTurn(live)) || isRefused || this.#clockDoubt !== undefined;
    return {
      isUp: true,
      state: isDegraded ? 'degraded' : 'up',
      atMs: this.#clock.wall(),
      connectedKiosks: [...this.#kiosks.values()].filter(({ isConnected }) => isConnected).length,
      kiosks: Object.fromEntries(troubled.slice(0, MOST_KIOSKS_SHOWN).map(([kiosk, live]) => [kiosk, problemsOf(live)])),
      kiosksWithProblems: troubled.length,
      hasReserve: this.#hasReserve,
      clock: this.#clockDoubt,
      checkpoints: this.#checkpoints,
      opening: this.#opening,
      refused: [...this.#refused.values()],
      door: this.door.state,
      sinks,
      policies: this.#policies,
      notices: this.#notices,
      droppedEvents: this.#droppedEvents,
    };
  }

  #change(kiosk: KioskId, change: (live: Live) => void): void {
    change(this.#live(kiosk));
    this.#hasChanged = true;
  }

  #readAgain(kiosk: KioskId): void {
    try {
      this.#live(kiosk).stored = this.#readStored(kiosk);
      this.#stale.delete(kiosk);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      this.#hasChanged = true;
    }
  }

  #live(kiosk: KioskId): Live {
    let live = this.#kiosks.get(kiosk);
    if (live === undefined) {
      live = {
        isConnected: false,
        withheld: undefined,
        cutOff: undefined,
        takeovers: 0,
        doubts: {},
        stored: { isCloned: false, clonedRows: 0, missingRows: 0, quarantine: { items: 0, bytes: 0, reasons: {} } },
      };
      this.#kiosks.set(kiosk, live);
      this.#stale.add(kiosk);
    }
    return live;
  }
}

const hasProblem = ({ withheld, cutOff, takeovers, doubts, stored }: Live): boolean =>
  withheld !== undefined ||
  cutOff !== undefined ||
  takeovers > 0 ||
  Object.keys(doubts).length > 0 ||
  stored.isCloned ||
  stored.missingRows > 0 ||
  stored.quarantine.items > 0;

/** Whether a person at the gateway must act for rows to go on. */
const isOurTurn = ({ withheld, cutOff }: Live): boolean => withheld !== undefined || cutOff === 'ingest.quarantine_full';

const problemsOf = ({ isConnected, withheld, cutOff, takeovers, doubts, stored }: Live): KioskProblems => ({
  isConnected,
  withheld,
  cutOff,
  takeovers,
  doubts: { ...doubts },
  ...stored,
});
