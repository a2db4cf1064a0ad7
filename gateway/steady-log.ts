/** Keeps a failing loop from filling the log: one line at the first failure, one a minute, one `recovered` with the count. */
import type { Log, LogFields } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { MonotonicMillis } from '../protocol/units.ts';

const EVERY_MS = 60_000;

export class SteadyLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #subject: string;
  #failures = 0;
  #lastLineAt: MonotonicMillis | undefined;

  /** @param subject makes the events `<subject>.failed` and `<subject>.recovered`. */
  constructor(log: Log, clock: Clock, subject: string) {
    this.#log = log;
    this.#clock = clock;
    this.#subject = subject;
  }

  failed(fields: LogFields): void {
    this.#failures += 1;
    const now = this.#clock.monotonic();
    if (this.#lastLineAt !== undefined && now - this.#lastLineAt < EVERY_MS) return;
    this.#lastLineAt = now;
    this.#log.error(`${this.#subject}.failed`, { ...fields, failures: this.#failures });
  }

  /** Says so once, and only after a failure. */
  recovered(fields: LogFields = {}): void {
    if (this.#failures === 0) return;
    this.#log.info(`${this.#subject}.recovered`, { ...fields, failures: this.#failures });
    this.#failures = 0;
    this.#lastLineAt = undefined;
  }
}
