/**
 * What was observed of one device, said once: a report on each change, one log line when an outage begins, one a minute, one when it is
 * over; and how long to wait before the next try. An outage is over when the device has been up for `healthyMs`: a loose plug that makes
 * contact for a second does not fill the log.
 */
import { DeviceError, ExpectedError } from '../protocol/errors.ts';
import { placeOf } from '../protocol/log.ts';
import type { Closable } from './byte-link.ts';
import type { Ended, Supervised } from './supervise.ts';

const REMIND_EVERY_MS = 60_000;

/** As much of Supervised as is needed here. */
type Observed = Pick<Supervised<Closable>, 'device' | 'clock' | 'log' | 'onReport' | 'backoff'>;

export class Outage {
  readonly #observed: Observed;
  /** `up`, or the code that was reported; `undefined` before the first report. */
  #reported: string | undefined;
  #failures = 0;
  /** Of them, those of a device that had opened and was unplugged. */
  #unplugs = 0;
  #sinceMs = 0;
  #saidMs = 0;
  #cancelHealthy: () => void = () => {};

  constructor(observed: Observed) {
    this.#observed = observed;
  }

  /** The device works. Saying it again changes nothing. */
  up(): void {
    const { device, clock, log, backoff, onReport } = this.#observed;
    if (this.#reported === 'up') return;
    this.#reported = 'up';
    if (this.#failures === 0) log.info('device.up', { device });
    // Whether it lasts is said by device.recovered.
    else log.debug('device.up_again', () => ({ device }));
    this.#cancelHealthy = clock.after(backoff.healthyMs, () => this.#over());
    onReport({ device, isUp: true });
  }

  /** @returns how long to wait before the next try. */
  failed({ error, hadOpened }: Ended): number {
    const { device, clock, log, backoff, onReport } = this.#observed;
    this.#cancelHealthy();
    this.#failures += 1;
    const why = error instanceof ExpectedError ? error : new DeviceError('device.failed', `${device}: bug in its driver`);
    const wasUnplugged = hadOpened && why.code === 'device.gone';
    if (wasUnplugged) this.#unplugs += 1;
    const fields = { device, code: why.code, ...(why === error ? {} : placeOf(error)) };
    const nowMs = clock.monotonic();
    if (this.#failures === 1) {
      this.#sinceMs = nowMs;
      this.#saidMs = nowMs;
      log.warn('device.down', fields);
    } else if (nowMs - this.#saidMs >= REMIND_EVERY_MS) {
      this.#saidMs = nowMs;
      log.warn('device.still_down', { ...fields, failures: this.#failures, downMs: nowMs - this.#sinceMs });
    }
    if (this.#reported !== why.code) {
      this.#reported = why.code;
      onReport({ device, isUp: false, why });
    }
    return this.#waitMs(nowMs - this.#sinceMs, hadOpened && !(wasUnplugged && this.#unplugs <= backoff.quickReplugs));
  }

  /** A line of its own, for what should not happen. */
  note(event: string): void {
    this.#observed.log.warn(event, { device: this.#observed.device });
  }

  /** Nothing is said after this. */
  stop(): void {
    this.#cancelHealthy();
  }

  #waitMs(downMs: number, isSlowed: boolean): number {
    const { firstWaitMs, longestWaitMs, longestUsedWaitMs, random } = this.#observed.backoff;
    const longestMs = isSlowed ? Math.min(longestUsedWaitMs, Math.max(longestWaitMs, downMs / 10)) : longestWaitMs;
    const waitMs = Math.min(longestMs, firstWaitMs * 2 ** (this.#failures - 1));
    return waitMs * (1 - random() / 2);
  }

  #over(): void {
    if (this.#failures === 0) return;
    const { device, clock, log } = this.#observed;
    log.info('device.recovered', { device, failures: this.#failures, downMs: clock.monotonic() - this.#sinceMs });
    this.#failures = 0;
    this.#unplugs = 0;
  }
}
