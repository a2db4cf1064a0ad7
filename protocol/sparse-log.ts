/** Keeps peers that repeat themselves from filling the log. */
import type { Log, LogFields } from './log.ts';
import type { Clock } from './time.ts';
import type { MonotonicMillis } from './units.ts';

const EVERY_MS = 60_000;
/** So many subjects are told apart; of more, the one longest not heard of is told anew. */
const MOST_SUBJECTS = 4_096;

/** Of one event and subject a line, and one a minute with the count. */
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
