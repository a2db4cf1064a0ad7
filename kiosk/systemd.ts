/**
 * Tells systemd how the kiosk does (sd_notify(3)), through the program `systemd-notify`, because Node has no Unix datagram sockets.
 * The unit needs `NotifyAccess=all`: the datagram comes from a child. Where the program is missing it says so once, and goes on.
 */
import { spawn } from 'node:child_process';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';

export interface NotifySettings {
  /** NOTIFY_SOCKET. */
  readonly socket: string;
  /** WATCHDOG_USEC, in µs; `undefined` when the unit has no watchdog. */
  readonly watchdogUs: number | undefined;
  /** `systemd-notify` when left out. */
  readonly program?: string;
}

/** A notification that hangs is not to hold up the kiosk's start, its status or its end. */
const SEND_LONGEST_MS = 5_000;

export class Notifier {
  readonly #settings: NotifySettings;
  readonly #log: Log;
  #hasFailed = false;
  #status = '';

  constructor(settings: NotifySettings, log: Log) {
    this.#settings = settings;
    this.#log = log;
  }

  ready(): Promise<void> {
    return this.#send('READY=1');
  }

  stopping(): Promise<void> {
    return this.#send('STOPPING=1');
  }

  /** @param text one line for `systemctl status`; the same again is not sent. */
  async status(text: string): Promise<void> {
    if (text === this.#status) return;
    this.#status = text;
    await this.#send(`STATUS=${text}`);
  }

  /** Until abort: a sign of life at half of the watchdog's time, while `isAlive`. It comes from the event loop, so it shows that, too. */
  async keepAlive(isAlive: () => boolean, clock: Clock, signal: AbortSignal): Promise<void> {
    const { watchdogUs } = this.#settings;
    if (watchdogUs === undefined) return;
    while (!signal.aborted) {
      if (isAlive()) await this.#send('WATCHDOG=1');
      await clock.sleep(watchdogUs / 2_000, signal);
    }
  }

  #send(assignment: string): Promise<void> {
    const { socket, program = 'systemd-notify' } = this.#settings;
    return new Promise((resolve) => {
      const child = spawn(program, [assignment], {
        env: { NOTIFY_SOCKET: socket },
        stdio: 'ignore',
        timeout: SEND_LONGEST_MS,
        killSignal: 'SIGKILL',
      });
      child.once('error', () => this.#complain(resolve));
      child.once('exit', (status) => (status === 0 ? resolve() : this.#complain(resolve)));
    });
  }

  #complain(resolve: () => void): void {
    if (!this.#hasFailed) this.#log.warn('systemd.not_notified');
    this.#hasFailed = true;
    resolve();
  }
}
