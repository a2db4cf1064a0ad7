/**
 * Cuts a byte stream into whole MQTT packets, bounded, without reading what is in them.
 * Source: MQTT 3.1.1, section 2.2 (fixed header: type in the high nibble of byte 0, then the remaining length in 1 to 4 bytes of
 * 7 bits, low first).
 */
import { AdmissionError } from '../protocol/errors.ts';
import { longestOf } from './door-packets.ts';

export interface Packet {
  /** 1 CONNECT, 3 PUBLISH, …: MQTT 3.1.1, table 2.1. */
  readonly type: number;
  /** Header and all. */
  readonly bytes: Buffer;
  readonly remainingBytes: number;
}

const LONGEST_LENGTH_BYTES = 4;

export class PacketSplitter {
  readonly #longestBytes: number;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #isFirst = true;

  /** @param longestBytes of a packet of any type, without its fixed header. */
  constructor(longestBytes: number) {
    this.#longestBytes = longestBytes;
  }

  /**
   * @returns the packets that `chunk` completes, in order. What is kept never exceeds one packet and one chunk.
   * @throws AdmissionError `admission.overlong` as soon as a packet says that it is longer than its type may be,
   * `admission.malformed` as soon as its first byte shows that it may not come from a client, or not now.
   */
  push(chunk: Buffer): Packet[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    const packets: Packet[] = [];
    for (let packet = this.#next(); packet !== undefined; packet = this.#next()) packets.push(packet);
    return packets;
  }

  #next(): Packet | undefined {
    const head = this.#head();
    if (head === undefined || this.#bytes < head.headerBytes + head.remainingBytes) return undefined;
    const all = this.#chunks.length === 1 ? (this.#chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#chunks);
    const end = head.headerBytes + head.remainingBytes;
    const bytes = all.subarray(0, end);
    this.#chunks = end < all.length ? [all.subarray(end)] : [];
    this.#bytes = all.length - end;
    this.#isFirst = false;
    return { type: head.type, bytes, remainingBytes: head.remainingBytes };
  }

  /** @returns `undefined` while the fixed header is not whole. */
  #head(): { type: number; headerBytes: number; remainingBytes: number } | undefined {
    const head = this.#first(1 + LONGEST_LENGTH_BYTES);
    const first = head[0];
    if (first === undefined) return undefined;
    const longestBytes = longestOf(first, this.#isFirst, this.#longestBytes);
    let remainingBytes = 0;
    for (let i = 1; i <= LONGEST_LENGTH_BYTES; i++) {
      const byte = head[i];
      if (byte === undefined) return undefined;
      remainingBytes += (byte & 0x7f) * 128 ** (i - 1);
      if (remainingBytes > longestBytes)
        throw new AdmissionError('admission.overlong', `MQTT packet: ${remainingBytes} of at most ${longestBytes} bytes`);
      if ((byte & 0x80) === 0) return { type: first >> 4, headerBytes: 1 + i, remainingBytes };
    }
    throw new AdmissionError('admission.overlong', `MQTT packet: a length of more than ${LONGEST_LENGTH_BYTES} bytes`);
  }

  #first(count: number): Buffer {
    const [only, ...more] = this.#chunks;
    if (only === undefined || only.length >= count || more.length === 0) return (only ?? Buffer.alloc(0)).subarray(0, count);
    return Buffer.concat(this.#chunks, Math.min(count, this.#bytes));
  }
}
