/**
 * How many days the disk lasts. What the gateway's directory holds is written down every quarter of an hour; it grows as it did in
 * the last two days.
 */
import { readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import type { EpochMillis, MonotonicMillis } from '../../protocol/units.ts';
import type { Accounts } from '../accounts.ts';
import type { DiskUse } from './view.ts';

const DAY_MS = 86_400_000;
const SAMPLE_EVERY_MS = 15 * 60_000;
const LOOK_EVERY_MS = 10_000;
const REMEMBERED_MS = 2 * DAY_MS;
/** Growth of less time says nothing of a day. */
const SHORTEST_MEASURE_MS = 3_600_000;
const MOST_DAYS = 999;

export interface DiskSample {
  readonly atMs: number;
  readonly bytes: number;
}

/** @returns what the samples say; days only where something grows. @param samples oldest first. */
export function diskUse(freeBytes: number, usedBytes: number, samples: readonly DiskSample[], nowMs: number): DiskUse {
  const [first] = samples;
  const measuredMs = first === undefined ? 0 : nowMs - first.atMs;
  if (first === undefined || measuredMs < SHORTEST_MEASURE_MS)
    return { freeBytes, usedBytes, growthBytesPerDay: undefined, daysLeft: undefined };
  const growthBytesPerDay = Math.round(((usedBytes - first.bytes) * DAY_MS) / measuredMs);
  const daysLeft = growthBytesPerDay > 0 ? Math.min(MOST_DAYS, freeBytes / growthBytesPerDay) : undefined;
  return { freeBytes, usedBytes, growthBytesPerDay, daysLeft };
}

/** Looks at most every ten seconds, however often it is asked. */
export class DiskWatch {
  readonly #directory: string;
  readonly #accounts: Accounts;
  readonly #clock: Clock;
  #lookedMs: MonotonicMillis | undefined;
  #sampledMs: MonotonicMillis | undefined;
  #samples: readonly DiskSample[] = [];
  #use: DiskUse = { freeBytes: 0, usedBytes: 0, growthBytesPerDay: undefined, daysLeft: undefined };

  constructor(directory: string, accounts: Accounts, clock: Clock) {
    this.#directory = directory;
    this.#accounts = accounts;
    this.#clock = clock;
  }

  /** What it says stands also where no sample can be kept: a full disk is what it is asked about. */
  use(): DiskUse {
    const nowMs = this.#clock.monotonic();
    if (this.#lookedMs !== undefined && nowMs - this.#lookedMs < LOOK_EVERY_MS) return this.#use;
    this.#lookedMs = nowMs;
    const usedBytes = bytesIn(this.#directory);
    const wallMs = this.#clock.wall();
    if (this.#sampledMs === undefined || nowMs - this.#sampledMs >= SAMPLE_EVERY_MS) this.#sample(usedBytes, wallMs, nowMs);
    const { bavail, bsize } = statfsSync(this.#directory);
    this.#use = diskUse(bavail * bsize, usedBytes, this.#samples, wallMs);
    return this.#use;
  }

  /** One that can not be kept is tried again at the next look. */
  #sample(usedBytes: number, wallMs: EpochMillis, nowMs: MonotonicMillis): void {
    try {
      this.#samples = this.#accounts.sampleDisk(usedBytes, wallMs, (wallMs - REMEMBERED_MS) as EpochMillis);
      this.#sampledMs = nowMs;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }
}

function bytesIn(directory: string): number {
  let bytes = 0;
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    // A file may go between the listing and the look.
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}
