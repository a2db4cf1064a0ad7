/**
 * Keeps one device in use for as long as it is wanted: open, use, close, wait, again. The only retry of hardware.
 *
 * Room: one device's life. It never exits, never spins (a wait follows every failure) and never holds two links at once.
 * *Wanted* is the signal; *observed* is what onReport says. Neither is read from the other.
 */
import { DeviceError, ExpectedError } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { Closable } from './byte-link.ts';
import { untilAbort } from './until-abort.ts';

export type DeviceReport =
  | { readonly device: string; readonly isUp: true }
  | { readonly device: string; readonly isUp: false; readonly why: ExpectedError };

export interface Backoff {
  /** The wait after the first failure; doubled after each further one. */
  readonly firstWaitMs: number;
  readonly longestWaitMs: number;
  /** A link up for this long ends the outage: waits start again at `firstWaitMs`. */
  readonly healthyMs: number;
  /** 0 up to, not including, 1. A wait is cut by up to half of itself, so that devices of one hub do not come back in step. */
  readonly random: () => number;
}

/** A missing device costs one failed open(2) a try, and a person who replugs a scanner expects it to work before they raise the next card. */
export const HARDWARE_BACKOFF: Omit<Backoff, 'random'> = { firstWaitMs: 250, longestWaitMs: 2_000, healthyMs: 10_000 };

export interface Supervised<Link extends Closable> {
  /** The device's configured name: 1 to 32 of a-z, 0-9 and `-`. */
  readonly device: string;
  readonly open: (signal: AbortSignal) => Promise<Link>;
  /**
   * Works with an open link until it fails or `signal` aborts. Returning unasked counts as `device.gone`.
   * @param markUp says that the device works; needed only where `isUpOnceOpen` is false. Saying it again changes nothing.
   */
  readonly use: (link: Link, signal: AbortSignal, markUp: () => void) => Promise<void>;
  /** Whether an open link is a working device (the default). A device that speaks unasked is up when it has spoken. */
  readonly isUpOnceOpen?: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of every change, and of another reason while down. Not told when `signal` ends it all. */
  readonly onReport: (report: DeviceReport) => void;
  readonly backoff: Backoff;
}

/** How long opening may take, and how long a driver and a close may take to end once told to. */
const OPEN_LONGEST_MS = 10_000;
const END_LONGEST_MS = 3_000;
const REMIND_EVERY_MS = 60_000;

/**
 * Resolves once `signal` aborts and the link is closed; never rejects.
 * A driver's error that is not an ExpectedError is a bug: it is reported as `device.failed`, logged by its name and place (its
 * message may hold what was scanned) and retried like any failure, because a bug in one driver must not stop the door's other devices.
 */
export async function supervise<Link extends Closable>(supervised: Supervised<Link>, signal: AbortSignal): Promise<void> {
  const outage = new Outage(supervised);
  while (!signal.aborted) {
    const error = await useOnce(supervised, outage, signal);
    if (signal.aborted) break;
    const waitMs = outage.failed(error);
    await supervised.clock.sleep(waitMs, signal);
  }
  outage.end();
}

/** @returns why it ended; never rejects. Any link that was opened is closed by then, or told to. */
async function useOnce<Link extends Closable>(supervised: Supervised<Link>, outage: Outage, signal: AbortSignal): Promise<unknown> {
  const { device, open, use, isUpOnceOpen = true, clock } = supervised;
  const ending = new AbortController();
  const end = () => ending.abort();
  signal.addEventListener('abort', end, { once: true });
  let link: Link | undefined;
  try {
    const opening = open(ending.signal);
    link = await within(opening, OPEN_LONGEST_MS, clock, ending.signal);
    if (link === undefined) {
      // It may still come: nobody uses it then, so it is closed.
      opening.then((late) => late.close()).catch(() => {});
      return new DeviceError('device.timeout', `${device}: not open after ${OPEN_LONGEST_MS} ms`);
    }
    if (isUpOnceOpen) outage.up();
    const using = use(link, ending.signal, () => outage.up());
    using.catch(() => {});
    await untilAbort(using, ending.signal);
    if (signal.aborted && (await within(settled(using), END_LONGEST_MS, clock)) === undefined) outage.note('device.hung');
    return new DeviceError('device.gone', `${device}: its driver ended`);
  } catch (error) {
    return error;
  } finally {
    signal.removeEventListener('abort', end);
    end();
    if (link !== undefined && (await within(settled(link.close()), END_LONGEST_MS, clock)) === undefined) outage.note('device.close_hung');
  }
}

const settled = (promise: Promise<unknown>): Promise<true> =>
  promise.then(
    () => true,
    () => true,
  );

/** @returns what `promise` gives, or `undefined` after `longestMs` or on abort. */
async function within<T>(promise: Promise<T>, longestMs: number, clock: Clock, signal?: AbortSignal): Promise<T | undefined> {
  const late = new AbortController();
  const expire = () => late.abort();
  const cancel = clock.after(longestMs, expire);
  signal?.addEventListener('abort', expire, { once: true });
  try {
    return await untilAbort(promise, late.signal);
  } finally {
    cancel();
    signal?.removeEventListener('abort', expire);
  }
}

/** As much of Supervised as telling takes. */
type Telling = Pick<Supervised<Closable>, 'device' | 'clock' | 'log' | 'onReport' | 'backoff'>;

/** What was said about a device, so that it is said once: reports on change, one log line at first, one a minute, one at the end. */
class Outage {
  readonly #telling: Telling;
  #reported: string | undefined;
  #isUp = false;
  #failures = 0;
  #sinceMs = 0;
  #saidMs = 0;
  #cancelHealthy: () => void = () => {};

  constructor(telling: Telling) {
    this.#telling = telling;
  }

  up(): void {
    const { device, clock, log, backoff, onReport } = this.#telling;
    if (this.#isUp) return;
    this.#isUp = true;
    if (this.#failures === 0) log.info('device.up', { device });
    this.#cancelHealthy = clock.after(backoff.healthyMs, () => this.#recovered());
    this.#reported = 'up';
    onReport({ device, isUp: true });
  }

  /** @returns how long to wait before the next try. */
  failed(error: unknown): number {
    const { device, clock, log, backoff, onReport } = this.#telling;
    this.#cancelHealthy();
    this.#isUp = false;
    this.#failures += 1;
    const why = error instanceof ExpectedError ? error : new DeviceError('device.failed', `${device}: bug in its driver`);
    const fields = { device, code: why.code, ...(why === error ? {} : bugFields(error)) };
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
    const waitMs = Math.min(backoff.longestWaitMs, backoff.firstWaitMs * 2 ** (this.#failures - 1));
    return waitMs * (1 - backoff.random() / 2);
  }

  note(event: string): void {
    this.#telling.log.warn(event, { device: this.#telling.device });
  }

  end(): void {
    this.#cancelHealthy();
  }

  #recovered(): void {
    if (this.#failures === 0) return;
    const { device, clock, log } = this.#telling;
    log.info('device.recovered', { device, failures: this.#failures, downMs: clock.monotonic() - this.#sinceMs });
    this.#failures = 0;
  }
}

/** A bug's name and the place it came from; never its message. */
function bugFields(error: unknown): { bug: string; at?: string } {
  if (!(error instanceof Error)) return { bug: typeof error };
  const at = /([\w.-]+:\d+:\d+)\)?$/m.exec(error.stack?.slice(error.stack.indexOf('\n    at ')) ?? '')?.[1];
  return { bug: error.name, ...(at === undefined ? {} : { at }) };
}
