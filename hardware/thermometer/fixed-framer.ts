/** What modules share that send their samples again and again: frames of one length found in a stream, their sum, the sensor's range. Pure. */
import { DecodeError } from '../../protocol/errors.ts';
import type { CentiCelsius } from '../../protocol/units.ts';
import type { Sample } from './reading.ts';

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

/** The sensor behind them gives -70 to 380 °C and -40 to 125 °C of its own; what is above 327.67 °C their 16 bits can not say. */
const OBJECT_RANGE = { lowest: -7_000, highest: 32_767 };
const AMBIENT_RANGE = { lowest: -4_000, highest: 12_500 };

/**
 * @param object hundredths of a degree Celsius. @param ambient likewise.
 * @throws DecodeError `decode.out_of_range` when one is none that an MLX90614 can give (family datasheet 3901090614, revision 13).
 */
export function sampleWithin(object: number, ambient: number): Sample {
  if (object < OBJECT_RANGE.lowest || object > OBJECT_RANGE.highest)
    throw new DecodeError('decode.out_of_range', 'thermometer frame: object outside the sensor’s range');
  if (ambient < AMBIENT_RANGE.lowest || ambient > AMBIENT_RANGE.highest)
    throw new DecodeError('decode.out_of_range', 'thermometer frame: ambient outside the sensor’s range');
  return { objectRaw: object as CentiCelsius, ambientRaw: ambient as CentiCelsius };
}
