/** How often holders may ask: so often from one address, so often all together, in each minute. */
import { HolderError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';

const WINDOW_MS = 60_000;
const MOST_FROM_ONE = 20;
/** Also the bound of what is remembered. A signature takes a tenth of a millisecond to verify, a revocation some tens. */
const MOST_IN_ALL = 600;

export class Tries {
  readonly #clock: Clock;
  readonly #from = new Map<string, number>();
  #window = 0;
  #all = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts one. @param from an address or a kiosk; kept in RAM for this minute. @throws HolderError `holder.too_often`. */
  add(from: string): void {
    const window = Math.floor(this.#clock.monotonic() / WINDOW_MS);
    if (window !== this.#window) {
      this.#window = window;
      this.#all = 0;
      this.#from.clear();
    }
    const own = this.#from.get(from) ?? 0;
    if (own >= MOST_FROM_ONE || this.#all >= MOST_IN_ALL) throw new HolderError('holder.too_often', 'holder: too many in one minute');
    this.#all += 1;
    this.#from.set(from, own + 1);
  }
}
