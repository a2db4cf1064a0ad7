/** What `vestibule flash` shows: one line that is written over while somebody watches, a line every ten seconds where nobody does. */
import type { Clock } from '../protocol/time.ts';
import { Pace } from '../workshop/flash/progress.ts';

interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const EACH_MS = { terminal: 200, log: 10_000 } as const;
/** ECMA-48: back to the line's start, and the rest of it empty. */
const ERASE = '\r\u001b[K';

export class FlashLines {
  readonly #clock: Clock;
  readonly #out: Output;
  #subject = '';
  #stage = '';
  #pace = new Pace();
  #shownAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, out: Output) {
    this.#clock = clock;
    this.#out = out;
  }

  /** @param where is told once, ahead. */
  begin(subject: string, where: string | undefined): void {
    this.#subject = subject;
    this.#stage = '';
    if (where !== undefined) this.tell(`${subject}: ${where}`);
  }

  progress(stage: string, doneBytes: number, totalBytes: number | undefined): void {
    const nowMs = this.#clock.monotonic();
    const isNew = stage !== this.#stage;
    if (isNew) {
      this.#stage = stage;
      this.#pace = new Pace();
    }
    const isTerminal = this.#out.isTTY === true;
    if (!isNew && nowMs - this.#shownAtMs < (isTerminal ? EACH_MS.terminal : EACH_MS.log)) return;
    this.#shownAtMs = nowMs;
    const line = `${this.#subject}  ${stage.padEnd(9)} ${this.#pace.line(doneBytes, totalBytes, nowMs)}`;
    this.#out.write(isTerminal ? `${ERASE}${line}` : `${line}\n`);
  }

  tell(line: string): void {
    this.#out.write(`${this.#out.isTTY === true ? ERASE : ''}${line}\n`);
  }
}
