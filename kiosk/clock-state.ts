/**
 * How far the wall clock is to be believed, and whether it stepped. Looks when told to; sets no clock.
 */
import type { ClockState, Stamp } from '../protocol/event.ts';
import type { BootId } from '../protocol/ids.ts';
import type { Clock } from '../protocol/time.ts';
import type { EpochMillis } from '../protocol/units.ts';
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

export class ClockWatch {
  readonly #options: ClockWatchOptions;
  #knownWallMs = 0;
  #isSynced: boolean;
  /** Wall minus monotonic time, as last seen. */
  #offsetMs: number;
  #steadySinceMs: number;

  constructor(options: ClockWatchOptions) {
    const { clock, isSynced } = options;
    this.#options = options;
    this.#isSynced = isSynced();
    this.#offsetMs = clock.wall() - clock.monotonic();
    this.#steadySinceMs = clock.monotonic();
  }

  /** @param wallMs the latest wall time an earlier process wrote down: a clock before it was lost. */
  learn(wallMs: EpochMillis): void {
    this.#knownWallMs = Math.max(this.#knownWallMs, wallMs);
  }

  /** `unsynced` before the last known time or this software; `synced` when the system says so; else `assumed`. */
  get state(): ClockState {
    if (this.#isSynced) return 'synced';
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

  stamp({ wallMs, monotonicMs }: Moment): Stamp {
    return { wallMs, monotonicMs, bootId: this.#options.bootId, clock: this.state };
  }
}
