/**
 * How far the wall clock is to be believed, and whether it stepped. Looks when told to; sets no clock.
 */
import type { ClockState, Stamp } from '../protocol/event.ts';
import type { BootId } from '../protocol/ids.ts';
import type { Clock } from '../protocol/time.ts';
import type { EpochMillis, MonotonicMillis } from '../protocol/units.ts';
import type { Moment } from './recorder.ts';

export interface ClockWatchOptions {
  readonly clock: Clock;
  readonly bootId: BootId;
  /** Whether the operating system says that its clock was set from outside in this boot. */
  readonly isSynced: () => boolean;
  /** No clock that is right can be earlier than this software. */
  readonly builtAtMs: EpochMillis;
}

/** When this version was made, at the latest: a clock before it is wrong. */
export const BUILT_AT_MS = Date.UTC(2026, 10, 1) as EpochMillis;
/** systemd-timesyncd(8): made after the first successful synchronisation of a boot. */
export const SYNCED_PATH = '/run/systemd/timesync/synchronized';
/** A slewed clock moves by 0.5 ms a second at most (adjtimex(2)), so between two looks this is a step. */
const STEP_MS = 2_000;
/** After a step the clock says nothing of the age of rows until it has stayed for so long. */
const STEADY_MS = 24 * 3_600_000;
const NO_BOOT = new Uint8Array(16) as BootId;

export class ClockWatch {
  /** Whose wall time is `now`. */
  readonly clock: Clock;
  readonly #options: ClockWatchOptions;
  #knownWallMs = 0;
  #isSynced: boolean;
  /** Of the gateway's time against this machine's monotonic clock; `undefined` until it was told. */
  #toldOffsetMs: number | undefined;
  /** Wall minus monotonic time, as last seen. */
  #offsetMs: number;
  #steadySinceMs: number;

  constructor(options: ClockWatchOptions) {
    const { clock, isSynced } = options;
    this.#options = options;
    this.clock = {
      wall: () => this.now(),
      monotonic: () => clock.monotonic(),
      sleep: (waitMs, signal) => clock.sleep(waitMs, signal),
      after: (waitMs, fire) => clock.after(waitMs, fire),
    };
    this.#isSynced = isSynced();
    this.#offsetMs = clock.wall() - clock.monotonic();
    this.#steadySinceMs = clock.monotonic();
  }

  /** @param wallMs the latest wall time an earlier process wrote down: a clock before it was lost. */
  learn(wallMs: EpochMillis): void {
    this.#knownWallMs = Math.max(this.#knownWallMs, wallMs);
  }

  /** What the gateway said the time was; of use while this machine does not know it. */
  tell(told: { readonly wallMs: EpochMillis; readonly atMs: MonotonicMillis }): void {
    this.#toldOffsetMs = told.wallMs - told.atMs;
  }

  /** Whether this machine's own clock is set from outside, so that nobody need be asked. */
  get isSet(): boolean {
    return this.#isSynced;
  }

  /** The time as far as it is known here: the system's, or what the gateway told while that is not set. */
  now(): EpochMillis {
    const { clock } = this.#options;
    return this.#isSynced || this.#toldOffsetMs === undefined ? clock.wall() : ((clock.monotonic() + this.#toldOffsetMs) as EpochMillis);
  }

  /**
   * `synced` when the system says so; `assumed` when the gateway told the time; else `unsynced` before the last known time or this software,
   * and `assumed` after it.
   */
  get state(): ClockState {
    if (this.#isSynced) return 'synced';
    if (this.#toldOffsetMs !== undefined) return 'assumed';
    return this.#options.clock.wall() < Math.max(this.#knownWallMs, this.#options.builtAtMs) ? 'unsynced' : 'assumed';
  }

  /** @returns by how many ms the wall clock was stepped since the last look; 0 when it was not. To be called every few seconds. */
  look(): number {
    const { clock, isSynced } = this.#options;
    this.#isSynced = isSynced();
    const offsetMs = clock.wall() - clock.monotonic();
    const byMs = offsetMs - this.#offsetMs;
    this.#offsetMs = offsetMs;
    if (Math.abs(byMs) <= STEP_MS) return 0;
    this.#steadySinceMs = clock.monotonic();
    return byMs;
  }

  /** The wall time when it may be used to judge how old something is: synced, and without a step for a day; else `undefined`. */
  get steadyWallMs(): EpochMillis | undefined {
    const { clock } = this.#options;
    const isSteady = this.state === 'synced' && clock.monotonic() - this.#steadySinceMs >= STEADY_MS;
    return isSteady ? clock.wall() : undefined;
  }

  stamp({ wallMs: ownMs, monotonicMs }: Moment): Stamp {
    const isTold = !this.#isSynced && this.#toldOffsetMs !== undefined;
    const wallMs = isTold ? (Math.max(0, monotonicMs + (this.#toldOffsetMs ?? 0)) as EpochMillis) : ownMs;
    // Before this machine was switched on: of a boot that is not known here.
    if (monotonicMs < 0) return { wallMs, monotonicMs: 0 as MonotonicMillis, bootId: NO_BOOT, clock: this.state };
    return { wallMs, monotonicMs, bootId: this.#options.bootId, clock: this.state };
  }
}
