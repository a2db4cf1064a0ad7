/** An Uno on a serial port of this machine: plugged in it has power and starts, pulled out it has none. What hangs on its pins stays. */
import { PtyDevice } from '../support/pty.ts';
import { StrictMlx90614 } from './strict-mlx90614.ts';
import { Uno } from './uno.ts';

/** Where a test connects things; the configuration that the kiosk gets says the same. */
export const PINS = { green: 8, yellow: 12, red: 13, buzzer: 6, button: 7 } as const;

export class PluggedUno {
  readonly sensor = new StrictMlx90614();
  readonly #firmware: Uint8Array;
  readonly #port: PtyDevice;
  #uno: Uno | undefined;
  #running: Promise<void> = Promise.resolve();
  #isButtonDown = false;
  #proximityVolts = 0;

  /** @param path the stable name of the port. Starts unplugged. */
  constructor(firmware: Uint8Array, path: string) {
    this.#firmware = firmware;
    this.#port = new PtyDevice(path);
    this.#port.onReceived = (bytes) => this.#uno?.receive(bytes);
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
    await this.#cut();
    await this.#port.unplug();
  }

  /** Its reset button: power stays, the port stays, the program starts anew. */
  async reset(): Promise<void> {
    await this.#cut();
    this.#power();
  }

  /** The program hangs: nothing is executed any more. */
  async wedge(): Promise<void> {
    await this.#cut();
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
    this.#running = uno.run();
  }

  async #cut(): Promise<void> {
    this.#uno?.off();
    this.#uno = undefined;
    await this.#running;
  }
}
