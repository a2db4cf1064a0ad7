/**
 * Cuts a scanner's bytes into frames by line ends, by silence, or by whichever the scanner turns out to use.
 */
import type { Clock } from '../../protocol/time.ts';
import { type Frame, LINE_ENDS, LineFramer } from './line-framer.ts';
import { LONGEST_SYMBOL_BYTES, type Scan } from './scan.ts';
import { afterSilence } from './silence.ts';

/** `auto`: a line end ends a frame; so does silence, until the first line end shows that this scanner sends them. */
export type Framing = 'auto' | 'line' | 'gap';

/**
 * Silence that ends a frame. The longest pause inside one is a USB serial adapter's latency timer (FTDI: 16 ms by default) and
 * what the scheduler of a busy Pi adds; 100 ms is well above both and still short for a person.
 */
export const GAP_MS = 100;
/** Silence after which an unended line is given up, where line ends are what ends a frame. */
export const STALE_MS = 500;

export type FramedAt = Scan['scannedAt'];

export class GapFramer {
  readonly #framing: Framing;
  readonly #clock: Clock;
  readonly #onFrame: (frame: Frame, at: FramedAt) => void;
  readonly #lines: LineFramer;
  #lastAt: FramedAt;
  #cancel: () => void = () => {};

  /** @param onFrame called with each frame and when its last byte came, during `push` or from the clock. */
  constructor(framing: Framing, clock: Clock, onFrame: (frame: Frame, at: FramedAt) => void) {
    this.#framing = framing;
    this.#clock = clock;
    this.#onFrame = onFrame;
    this.#lines = new LineFramer(framing === 'gap' ? new Set() : LINE_ENDS, LONGEST_SYMBOL_BYTES);
    this.#lastAt = this.#now();
  }

  push(bytes: Uint8Array): void {
    this.#cancel();
    this.#lastAt = this.#now();
    for (const frame of this.#lines.push(bytes)) this.#onFrame(frame, this.#lastAt);
    this.touch();
  }

  /** The device showed that it lives, without a byte: silence begins anew. */
  touch(): void {
    this.#cancel();
    if (!this.#lines.isInside) return;
    const maySilenceEnd = this.#framing === 'gap' || (this.#framing === 'auto' && !this.#lines.hasSeenEnd);
    this.#cancel = afterSilence(this.#clock, maySilenceEnd ? GAP_MS : STALE_MS, () =>
      this.#give(maySilenceEnd ? this.#lines.flush() : this.#lines.drop()),
    );
  }

  /** Gives up what is under way: the device is gone. */
  end(): void {
    this.#cancel();
    this.#give(this.#lines.drop());
  }

  #give(frame: Frame | undefined): void {
    if (frame !== undefined) this.#onFrame(frame, this.#lastAt);
  }

  #now(): FramedAt {
    return { wallMs: this.#clock.wall(), monotonicMs: this.#clock.monotonic() };
  }
}
