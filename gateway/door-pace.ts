/** How fast one connection may be read: by the rates of its client and of its address, which both outlive the connection. */

import { type Bucket, Buckets } from '../protocol/bucket.ts';
import { BURST_SECONDS } from '../protocol/door-keeper.ts';
import type { MonotonicMillis } from '../protocol/units.ts';

export interface PaceLimits {
  /** MQTT packets of one client, sustained; ten seconds' worth at once. */
  readonly packetsPerSecond: number;
  /** Of one client, sustained; ten seconds' worth at once. */
  readonly bytesPerSecond: number;
}

/** So many clients' rates one address has: a building with many kiosks is one address behind its router. */
const CLIENTS_AN_ADDRESS = 20;
const MOST_CLIENTS = 16_384;

/** The rates of all connections. */
export class PaceMaker {
  readonly #clients: RatePair;
  readonly #addresses: RatePair;

  constructor({ packetsPerSecond, bytesPerSecond }: PaceLimits) {
    this.#clients = new RatePair(packetsPerSecond, bytesPerSecond);
    this.#addresses = new RatePair(packetsPerSecond * CLIENTS_AN_ADDRESS, bytesPerSecond * CLIENTS_AN_ADDRESS);
  }

  /** @returns the pace of a connection on which nobody is admitted yet. */
  ofAddress(address: string, nowMs: MonotonicMillis): Pace {
    return new Pace(this.#addresses.of(address, nowMs));
  }

  /** @returns the pace of a client at an address: the slower of both. */
  ofClient(client: string, address: string, nowMs: MonotonicMillis): Pace {
    return new Pace([...this.#addresses.of(address, nowMs), ...this.#clients.of(client, nowMs)]);
  }
}

interface Measured {
  readonly bucket: Bucket;
  readonly counts: 'packets' | 'bytes';
}

class RatePair {
  readonly #packets: Buckets;
  readonly #bytes: Buckets;

  constructor(packetsPerSecond: number, bytesPerSecond: number) {
    const bucketsOf = (perSecond: number) => new Buckets({ perSecond, burst: perSecond * BURST_SECONDS }, MOST_CLIENTS);
    this.#packets = bucketsOf(packetsPerSecond);
    this.#bytes = bucketsOf(bytesPerSecond);
  }

  of(name: string, nowMs: MonotonicMillis): Measured[] {
    return [
      { bucket: this.#packets.of(name, nowMs), counts: 'packets' },
      { bucket: this.#bytes.of(name, nowMs), counts: 'bytes' },
    ];
  }
}

export class Pace {
  readonly #buckets: readonly Measured[];

  constructor(buckets: readonly Measured[]) {
    this.#buckets = buckets;
  }

  /** @returns how long the next packet must wait, ms. */
  waitMs(nowMs: MonotonicMillis): number {
    let longest = 0;
    for (const { bucket } of this.#buckets) longest = Math.max(longest, bucket.waitMs(nowMs));
    return longest;
  }

  /** One packet is read. */
  take(bytes: number, nowMs: MonotonicMillis): void {
    for (const { bucket, counts } of this.#buckets) bucket.take(counts === 'bytes' ? bytes : 1, nowMs);
  }
}
