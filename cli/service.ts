/** What systemd wants to hear of a process that it started: sd_notify(3). */
import { Notifier, type NotifySettings } from '../kiosk/systemd.ts';
import type { Log } from '../protocol/log.ts';
import { systemClock } from '../protocol/time.ts';

/** @returns where systemd listens; `undefined` when this process is no service, or one that systemd asks nothing of. */
export function notifySettings({ NOTIFY_SOCKET, WATCHDOG_USEC }: NodeJS.ProcessEnv = process.env): NotifySettings | undefined {
  if (NOTIFY_SOCKET === undefined) return undefined;
  return { socket: NOTIFY_SOCKET, watchdogUs: WATCHDOG_USEC === undefined ? undefined : Number(WATCHDOG_USEC) };
}

/**
 * Tells systemd that it serves, that it lives until it is done, and that it stops. A gateway whose store refuses lives: started anew it
 * would be no better off, and nobody could look at what is wrong.
 * @param done of what serves. @param signal aborts when it is asked to stop.
 */
export async function serve(settings: NotifySettings | undefined, done: Promise<void>, log: Log, signal: AbortSignal): Promise<void> {
  if (settings === undefined) return await done;
  const notifier = new Notifier(settings, log);
  const ended = new AbortController();
  const stop = () => void notifier.stopping();
  signal.addEventListener('abort', stop, { once: true });
  await notifier.ready();
  const living = notifier.keepAlive(() => true, systemClock, ended.signal);
  try {
    await done;
  } finally {
    ended.abort();
    await living;
  }
}
