/** An Uno on a serial port of this machine: plugged in it has power and starts, pulled out it has none. What hangs on its pins stays. */
import { PtyDevice } from '../support/pty.ts';
import { BoardClock } from './board-clock.ts';
import { StrictMlx90614 } from './strict-mlx90614.ts';
import { Uno } from './uno.ts';

/** Where a test connects things; the configuration that the kiosk gets says the same. */
export const PINS = { green: 8, yellow: 12, red: 13, buzzer: 6, button: 7 } as const;

/** How much is executed between two looks at the event loop. */
const SLICE_MS = 1;

export class PluggedUno {
  /** Time passes at the pace of the wall's clock, or slower where this machine is; also while the board has no power. */
  readonly clock = new BoardClock();
  readonly sensor = new StrictMlx90614();
  readonly #firmware: Uint8Array;
  readonly #port: PtyDevice;
  #uno: Uno | undefined;
  readonly #running: Promise<void>;
  #isOver = false;
  #isButtonDown = false;
  #proximityVolts = 0;

  /** @param path the stable name of the port. Starts unplugged. */
  constructor(firmware: Uint8Array, path: string) {
    this.#firmware = firmware;
    this.#port = new PtyDevice(path);
    this.#port.onReceived = (bytes) => this.#uno?.receive(bytes);
    this.#running = this.#run();
  }

  /** Unplugs it, and time stands still. */
  async end(): Promise<void> {
    await this.unplug();
    this.#isOver = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    let startMs = performance.now();
    let ranMs = 0;
    while (!this.#isOver) {
      this.#uno?.step(SLICE_MS);
      this.clock.advance(SLICE_MS);
      ranMs += SLICE_MS;
      const aheadMs = ranMs - (performance.now() - startMs);
      // What this machine had no time for is not made up for.
      if (aheadMs < 0) startMs -= aheadMs;
      await new Promise<void>((resolve) => (aheadMs > 1 ? setTimeout(resolve, aheadMs) : setImmediate(resolve)));
    }
  }

  get path(): string {
    return this.#port.path;
  }

  get uno(): Uno {
    if (this.#uno === undefined) throw new Error('uno: not plugged in');
    return this.#uno;
  }

  plug(): void {
    this.#port.plug();
    this.#power();
  }

  async unplug(): Promise<void> {
    this.#uno = undefined;
    await this.#port.unplug();
  }

  /** Its reset button: power stays, the port stays, the program starts anew. */
  reset(): void {
    this.#power();
  }

  /** The program hangs: nothing is executed any more. */
  wedge(): void {
    this.#uno = undefined;
  }

  press(isDown: boolean): void {
    this.#isButtonDown = isDown;
    this.#uno?.setPin(PINS.button, !isDown);
  }

  /** Volts that the distance sensor puts out. */
  approach(volts: number): void {
    this.#proximityVolts = volts;
    this.#uno?.setAnalog(0, volts);
  }

  /** Sends bytes to the kiosk that the program never would. */
  async babble(bytes: Uint8Array): Promise<void> {
    await this.#port.send(bytes);
  }

  #power(): void {
    const uno = new Uno(this.#firmware, this.sensor);
    uno.setPin(PINS.button, !this.#isButtonDown);
    uno.setAnalog(0, this.#proximityVolts);
    let sending = Promise.resolve();
    uno.onSent = (bytes) => {
      sending = sending.then(() => (this.#uno === uno ? this.#port.send(bytes).catch(() => {}) : undefined));
    };
    this.#uno = uno;
  }
}
