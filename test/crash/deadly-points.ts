/** Ends its own process at the point that the test chose: SIGKILL, so that nothing is flushed, closed or said. */
import { writeSync } from 'node:fs';
import { type Log, silentLog } from '../../protocol/log.ts';

export class DeadlyPoints {
  readonly #point: string;
  #left: number;
  /** What the product says at debug is a point; the rest goes nowhere but to standard error when it is bad. */
  readonly log: Log;

  /** @param point none is deadly when empty. @param passed how often it is survived. */
  constructor(point: string, passed: number) {
    this.#point = point;
    this.#left = passed;
    const tell = (event: string, fields: object = {}) => process.stderr.write(`${event} ${JSON.stringify(fields)}\n`);
    this.log = { ...silentLog, error: tell, debug: (event) => this.reach(event) };
  }

  reach(point: string): void {
    if (point !== this.#point) return;
    if (this.#left === 0) {
      writeSync(1, `${JSON.stringify({ diesAt: point })}\n`);
      process.kill(process.pid, 'SIGKILL');
    }
    this.#left -= 1;
  }
}
