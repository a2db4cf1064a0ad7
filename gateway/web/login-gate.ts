/**
 * Slows guessing down: per address and account the wait doubles after a few wrong passwords, and an address has a budget over all
 * accounts. A person elsewhere who knows the password is not shut out by somebody who guesses at it.
 */
import type { Clock } from '../../protocol/time.ts';

const FREE_TRIES = 5;
const FIRST_WAIT_MS = 2_000;
const LONGEST_WAIT_MS = 15 * 60_000;
/** Of one address, over all accounts. */
const MOST_OF_ADDRESS = 30;
const FORGET_MS = 15 * 60_000;
/** What is remembered is bounded; the one that was quiet longest is forgotten. */
const MOST_REMEMBERED = 4_096;

interface Tries {
  failures: number;
  lastMs: number;
}

export class LoginGate {
  readonly #clock: Clock;
  readonly #tries = new Map<string, Tries>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns how long this address must wait before it may try this account, ms; 0 for now. */
  waitMs(address: string, account: string): number {
    const nowMs = this.#clock.monotonic();
    const ofPair = this.#of(`${address} ${account}`, nowMs);
    const ofAddress = this.#of(address, nowMs);
    const pairWaitMs =
      ofPair.failures < FREE_TRIES
        ? 0
        : ofPair.lastMs + Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (ofPair.failures - FREE_TRIES)) - nowMs;
    const addressWaitMs = ofAddress.failures < MOST_OF_ADDRESS ? 0 : ofAddress.lastMs + FORGET_MS - nowMs;
    return Math.max(0, pairWaitMs, addressWaitMs);
  }

  /** To be called before the password is looked at, or of many that come at once each would be the first. It counts as wrong until it is `succeeded`. */
  begin(address: string, account: string): void {
    const nowMs = this.#clock.monotonic();
    for (const name of [`${address} ${account}`, address]) {
      const tries = this.#of(name, nowMs);
      this.#tries.delete(name);
      this.#tries.set(name, { failures: tries.failures + 1, lastMs: nowMs });
    }
    while (this.#tries.size > MOST_REMEMBERED) {
      const oldest = this.#tries.keys().next().value;
      if (oldest !== undefined) this.#tries.delete(oldest);
    }
  }

  /** The budget of the address stays but for this one: one known password is not a way to guess at others. */
  succeeded(address: string, account: string): void {
    this.#tries.delete(`${address} ${account}`);
    const ofAddress = this.#tries.get(address);
    if (ofAddress !== undefined) ofAddress.failures = Math.max(0, ofAddress.failures - 1);
  }

  #of(name: string, nowMs: number): Tries {
    const tries = this.#tries.get(name);
    return tries === undefined || nowMs - tries.lastMs > FORGET_MS ? { failures: 0, lastMs: nowMs } : tries;
  }
}
