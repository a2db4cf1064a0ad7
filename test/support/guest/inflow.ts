/** Bytes of a stream, taken in the lengths that a protocol says. */
import type { Readable } from 'node:stream';

export class Inflow {
  #held: Buffer = Buffer.alloc(0);
  readonly #chunks: AsyncIterator<Buffer>;

  constructor(stream: Readable) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** @throws Error when the stream ends before. */
  async take(lengthBytes: number): Promise<Buffer> {
    const parts = [this.#held];
    for (let total = this.#held.length; total < lengthBytes; ) {
      const next = await this.#chunks.next();
      if (next.done === true) throw new Error('the stream has ended');
      parts.push(next.value);
      total += next.value.length;
    }
    const all = parts.length === 1 ? this.#held : Buffer.concat(parts);
    this.#held = all.subarray(lengthBytes);
    return all.subarray(0, lengthBytes);
  }
}
