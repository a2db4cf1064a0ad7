/** An Uno behind a serial converter of the guest: its processor executes the kiosk board's firmware here, an MLX90614 is on its I2C bus. */
import { StrictMlx90614 } from '../board/strict-mlx90614.ts';
import { Uno } from '../board/uno.ts';

const SLICE_MS = 1;
const GREEN = 8;

export class BoardOnWire {
  readonly sensor = new StrictMlx90614();
  /** How often the green lamp has gone on. */
  lit = 0;
  readonly #uno: Uno;
  readonly #running: Promise<void>;
  #isOver = false;

  /** Powers it on; its time passes at the pace of the wall's clock, or slower. @param send puts bytes on the wire to the kiosk. */
  constructor(firmware: Uint8Array, send: (bytes: Uint8Array) => void) {
    this.#uno = new Uno(firmware, this.sensor);
    this.#uno.onSent = send;
    this.#uno.watch(GREEN, (isHigh) => {
      if (isHigh) this.lit += 1;
    });
    this.#running = this.#run();
  }

  receive(bytes: Uint8Array): void {
    this.#uno.receive(bytes);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const startMs = performance.now();
    let lateMs = 0;
    for (let ranMs = 0; !this.#isOver; ranMs += SLICE_MS) {
      this.#uno.step(SLICE_MS);
      const aheadMs = ranMs + lateMs - (performance.now() - startMs);
      // What this machine had no time for is not made up for.
      if (aheadMs < 0) lateMs -= aheadMs;
      await new Promise<void>((resolve) => (aheadMs > 1 ? setTimeout(resolve, aheadMs) : setImmediate(resolve)));
    }
  }
}
