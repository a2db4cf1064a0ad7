/**
 * Proves that the road works, and not only that the process lives: looks every few seconds at the loop, the disk, the clock, the link and the
 * scanners, mends what it can (dials anew, opens anew), and says what is wrong. What it says goes where all health goes: screen, state, systemd.
 */
import { statfsSync } from 'node:fs';
import type { Log } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import type { HealthSnapshot } from '../health.ts';
import type { Delivery } from '../test-event.ts';
import { FAULTS, type Fault } from './faults.ts';
import { lookAtRoad, newRoad, type RoadLook } from './road-watch.ts';
import { hearScanners, newScanners } from './scanner-watch.ts';
import { detailOf, WIFI_FAULTS, WifiWatch } from './wifi-watch.ts';

export interface WatchdogOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly road: () => Omit<RoadLook, 'atMs'>;
  readonly isClockWrong: () => boolean;
  /** Ends the link, which is dialled anew by itself. */
  readonly redial: () => void;
  /** Closes and opens every scanner. */
  readonly reopenScanners: () => void;
  readonly deliver: (signal: AbortSignal) => Promise<Delivery>;
  /** Where the Wi-Fi's unit says how that does; left out, nobody says. */
  readonly wifiStatePath?: string | undefined;
  /** Told of each change of what is wrong. */
  readonly onChange: () => void;
  /** Bytes that the disk has left; asked of the system when left out. */
  readonly freeBytes?: () => number;
}

const LOOK_EVERY_MS = 2_000;
/** A loop that comes so late to its look was busy with one thing, or stopped. */
const STALL_MS = 3_000;
/** A stall is over when it is seen: it is told for so long. */
const STALL_TOLD_MS = 600_000;
/** What a day of a busy door writes, with room for the write-ahead log. */
const LEAST_FREE_BYTES = 32 * 1024 * 1024;
const DISK_EVERY_MS = 60_000;

export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #faults = new Set<Fault>();
  #road: ReturnType<typeof newRoad>;
  #scanners: ReturnType<typeof newScanners>;
  #isUnproved = false;
  readonly #wifi: WifiWatch;
  #faultDetail: HealthSnapshot['faultDetail'];

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#wifi = new WifiWatch(options.wifiStatePath);
    const nowMs = options.clock.monotonic();
    this.#road = newRoad(nowMs);
    this.#scanners = newScanners(nowMs);
  }

  /** In the order of the table. */
  get faults(): readonly Fault[] {
    return FAULTS.filter((fault) => this.#faults.has(fault));
  }

  /** More of one of the faults. */
  get faultDetail(): HealthSnapshot['faultDetail'] {
    return this.#faultDetail;
  }

  /** A scanner read something, or somebody was at the door who should have been scanned. */
  hear(kind: 'scan' | 'witness'): void {
    this.#hearScanners(kind);
  }

  /** The disk has not answered for long, or has again. */
  hung(isHung: boolean): void {
    this.#set('store.hung', isHung);
  }

  /** Until abort. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    let stalledMs = Number.NEGATIVE_INFINITY;
    let diskMs = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      const nowMs = clock.monotonic();
      this.#set('clock.wrong', this.#options.isClockWrong());
      this.#set('kiosk.stalled', nowMs - stalledMs < STALL_TOLD_MS);
      if (nowMs - diskMs >= DISK_EVERY_MS) {
        diskMs = nowMs;
        this.#set('store.low', this.#freeBytes() < LEAST_FREE_BYTES);
      }
      this.#lookAtWifi();
      this.#hearScanners('look');
      await this.#lookAtRoad(signal);
      const beganMs = clock.monotonic();
      await clock.sleep(LOOK_EVERY_MS, signal);
      const lateMs = clock.monotonic() - beganMs - LOOK_EVERY_MS;
      if (lateMs < STALL_MS) continue;
      stalledMs = clock.monotonic();
      log.error('kiosk.stalled', { forMs: Math.round(lateMs) });
    }
  }

  #lookAtWifi(): void {
    const trouble = this.#wifi.look(this.#options.clock.monotonic());
    this.#faultDetail = detailOf(trouble);
    for (const fault of WIFI_FAULTS) this.#set(fault, trouble?.fault === fault);
  }

  async #lookAtRoad(signal: AbortSignal): Promise<void> {
    const { clock, log, road, redial, deliver } = this.#options;
    const { state, act } = lookAtRoad(this.#road, { ...road(), atMs: clock.monotonic() });
    this.#road = state;
    if (act === 'redial') {
      log.error('link.stuck');
      redial();
    }
    // Where it does not arrive it waits, and the next looks see that.
    if (act === 'prove') this.#isUnproved = (await deliver(signal)).outcome === 'set-aside';
    this.#set('link.stuck', state.isStuck || this.#isUnproved);
  }

  #hearScanners(kind: 'scan' | 'witness' | 'look'): void {
    const { clock, log, reopenScanners } = this.#options;
    const { state, reopens } = hearScanners(this.#scanners, { kind, atMs: clock.monotonic() });
    this.#scanners = state;
    this.#set('device.silent', state.isSuspected);
    if (!reopens) return;
    log.info('scanners.opened_anew', { isSuspected: state.isSuspected });
    reopenScanners();
  }

  #freeBytes(): number {
    const { dir, freeBytes } = this.#options;
    if (freeBytes !== undefined) return freeBytes();
    try {
      const { bavail, bsize } = statfsSync(dir);
      return bavail * bsize;
    } catch {
      // A disk that is gone is told of by the store.
      return Number.POSITIVE_INFINITY;
    }
  }

  #set(fault: Fault, isThere: boolean): void {
    if (this.#faults.has(fault) === isThere) return;
    if (isThere) this.#faults.add(fault);
    else this.#faults.delete(fault);
    this.#options.log.info('fault.changed', { code: fault, isThere });
    this.#options.onChange();
  }
}

/** @param appended rows in this process so far. @returns no road where the store is not open: nothing goes on it, and the store says why. */
export const roadOf = ({ isOnline, queued, oldestQueuedMs = 0 }: HealthSnapshot, appended: number): Omit<RoadLook, 'atMs'> => ({
  isOnline: isOnline && queued !== undefined,
  queued: queued ?? 0,
  settled: appended - (queued ?? 0),
  oldestMs: oldestQueuedMs,
});
