/**
 * Keeps tally of what passes through the gateway, in memory, for metrics and dashboard: counts by outcome, how long a PUBACK takes,
 * and for each kiosk the last hour's rows, its own last report, and what its rows said of devices and occupancy. Never a card.
 */
import type { KioskId } from '../protocol/ids.ts';
import type { KioskStateReport } from '../protocol/kiosk-state.ts';
import type { Outcome } from '../protocol/receipt.ts';
import type { Clock } from '../protocol/time.ts';
import type { EpochMillis } from '../protocol/units.ts';
import type { Decided } from './ingest.ts';

/** Minutes of history that a page shows. */
export const HISTORY_MINUTES = 60;

/** Upper bounds, seconds. p99 is promised under 0.25. */
export const ACK_BOUNDS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10] as const;

export interface Occupancy {
  /** Distinct devices in the slot; `undefined` when too few to tell. */
  readonly tokens: number | undefined;
  readonly slotMs: number;
  readonly receivedAtMs: EpochMillis;
}

export interface KioskActivity {
  /** What the kiosk said of itself last, since this gateway started. */
  readonly report: KioskStateReport | undefined;
  readonly reportedAtMs: EpochMillis | undefined;
  readonly lastReceivedAtMs: EpochMillis | undefined;
  readonly occupancy: Occupancy | undefined;
  /** `undefined` while connected, and for one that has not connected since this gateway started. */
  readonly disconnectedAtMs: EpochMillis | undefined;
  /** Rows taken in each of the last 60 minutes, oldest first; the last is the minute that runs. */
  readonly rowsPerMinute: readonly number[];
}

export interface Histogram {
  /** How many were at most ACK_BOUNDS_S[i], not cumulative; the last is above all bounds. */
  readonly counts: readonly number[];
  readonly sumS: number;
}

export interface Tallies {
  readonly rows: Readonly<Record<Outcome, number>>;
  readonly batches: Readonly<Record<Decided['decision']['kind'], number>>;
  readonly bytes: number;
  readonly ack: Histogram;
  readonly connections: number;
}

class Minutes {
  readonly #counts = new Uint32Array(HISTORY_MINUTES);
  #last = 0;

  add(minute: number, count: number): void {
    this.#turnTo(minute);
    const slot = minute % HISTORY_MINUTES;
    this.#counts[slot] = (this.#counts[slot] ?? 0) + count;
  }

  /** Oldest first. */
  upTo(minute: number): number[] {
    this.#turnTo(minute);
    return Array.from({ length: HISTORY_MINUTES }, (_, index) => this.#counts[(minute + 1 + index) % HISTORY_MINUTES] ?? 0);
  }

  #turnTo(minute: number): void {
    const passed = Math.min(minute - this.#last, HISTORY_MINUTES);
    for (let step = 0; step < passed; step++) this.#counts[(minute - step) % HISTORY_MINUTES] = 0;
    this.#last = Math.max(this.#last, minute);
  }
}

interface Live {
  readonly minutes: Minutes;
  report: KioskStateReport | undefined;
  reportedAtMs: EpochMillis | undefined;
  lastReceivedAtMs: EpochMillis | undefined;
  occupancy: Occupancy | undefined;
  disconnectedAtMs: EpochMillis | undefined;
}

export class Watch {
  readonly startedAtMs: EpochMillis;
  readonly #clock: Clock;
  readonly #kiosks = new Map<KioskId, Live>();
  readonly #all = new Minutes();
  readonly #rows: Record<Outcome, number> = { accepted: 0, duplicate: 0, conflict: 0, quarantined: 0, erased: 0 };
  readonly #batches: Record<Decided['decision']['kind'], number> = { taken: 0, quarantined: 0, refused: 0 };
  readonly #ackCounts: number[] = Array.from({ length: ACK_BOUNDS_S.length + 1 }, () => 0);
  #ackSumS = 0;
  #bytes = 0;
  #connections = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.startedAtMs = clock.wall();
  }

  /** @param report as the kiosk said it, or its Will. */
  said(kiosk: KioskId, report: KioskStateReport): void {
    const live = this.#live(kiosk);
    // A Will says no more than that the link was lost: what the kiosk said before it stands.
    const isWord = report.isUp || live.report === undefined;
    live.report = report.isUp ? report : { ...(live.report ?? withoutQueue(report)), isUp: false, state: 'down' };
    if (isWord) live.reportedAtMs = this.#clock.wall();
  }

  connected(kiosk: KioskId): void {
    this.#connections += 1;
    this.#live(kiosk).disconnectedAtMs = undefined;
  }

  disconnected(kiosk: KioskId): void {
    this.#live(kiosk).disconnectedAtMs = this.#clock.wall();
  }

  /** Counts what ingest decided; told after the commit. */
  decided(decided: readonly Decided[]): void {
    const minute = this.#minute();
    for (const { kiosk, message, decision } of decided) {
      this.#batches[decision.kind] += 1;
      this.#bytes += message.length;
      if (decision.kind !== 'taken') continue;
      for (const { from, to, outcome } of decision.ranges) this.#rows[outcome] += to - from + 1;
      const live = this.#live(kiosk.kiosk);
      live.lastReceivedAtMs = decision.receivedAtMs;
      live.minutes.add(minute, decision.taken.length);
      this.#all.add(minute, decision.taken.length);
      for (const row of decision.taken) {
        if (!('event' in row) || row.event.type !== 'occupancy') continue;
        live.occupancy = { tokens: row.event.tokens, slotMs: row.event.slotMs, receivedAtMs: decision.receivedAtMs };
      }
    }
  }

  /** Measures how long a batch waits for its answer. @returns that answer. */
  async timed<T>(answer: Promise<T>): Promise<T> {
    const beganMs = this.#clock.monotonic();
    const given = await answer;
    if (given === 'acknowledge') {
      const tookS = (this.#clock.monotonic() - beganMs) / 1_000;
      const bound = ACK_BOUNDS_S.findIndex((atMost) => tookS <= atMost);
      const slot = bound === -1 ? ACK_BOUNDS_S.length : bound;
      this.#ackCounts[slot] = (this.#ackCounts[slot] ?? 0) + 1;
      this.#ackSumS += tookS;
    }
    return given;
  }

  kiosk(kiosk: KioskId): KioskActivity {
    const live = this.#kiosks.get(kiosk);
    return {
      report: live?.report,
      reportedAtMs: live?.reportedAtMs,
      lastReceivedAtMs: live?.lastReceivedAtMs,
      occupancy: live?.occupancy,
      disconnectedAtMs: live?.disconnectedAtMs,
      rowsPerMinute: live?.minutes.upTo(this.#minute()) ?? [],
    };
  }

  rowsPerMinute(): number[] {
    return this.#all.upTo(this.#minute());
  }

  tallies(): Tallies {
    return {
      rows: { ...this.#rows },
      batches: { ...this.#batches },
      bytes: this.#bytes,
      ack: { counts: [...this.#ackCounts], sumS: this.#ackSumS },
      connections: this.#connections,
    };
  }

  #minute(): number {
    return Math.floor(this.#clock.monotonic() / 60_000);
  }

  #live(kiosk: KioskId): Live {
    let live = this.#kiosks.get(kiosk);
    if (live === undefined) {
      live = {
        minutes: new Minutes(),
        report: undefined,
        reportedAtMs: undefined,
        lastReceivedAtMs: undefined,
        occupancy: undefined,
        disconnectedAtMs: undefined,
      };
      this.#kiosks.set(kiosk, live);
    }
    return live;
  }
}

/** A Will is written before anything waits: kiosks a release behind say 0 in it. */
const withoutQueue = ({ queued: _queued, oldestQueuedMs: _oldest, ...report }: KioskStateReport): KioskStateReport => report;
