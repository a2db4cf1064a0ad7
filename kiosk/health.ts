/**
 * Where the states of devices, store, link and clock meet: what the page, the terminal, the state topic and the watchdog tell.
 * Observes only; nothing is decided by reading it.
 */
import { type ErrorCode, StoreError } from '../protocol/errors.ts';
import type { ClockState } from '../protocol/event.ts';
import type { KioskStateReport } from '../protocol/kiosk-state.ts';
import type { MonotonicMillis } from '../protocol/units.ts';
import { OUR_WIRE } from '../protocol/wire-revision.ts';
import { DoorTally, type Scans } from './door-tally.ts';
import type { FeedbackKind } from './feedback.ts';
import type { Forgetting } from './holder-forget.ts';
import type { Outbox } from './outbox.ts';
import type { PolicyStanding } from './policy-keeper.ts';
import { type Fault, wantsRestart } from './watchdog/faults.ts';

/** What the staff chose, or the venue for them. */
export type DoorSettings = NonNullable<KioskStateReport['settings']>;

/** The version of the notice document that is gone by, 0 for none, and why none is shown or the last was refused. */
export interface NoticeStanding {
  readonly version: number;
  readonly why: ErrorCode | undefined;
}

export interface DeviceHealth {
  readonly name: string;
  readonly isUp: boolean;
  readonly why: ErrorCode | undefined;
  /** Where it is plugged in; absent where it is plugged in nowhere. */
  readonly path?: string;
  /** Absent while it is up. */
  readonly downForMs?: number;
}

export interface HealthSnapshot {
  /** `down`: nothing can be kept. `degraded`: scans are kept, and something else is to be seen to. */
  readonly state: 'up' | 'degraded' | 'down';
  readonly isOnline: boolean;
  /** It has not enrolled yet: there is neither link nor store. */
  readonly isAwaitingCode?: true;
  /** Why the link is down; `undefined` while it is up, or was not tried yet. */
  readonly linkWhy: ErrorCode | undefined;
  /** Why the store refuses; `undefined` while it keeps. */
  readonly storeWhy: ErrorCode | undefined;
  readonly clock: ClockState;
  readonly policy: PolicyStanding & Partial<Forgetting>;
  /** Of the notice document; absent where none is ever taken. */
  readonly notices?: NoticeStanding;
  /** The last command to send again that was carried out; 0 for none. */
  readonly sentAgain: number;
  /** Which key the gateway is known by, as `GatewayPin.generation`; absent before there is a gateway. */
  readonly gatewayKey?: number;
  readonly settings?: DoorSettings;
  readonly board?: string;
  /** How far it is with a release; absent where it was given none. */
  readonly update?: NonNullable<KioskStateReport['update']>;
  readonly devices: readonly DeviceHealth[];
  /** What the watchdog finds wrong; absent where none looks. */
  readonly faults?: readonly Fault[];
  /** More of one of them, for whoever is to mend it. */
  readonly faultDetail?: { readonly fault: Fault; readonly text: string } | undefined;
  /** What the door answered; absent while there is no door. */
  readonly scans?: Scans;
  /** `undefined` where nobody can tell: the store is not open. */
  readonly queued: number | undefined;
  readonly oldestQueuedMs: number | undefined;
  /** Unsent rows that retention has dropped, and damaged ones that could not be sent; `undefined` as `queued`. */
  readonly droppedUnsent: number | undefined;
  /** Rows that the gateway met as conflicts, and as wrong in themselves. */
  readonly conflicts: number;
  readonly quarantined: number;
  /** Damaged outboxes set aside since this process started, and the rows carried over from them. */
  readonly setAside: number;
  readonly salvagedRows: number;
}

/** What changes by itself, looked up whenever a snapshot is taken. */
export type Queue = Pick<HealthSnapshot, 'queued' | 'oldestQueuedMs' | 'droppedUnsent'>;

/** @param outbox `undefined` while none is open: rows may wait in the file that can not be read. What can not be told now is `undefined`. */
export function queueOf(outbox: Outbox | undefined, now: MonotonicMillis): Queue {
  if (outbox === undefined) return { queued: undefined, oldestQueuedMs: undefined, droppedUnsent: undefined };
  try {
    return { queued: outbox.queued, oldestQueuedMs: outbox.oldestQueuedMs(now), droppedUnsent: outbox.droppedUnsent };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return { queued: outbox.queued, oldestQueuedMs: undefined, droppedUnsent: undefined };
  }
}

/** Codes that another try of the same process may never cure. A full or read-only disk is no reason to be restarted. */
const RESTART_MAY_HELP: ReadonlySet<ErrorCode> = new Set(['store.failed', 'store.corrupt', 'store.busy']);

export interface HealthSources {
  readonly queue: () => Queue;
  readonly clock: () => ClockState;
  /** Whether none of the devices scans, nor anything else; left out, that is never so. */
  readonly hasNoScanner?: (devices: readonly DeviceHealth[]) => boolean;
  readonly gatewayKey?: () => number;
  readonly faults?: () => readonly Fault[];
  readonly faultDetail?: () => HealthSnapshot['faultDetail'];
  readonly settings?: () => DoorSettings;
  /** For what board it takes releases. */
  readonly board?: string | undefined;
  /** Where a device is plugged in. */
  readonly pathOf?: (device: string) => string | undefined;
  /** By which it is counted how long a device is down; left out, that is not told. */
  readonly now?: () => MonotonicMillis;
}

interface KnownDevice extends DeviceHealth {
  readonly downSinceMs: MonotonicMillis | undefined;
}

/** Stands among the devices while there is no scanner at all. */
const NO_SCANNER: DeviceHealth = { name: 'scanner', isUp: false, why: 'device.no_scanner' };

export class Health {
  readonly #queueNow: () => Queue;
  readonly #onChange: () => void;
  readonly #clock: () => ClockState;
  readonly #faults: () => readonly Fault[];
  readonly #faultDetail: () => HealthSnapshot['faultDetail'];
  readonly #settings: (() => DoorSettings) | undefined;
  readonly #gatewayKey: (() => number) | undefined;
  readonly #hasNoScanner: (devices: readonly DeviceHealth[]) => boolean;
  readonly #pathOf: (device: string) => string | undefined;
  readonly #now: () => MonotonicMillis | undefined;
  readonly #devices = new Map<string, KnownDevice>();
  readonly #tally = new DoorTally();
  #isOnline = false;
  #linkWhy: ErrorCode | undefined;
  #storeWhy: ErrorCode | undefined;
  #policy: PolicyStanding & Partial<Forgetting> = { version: 0, why: undefined };
  #notices: NoticeStanding | undefined;
  #sentAgain = 0;
  readonly #board: string | undefined;
  #served = 0;
  #update: HealthSnapshot['update'];
  #conflicts = 0;
  #quarantined = 0;
  #setAside = 0;
  #salvagedRows = 0;

  /** @param onChange told after each change but those of the queue; it may take a snapshot. */
  constructor(sources: HealthSources, onChange: () => void) {
    this.#queueNow = sources.queue;
    this.#clock = sources.clock;
    this.#hasNoScanner = sources.hasNoScanner ?? (() => false);
    this.#faults = sources.faults ?? (() => []);
    this.#faultDetail = sources.faultDetail ?? (() => undefined);
    this.#settings = sources.settings;
    this.#gatewayKey = sources.gatewayKey;
    this.#board = sources.board;
    this.#pathOf = sources.pathOf ?? (() => undefined);
    this.#now = sources.now ?? (() => undefined);
    this.#onChange = onChange;
  }

  /** @returns whether this is another state than the one before: worth an event. */
  device(name: string, isUp: boolean, why: ErrorCode | undefined): boolean {
    const before = this.#devices.get(name);
    if (before?.isUp === isUp && before.why === why) return false;
    const downSinceMs = isUp ? undefined : before?.isUp === false ? before.downSinceMs : this.#now();
    this.#devices.set(name, { name, isUp, why, downSinceMs });
    this.#onChange();
    return before === undefined || before.isUp !== isUp;
  }

  /** A device that is gone for good and is not missed. */
  forget(name: string): void {
    if (this.#devices.delete(name)) this.#onChange();
  }

  link(isOnline: boolean, why: ErrorCode | undefined): void {
    if (this.#isOnline === isOnline && this.#linkWhy === why) return;
    this.#isOnline = isOnline;
    this.#linkWhy = why;
    this.#onChange();
  }

  store(why: ErrorCode | undefined): void {
    this.#storeWhy = why;
    this.#onChange();
  }

  policy(standing: PolicyStanding & Forgetting): void {
    this.#policy = standing;
    this.#onChange();
  }

  notices(standing: NoticeStanding): void {
    this.#notices = standing;
    this.#onChange();
  }

  sentAgain(version: number): void {
    this.#sentAgain = version;
    this.#onChange();
  }

  update(standing: HealthSnapshot['update']): void {
    this.#update = standing;
    this.#onChange();
  }

  damaged(salvagedRows: number): void {
    this.#setAside += 1;
    this.#salvagedRows += salvagedRows;
    this.#onChange();
  }

  /** The door has given an answer. */
  answered(kind: FeedbackKind): void {
    this.#tally.count(kind);
    this.#served += 1;
  }

  /** How many answers the door has given since the start. */
  get served(): number {
    return this.#served;
  }

  /** Rows of the queue were dropped. */
  dropped(): void {
    this.#onChange();
  }

  received(conflicts: number, quarantined: number): void {
    if (conflicts + quarantined === 0) return;
    this.#conflicts += conflicts;
    this.#quarantined += quarantined;
    this.#onChange();
  }

  get isOnline(): boolean {
    return this.#isOnline;
  }

  /** Whether systemd is to be told that all is well: the road is sound, or its fault is one that a restart would not cure. */
  get isAlive(): boolean {
    // A process that was started anew would hang in that disk, and show nothing.
    if (this.#storeWhy === 'store.hung') return true;
    if (wantsRestart(this.#faults())) return false;
    return this.#storeWhy === undefined || !RESTART_MAY_HELP.has(this.#storeWhy);
  }

  #seen({ name, isUp, why, downSinceMs }: KnownDevice): DeviceHealth {
    const path = this.#pathOf(name);
    const nowMs = this.#now();
    const downForMs = downSinceMs === undefined || nowMs === undefined ? undefined : nowMs - downSinceMs;
    return { name, isUp, why, ...(path === undefined ? {} : { path }), ...(downForMs === undefined ? {} : { downForMs }) };
  }

  snapshot(): HealthSnapshot {
    const known = [...this.#devices.values()].map((device) => this.#seen(device));
    const devices = this.#hasNoScanner(known) ? [...known, NO_SCANNER] : known;
    const isWhole = this.#conflicts + this.#quarantined + this.#setAside === 0 && this.#policy.why === undefined;
    const faults = this.#faults();
    const faultDetail = this.#faultDetail();
    const isSound = this.#isOnline && faults.length === 0 && devices.every(({ isUp }) => isUp) && isWhole;
    return {
      state: this.#storeWhy !== undefined ? 'down' : isSound ? 'up' : 'degraded',
      isOnline: this.#isOnline,
      linkWhy: this.#linkWhy,
      storeWhy: this.#storeWhy,
      clock: this.#clock(),
      policy: this.#policy,
      ...(this.#notices && { notices: this.#notices }),
      sentAgain: this.#sentAgain,
      ...(this.#gatewayKey && { gatewayKey: this.#gatewayKey() }),
      ...(this.#settings && { settings: this.#settings() }),
      ...(this.#board && { board: this.#board }),
      ...(this.#update && { update: this.#update }),
      devices,
      faults,
      ...(faultDetail && { faultDetail }),
      scans: this.#tally.scans,
      ...this.#queueNow(),
      conflicts: this.#conflicts,
      quarantined: this.#quarantined,
      setAside: this.#setAside,
      salvagedRows: this.#salvagedRows,
    };
  }
}

/** A state message names so many devices. */
const MOST_DEVICES = 32;

/** @returns what the gateway's operators see. */
export const reportOf = (health: HealthSnapshot, version: string): KioskStateReport => {
  const {
    state,
    queued,
    oldestQueuedMs,
    clock,
    devices,
    faults = [],
    policy,
    notices,
    sentAgain,
    gatewayKey,
    settings,
    scans,
    update,
  } = health;
  const lastError = lastErrorOf(health);
  return {
    isUp: true,
    state,
    ...(queued === undefined ? {} : { queued }),
    ...(oldestQueuedMs === undefined ? {} : { oldestQueuedMs: Math.round(oldestQueuedMs) }),
    clock,
    devices: devices.slice(0, MOST_DEVICES).map(({ why, downForMs, ...device }) => ({
      ...device,
      ...(why === undefined ? {} : { why }),
      ...(downForMs === undefined ? {} : { downForMs: Math.round(downForMs) }),
    })),
    ...(lastError === undefined ? {} : { lastError }),
    ...(faults.length === 0 ? {} : { faults: [...faults] }),
    policy: {
      version: policy.version,
      ...(policy.why === undefined ? {} : { why: policy.why }),
      ...(policy.isForgetting ? { isForgetting: true } : {}),
    },
    ...(notices && { notices: { version: notices.version, ...(notices.why === undefined ? {} : { why: notices.why }) } }),
    sentAgain,
    ...(gatewayKey === undefined ? {} : { gatewayKey }),
    ...(settings && { settings }),
    ...(scans && { scans }),
    wire: OUR_WIRE,
    ...(health.board && { board: health.board }),
    ...(update && { update }),
    version,
  };
};

/** The code that a person has to act on first. */
function lastErrorOf({ storeWhy, setAside, conflicts, devices, policy, faults = [] }: HealthSnapshot): ErrorCode | undefined {
  if (storeWhy !== undefined) return storeWhy;
  if (setAside > 0) return 'store.corrupt';
  if (conflicts > 0) return 'ingest.conflict';
  return devices.find(({ isUp }) => !isUp)?.why ?? faults[0] ?? policy.why;
}
