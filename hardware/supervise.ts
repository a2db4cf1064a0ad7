/**
 * Keeps one device in use for as long as it is wanted: open, use, close, wait, again. The only retry of hardware.
 *
 * Room: one device's life. It never exits, never spins (a wait follows every failure) and never uses two links at once.
 * *Wanted* is the signal; *observed* is what onReport says. Neither is read from the other.
 */
import { DeviceError, type ExpectedError } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { Closable } from './byte-link.ts';
import { Outage } from './outage.ts';
import { Ending, untilAbort } from './until-abort.ts';

export type DeviceReport =
  | { readonly device: string; readonly isUp: true }
  | { readonly device: string; readonly isUp: false; readonly why: ExpectedError };

export interface Backoff {
  /** The wait after the first failure; doubled after each further one. */
  readonly firstWaitMs: number;
  /** While nothing can be opened. */
  readonly longestWaitMs: number;
  /** For a device that opens and fails again and again: its waits grow on to a tenth of the outage, and to this at most. */
  readonly longestUsedWaitMs: number;
  /** How often it may be unplugged in one outage before they do, too: a person replugs some times, a loose plug for days. */
  readonly quickReplugs: number;
  /** A device up for this long ends the outage: waits start again at `firstWaitMs`. */
  readonly healthyMs: number;
  /** 0 up to, not including, 1. A wait is cut by up to half of itself, so that devices of one hub do not come back in step. */
  readonly random: () => number;
}

/**
 * A scanner that was put back is to read within a second, also on a machine that is busy: the wait is most of it on one that is not. A missing
 * device costs a failed open(2) a try, a HID scanner or keyboard a look through sysfs (some 1.3 ms of a processor for four devices).
 * An open that succeeds costs 2.4 kB that serialport 13.0.0 never gives back, so a loose plug is not tried every second for days.
 */
export const HARDWARE_BACKOFF: Omit<Backoff, 'random'> = {
  firstWaitMs: 100,
  longestWaitMs: 150,
  longestUsedWaitMs: 30_000,
  quickReplugs: 200,
  healthyMs: 10_000,
};

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
  /** Where others may ask for it to be closed and opened anew. */
  readonly restarts?: Restarts | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of every change, and of another reason while down. Not told when `signal` ends it all. */
  readonly onReport: (report: DeviceReport) => void;
  readonly backoff: Backoff;
}

/** Lets devices that are in use be closed and opened anew. */
export class Restarts {
  readonly #uses = new Set<() => void>();

  /** Closes and opens every device that is in use. */
  restart(): void {
    for (const end of [...this.#uses]) end();
  }

  /** @returns takes it back. */
  add(end: () => void): () => void {
    this.#uses.add(end);
    return () => this.#uses.delete(end);
  }
}

/** How long opening may take, and how long a driver and a close may take to end once told to. */
export const OPEN_LONGEST_MS = 10_000;
export const END_LONGEST_MS = 3_000;

/**
 * Resolves once `signal` aborts and the link is closed; never rejects. A driver that does not end, or a close that does not, is waited for
 * END_LONGEST_MS and then left behind with a line in the log.
 * A driver's error that is not an ExpectedError is a bug: it is reported as `device.failed`, logged by its name and place (its
 * message may hold what was scanned) and retried like any failure, because a bug in one driver must not stop the door's other devices.
 */
export async function supervise<Link extends Closable>(supervised: Supervised<Link>, signal: AbortSignal): Promise<void> {
  const outage = new Outage(supervised);
  while (!signal.aborted) {
    const ended = await useOnce(supervised, outage, signal);
    if (signal.aborted) break;
    await supervised.clock.sleep(outage.failed(ended), signal);
  }
  outage.stop();
}

/** How one use of a device ended. */
export interface Ended {
  readonly error: unknown;
  readonly hadOpened: boolean;
}

/** Never rejects. Any link that was opened has been closed by then, or told to. */
async function useOnce<Link extends Closable>(supervised: Supervised<Link>, outage: Outage, signal: AbortSignal): Promise<Ended> {
  const { device, use, isUpOnceOpen = true, clock } = supervised;
  const ending = new Ending(signal);
  let isRestarted = false;
  let forgetUse = () => {};
  let link: Link | undefined;
  try {
    link = await openWithin(supervised, ending.signal);
    if (signal.aborted) return { error: undefined, hadOpened: true };
    if (isUpOnceOpen) outage.up();
    forgetUse =
      supervised.restarts?.add(() => {
        isRestarted = true;
        ending.end();
      }) ?? forgetUse;
    const using = use(link, ending.signal, () => {
      if (!ending.signal.aborted) outage.up();
    });
    using.catch(() => {});
    await untilAbort(using, ending.signal);
    if (signal.aborted && !(await settles(using, clock))) outage.note('device.hung');
    const why = isRestarted ? 'device.silent' : 'device.gone';
    return { error: new DeviceError(why, `${device}: ${isRestarted ? 'opened anew' : 'its driver ended'}`), hadOpened: true };
  } catch (error) {
    return { error, hadOpened: link !== undefined };
  } finally {
    forgetUse();
    ending.release();
    ending.end();
    if (link !== undefined && !(await settles(link.close(), clock))) outage.note('device.close_hung');
  }
}

/**
 * @param signal on abort the opening is waited for a little longer, because a link that still comes must be closed before this ends.
 * @throws what `open` throws; DeviceError `device.timeout` when it does not come in time. A link that comes later yet is closed.
 */
async function openWithin<Link extends Closable>({ device, open, clock }: Supervised<Link>, signal: AbortSignal): Promise<Link> {
  const late = new AbortController();
  const opening = open(signal);
  let cancel = clock.after(OPEN_LONGEST_MS, () => late.abort());
  const hurry = () => {
    cancel();
    cancel = clock.after(END_LONGEST_MS, () => late.abort());
  };
  signal.addEventListener('abort', hurry, { once: true });
  try {
    const link = await untilAbort(opening, late.signal);
    if (link !== undefined) return link;
    opening.then((unwanted) => unwanted.close()).catch(() => {});
    throw new DeviceError('device.timeout', `${device}: not open after ${OPEN_LONGEST_MS} ms`);
  } finally {
    cancel();
    signal.removeEventListener('abort', hurry);
  }
}

/** @returns whether `promise` settles, either way, within END_LONGEST_MS. */
async function settles(promise: Promise<unknown>, clock: Clock): Promise<boolean> {
  const late = new AbortController();
  const cancel = clock.after(END_LONGEST_MS, () => late.abort());
  const settled = promise.then(
    () => true,
    () => true,
  );
  const isSettled = await untilAbort(settled, late.signal);
  cancel();
  return isSettled === true;
}
