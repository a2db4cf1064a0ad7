/**
 * Cuts a stream of bytes into lines: bounded, and the same lines however the stream is cut into chunks. Pure; time is gap-framer.ts's.
 */
import type { RefusedScan } from './scan.ts';

export type Frame =
  | { readonly kind: 'frame'; readonly bytes: Uint8Array }
  | { readonly kind: 'refused'; readonly why: RefusedScan; readonly lengthBytes: number };

/** CR, LF, CR LF and Tab alike: a scanner's suffix is one of them, and none is inside a symbol of ours. */
export const LINE_ENDS: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0d]);

const isPrintable = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x20 && byte <= 0x7e;

export class LineFramer {
  readonly #ends: ReadonlySet<number>;
  readonly #line: Uint8Array;
  #lengthBytes = 0;
  #isSkipping = false;
  #hasSeenEnd = false;

  /** @param ends bytes that end a line, none of them printable; empty where only `flush` does. @param longestBytes a longer line is refused. */
  constructor(ends: ReadonlySet<number>, longestBytes: number) {
    this.#ends = ends;
    this.#line = new Uint8Array(longestBytes);
  }

  /** Whether a line, or the rest of a refused one, is under way. */
  get isInside(): boolean {
    return this.#lengthBytes > 0 || this.#isSkipping;
  }

  /** Whether any line has ended by one of `ends`. */
  get hasSeenEnd(): boolean {
    return this.#hasSeenEnd;
  }

  /**
   * @returns what is complete, in order. Empty lines are not there (CR LF is two ends). A line too long or with a byte outside 0x20 to 0x7E
   * is refused once, at the byte that shows it; what follows, up to the next end, goes with it.
   */
  push(bytes: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    for (let at = 0; at < bytes.length; at++) {
      const from = at;
      while (isPrintable(bytes[at])) at++;
      const tooLong = this.#take(bytes.subarray(from, at));
      if (tooLong !== undefined) frames.push(tooLong);
      const byte = bytes[at];
      if (byte === undefined) break;
      if (this.#ends.has(byte)) {
        this.#hasSeenEnd = true;
        const frame = this.flush();
        if (frame !== undefined) frames.push(frame);
      } else if (!this.#isSkipping) frames.push(this.#refuse('unprintable'));
    }
    return frames;
  }

  /** @param run printable. @returns the refusal of a line that is too long with it. */
  #take(run: Uint8Array): Frame | undefined {
    if (this.#isSkipping) return undefined;
    const room = this.#line.length - this.#lengthBytes;
    this.#line.set(run.length > room ? run.subarray(0, room) : run, this.#lengthBytes);
    this.#lengthBytes += Math.min(run.length, room);
    return run.length > room ? this.#refuse('overlong') : undefined;
  }

  #refuse(why: RefusedScan): Frame {
    const lengthBytes = this.#lengthBytes + 1;
    this.#lengthBytes = 0;
    this.#isSkipping = true;
    return { kind: 'refused', why, lengthBytes };
  }

  /** Ends the line here, as an end byte would. @returns it, or `undefined` when there is nothing. */
  flush(): Frame | undefined {
    const bytes = this.#line.slice(0, this.#lengthBytes);
    this.#lengthBytes = 0;
    this.#isSkipping = false;
    return bytes.length === 0 ? undefined : { kind: 'frame', bytes };
  }

  /** Forgets the line under way. @returns the refusal of what was there, or `undefined` when there was nothing to refuse. */
  drop(): Frame | undefined {
    const lengthBytes = this.#lengthBytes;
    this.#lengthBytes = 0;
    this.#isSkipping = false;
    return lengthBytes === 0 ? undefined : { kind: 'refused', why: 'cut', lengthBytes };
  }
}
