/**
 * Stands before handshake and parser: how many connections may wait to be admitted, and how often each address may come. Who comes
 * first is not known there, so that it refuses nobody for what others did: of too many that wait, the one that has waited longest
 * goes, and a kiosk is through in a few round trips.
 */
import { addressOf } from './address.ts';
import { Buckets } from './bucket.ts';
import type { ErrorCode } from './errors.ts';
import type { Clock } from './time.ts';

export interface DoorLimits {
  /** New connections of one address, sustained; ten seconds' worth at once. */
  readonly connectionsPerSecond: number;
  /** Connections of one address on which nobody is admitted yet. */
  readonly mostWaiting: number;
}

export interface DoorReports {
  /** @param address as `addressOf` gives it. */
  onRefused(address: string, code: ErrorCode): void;
}

/** One connection that was let in as far as the handshake. */
export interface Arrival {
  readonly address: string;
  /** Whether the door closed it for another. */
  readonly isCut: boolean;
  /** Somebody is admitted on it: it does not wait any more. */
  admit(): void;
  /** It is closed. */
  leave(): void;
}

export const BURST_SECONDS = 10;
/** Of all addresses together: each holds a handshake's state, some 50 kB. */
const MOST_WAITING_IN_ALL = 1_024;
const MOST_ADDRESSES = 16_384;

interface Waiting {
  readonly address: string;
  readonly cut: () => void;
  isCut: boolean;
}

export class DoorKeeper {
  readonly #limits: DoorLimits;
  readonly #clock: Clock;
  readonly #reports: DoorReports;
  readonly #rates: Buckets;
  /** Oldest first. */
  readonly #waiting = new Set<Waiting>();
  readonly #byAddress = new Map<string, Set<Waiting>>();

  constructor(limits: DoorLimits, clock: Clock, reports: DoorReports) {
    this.#limits = limits;
    this.#clock = clock;
    this.#reports = reports;
    const { connectionsPerSecond } = limits;
    this.#rates = new Buckets({ perSecond: connectionsPerSecond, burst: connectionsPerSecond * BURST_SECONDS }, MOST_ADDRESSES);
  }

  /**
   * @param remoteAddress of the socket. @param cut closes it, at once.
   * @returns `undefined` when it may not come now: its address comes too often.
   */
  arrive(remoteAddress: string | undefined, cut: () => void): Arrival | undefined {
    const address = addressOf(remoteAddress);
    if (!this.#rates.of(address, this.#clock.monotonic()).takeOne(this.#clock.monotonic())) {
      this.#reports.onRefused(address, 'admission.too_often');
      return undefined;
    }
    const waiting: Waiting = { address, cut, isCut: false };
    this.#waiting.add(waiting);
    const neighbours = this.#byAddress.get(address) ?? new Set();
    this.#byAddress.set(address, neighbours.add(waiting));
    if (neighbours.size > this.#limits.mostWaiting) this.#cutOldest(neighbours);
    else if (this.#waiting.size > MOST_WAITING_IN_ALL) this.#cutOldest(this.#waiting);
    const leave = () => this.#forget(waiting);
    return {
      address,
      get isCut() {
        return waiting.isCut;
      },
      admit: leave,
      leave,
    };
  }

  /** Its handshake failed or never came; one that was cut is counted already. */
  failed(arrival: Arrival): void {
    if (!arrival.isCut) this.#reports.onRefused(arrival.address, 'admission.no_handshake');
  }

  /** There was no room for it at all. */
  full(remoteAddress: string | undefined): void {
    this.#reports.onRefused(addressOf(remoteAddress), 'admission.too_many_connections');
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  #cutOldest(among: Set<Waiting>): void {
    const [oldest] = among;
    if (oldest === undefined) return;
    this.#forget(oldest);
    oldest.isCut = true;
    this.#reports.onRefused(oldest.address, 'admission.too_many_connections');
    oldest.cut();
  }

  #forget(waiting: Waiting): void {
    if (!this.#waiting.delete(waiting)) return;
    const neighbours = this.#byAddress.get(waiting.address);
    neighbours?.delete(waiting);
    if (neighbours?.size === 0) this.#byAddress.delete(waiting.address);
  }
}
