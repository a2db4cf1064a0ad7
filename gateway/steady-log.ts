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

/** So many subjects are told apart; of more, the one longest not heard of is told anew. */
const MOST_SUBJECTS = 4_096;

/** Keeps peers that repeat themselves from filling the log: of one event and subject a line, and one a minute with the count. */
export class SparseLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #told = new Map<string, { atMs: MonotonicMillis; untold: number }>();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** @param subject whom or what it is about: events of one subject are counted together. */
  tell(level: 'info' | 'warn' | 'error', event: string, subject: string, fields: LogFields): void {
    const nowMs = this.#clock.monotonic();
    const name = `${event} ${subject}`;
    const before = this.#told.get(name);
    if (before !== undefined && nowMs - before.atMs < EVERY_MS) {
      before.untold += 1;
      return;
    }
    this.#told.delete(name);
    this.#told.set(name, { atMs: nowMs, untold: 0 });
    const oldest = this.#told.size > MOST_SUBJECTS ? this.#told.keys().next().value : undefined;
    if (oldest !== undefined) this.#told.delete(oldest);
    this.#log[level](event, before === undefined || before.untold === 0 ? fields : { ...fields, untold: before.untold });
  }
}
