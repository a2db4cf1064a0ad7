/**
 * How often holders may ask in each minute: so often from one address, so often all together; with room kept for whoever asks for little, so that
 * a few who ask all the time shut nobody out.
 */
import { networkOf } from '../../protocol/address.ts';
import { HolderError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';

const WINDOW_MS = 60_000;
const MOST_FROM_ONE = 20;
/** Of all who ask for more than a few. A signature takes a tenth of a millisecond to verify, a revocation some tens. */
const MOST_IN_ALL = 600;
/** A holder reads, takes back, and looks at the receipt. */
const FEW = 3;
/** Of all who ask for few: 0.6 s of a processor. Both together are the bound of what is remembered. */
const MOST_OF_FEW = 6_000;
/** Addresses cost whoever has a network nothing: past this its are as those that ask for more. */
const MOST_OF_FEW_FROM_NETWORK = 60;

export class Tries {
  readonly #clock: Clock;
  readonly #from = new Map<string, number>();
  readonly #fewFrom = new Map<string, number>();
  #window = 0;
  #all = 0;
  #few = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts one. @param from an address (of `addressOf`), a kiosk or a gateway; kept in RAM for this minute. @throws HolderError `holder.too_often`. */
  add(from: string): void {
    const window = Math.floor(this.#clock.monotonic() / WINDOW_MS);
    if (window !== this.#window) {
      this.#window = window;
      this.#all = 0;
      this.#few = 0;
      this.#from.clear();
      this.#fewFrom.clear();
    }
    const own = this.#from.get(from) ?? 0;
    if (own >= MOST_FROM_ONE || !this.#hasRoom(from, own)) throw new HolderError('holder.too_often', 'holder: too many in one minute');
    this.#from.set(from, own + 1);
  }

  #hasRoom(from: string, own: number): boolean {
    const network = networkOf(from);
    const ofNetwork = this.#fewFrom.get(network) ?? 0;
    if (own < FEW && this.#few < MOST_OF_FEW && ofNetwork < MOST_OF_FEW_FROM_NETWORK) {
      this.#few += 1;
      this.#fewFrom.set(network, ofNetwork + 1);
      return true;
    }
    if (this.#all >= MOST_IN_ALL) return false;
    this.#all += 1;
    return true;
  }
}
