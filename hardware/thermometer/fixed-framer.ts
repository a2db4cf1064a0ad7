/** Finds frames of one length in a stream of bytes: for modules that send their samples again and again. Pure. */
import { DecodeError } from '../../protocol/errors.ts';

export interface FixedFrame<Value> {
  /** How every frame begins. */
  readonly start: readonly number[];
  readonly lengthBytes: number;
  /** @throws DecodeError for a frame that is refused. */
  readonly decode: (frame: Uint8Array) => Value;
}

/** Bounded to one frame, the same however the stream is cut, and in step again after any noise. */
export class FixedFramer<Value> {
  readonly #kind: FixedFrame<Value>;
  readonly #frame: Uint8Array;
  #lengthBytes = 0;

  constructor(kind: FixedFrame<Value>) {
    this.#kind = kind;
    this.#frame = new Uint8Array(kind.lengthBytes);
  }

  /** @returns values in order, and a DecodeError for each frame that began right and was refused. Bytes outside frames are passed over. */
  push(bytes: Uint8Array): (Value | DecodeError)[] {
    const found: (Value | DecodeError)[] = [];
    for (const byte of bytes) {
      this.#frame[this.#lengthBytes++] = byte;
      this.#align();
      if (this.#lengthBytes < this.#frame.length) continue;
      try {
        found.push(this.#kind.decode(this.#frame));
        this.#lengthBytes = 0;
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        found.push(error);
        // A true start may lie inside what looked like a frame: go on one byte later, not a whole frame.
        this.#shift();
        this.#align();
      }
    }
    return found;
  }

  /** Drops bytes from the front until what is there may begin a frame. */
  #align(): void {
    while (!this.#mayBegin()) this.#shift();
  }

  #mayBegin(): boolean {
    return this.#kind.start.every((byte, index) => index >= this.#lengthBytes || this.#frame[index] === byte);
  }

  #shift(): void {
    this.#frame.copyWithin(0, 1, this.#lengthBytes);
    this.#lengthBytes -= 1;
  }
}

/** @returns the low eight bits of the sum of `bytes`: the check byte of these modules. */
export const sumOf = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => (sum + byte) & 0xff, 0);
