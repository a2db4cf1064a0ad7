/**
 * How many valid rows a kiosk may add. A key that is stolen signs as well as its kiosk did, so that what it sends is taken until
 * somebody revokes it: the quota keeps it from filling the disk meanwhile. What is past it is not refused but waits, unacknowledged,
 * in the kiosk's outbox.
 */

import { Buckets } from '../protocol/bucket.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import type { KioskId } from '../protocol/ids.ts';
import type { Clock } from '../protocol/time.ts';
import type { Answer } from './broker.ts';

const DAY_S = 86_400;
/** What a kiosk that was away for as long as rows are kept has to bring. */
const BURST_DAYS = 21;
/** More kiosks than a gateway has. */
const MOST_KIOSKS = 65_536;

export class RowQuota {
  readonly #clock: Clock;
  readonly #buckets: Buckets;
  readonly #onWaits: (kiosk: KioskId, code: ErrorCode) => void;

  constructor(rowsPerDay: number, clock: Clock, onWaits: (kiosk: KioskId, code: ErrorCode) => void) {
    this.#clock = clock;
    this.#buckets = new Buckets({ perSecond: rowsPerDay / DAY_S, burst: rowsPerDay * BURST_DAYS }, MOST_KIOSKS);
    this.#onWaits = onWaits;
  }

  /** Rows of this kiosk were added. */
  charge(kiosk: KioskId, rows: number): void {
    const nowMs = this.#clock.monotonic();
    this.#buckets.of(kiosk, nowMs).take(rows, nowMs);
  }

  /** Runs `take` as soon as the kiosk may add rows. @returns its answer; `dropped` when the connection ends before. */
  whenFree(kiosk: KioskId, untilClosed: AbortSignal, take: () => Promise<Answer>): Promise<Answer> {
    const nowMs = this.#clock.monotonic();
    const waitMs = this.#buckets.of(kiosk, nowMs).waitMs(nowMs);
    if (waitMs === 0) return take();
    this.#onWaits(kiosk, 'admission.over_quota');
    return new Promise((resolve, reject) => {
      const onClosed = () => {
        cancel();
        resolve('dropped');
      };
      const cancel = this.#clock.after(waitMs, () => {
        untilClosed.removeEventListener('abort', onClosed);
        // Others of this kiosk may have been first.
        this.whenFree(kiosk, untilClosed, take).then(resolve, reject);
      });
      untilClosed.addEventListener('abort', onClosed, { once: true });
    });
  }
}
