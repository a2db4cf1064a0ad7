/**
 * How many senders were about in a slot of time. Sightings in, one number a slot out; pure but for the key, which is handed in.
 *
 * A token is HMAC-SHA256 of what tells a sender apart, under a random key that lives as long as its slot, a day at most. Tokens of two
 * slots can so not be compared, not even by who reads this process's memory; when a slot ends, its key and its tokens are forgotten.
 * Nothing but the number leaves RAM, and not even that where it is small.
 */
import { createHmac } from 'node:crypto';
import type { AdvertisementKind, Sighting } from '../hardware/ble/advertisement.ts';
import type { MonotonicMillis } from '../protocol/units.ts';

export interface OccupancyPolicy {
  /** Length of a slot: 1 to 86,400,000 ms. */
  readonly slotMs: number;
  /** Fewer are too few to tell: a person who sits alone in a waiting room is nobody's number. */
  readonly leastTokens: number;
  /** Weaker sightings are the neighbours'. One whose strength is not known counts. */
  readonly weakestDbm: number;
  /** What is counted. Beacons and fixed addresses are furniture. */
  readonly kinds: readonly AdvertisementKind[];
}

export interface Slot {
  readonly slotMs: number;
  /** Distinct tokens; `undefined` when too few to tell. At most MOST_TOKENS. */
  readonly tokens: number | undefined;
}

/** What an event can say (protocol.md, occupancy); some 5 MB of tokens. A flood of made-up addresses makes a number wrong, and no more. */
export const MOST_TOKENS = 65_535;
/** Of a hash: two of 65,535 are the same by chance once in 8 thousand million slots. */
const TOKEN_BYTES = 8;
/** A slot in which nobody listened for more than a tenth of the time would tell too few. */
const LEAST_LISTENED = 0.9;

export class Occupancy {
  readonly #policy: OccupancyPolicy;
  readonly #kinds: ReadonlySet<AdvertisementKind>;
  readonly #newKey: () => Uint8Array;
  readonly #tokens = new Set<string>();
  #key: Uint8Array;
  #beganMs: MonotonicMillis;
  #listenedMs = 0;
  #listeningSinceMs: MonotonicMillis | undefined;

  /** @param newKey gives 32 random bytes, others each time. @param nowMs when the first slot begins. */
  constructor(policy: OccupancyPolicy, newKey: () => Uint8Array, nowMs: MonotonicMillis) {
    this.#policy = policy;
    this.#kinds = new Set(policy.kinds);
    this.#newKey = newKey;
    this.#key = newKey();
    this.#beganMs = nowMs;
  }

  /** When the present slot is over. */
  get endsMs(): MonotonicMillis {
    return (this.#beganMs + this.#policy.slotMs) as MonotonicMillis;
  }

  /** A sniffer listens from now on. Saying it again changes nothing. */
  listen(nowMs: MonotonicMillis): void {
    this.#listeningSinceMs ??= nowMs;
  }

  /** None listens any more. */
  pause(nowMs: MonotonicMillis): void {
    if (this.#listeningSinceMs === undefined) return;
    this.#listenedMs += Math.max(0, nowMs - Math.max(this.#listeningSinceMs, this.#beganMs));
    this.#listeningSinceMs = undefined;
  }

  hear({ kind, tokenInput, rssiDbm }: Sighting): void {
    const { weakestDbm } = this.#policy;
    if (!this.#kinds.has(kind) || (rssiDbm !== undefined && rssiDbm < weakestDbm) || this.#tokens.size >= MOST_TOKENS) return;
    const token = createHmac('sha256', this.#key).update(kind).update('\n').update(tokenInput).digest();
    this.#tokens.add(token.toString('latin1', 0, TOKEN_BYTES));
  }

  /**
   * Ends the slot and begins the next.
   * @returns the slot that is over; `undefined` before its end, and where it was not listened to for nine tenths of it.
   */
  end(nowMs: MonotonicMillis): Slot | undefined {
    const { slotMs, leastTokens } = this.#policy;
    if (nowMs < this.endsMs) return undefined;
    const isListening = this.#listeningSinceMs !== undefined;
    this.pause(this.endsMs);
    const isWhole = this.#listenedMs >= slotMs * LEAST_LISTENED;
    const tokens = this.#tokens.size;
    this.#tokens.clear();
    this.#key.fill(0);
    this.#key = this.#newKey();
    this.#listenedMs = 0;
    // After a suspension slots that nobody was awake for are passed over.
    this.#beganMs = (this.#beganMs + slotMs * Math.floor((nowMs - this.#beganMs) / slotMs)) as MonotonicMillis;
    if (isListening) this.listen(this.#beganMs);
    return isWhole ? { slotMs, tokens: tokens >= leastTokens ? tokens : undefined } : undefined;
  }
}
