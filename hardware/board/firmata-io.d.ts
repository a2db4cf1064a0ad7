/** As much of firmata-io 2.3.0 as a board uses; the package has no types. */
declare module 'firmata-io' {
  import type { EventEmitter } from 'node:events';

  export interface Transport extends EventEmitter {
    write(bytes: Uint8Array, written: () => void): void;
  }

  export interface Pin {
    supportedModes: number[];
    analogChannel: number;
    mode: number | undefined;
    value: number;
    report: number;
  }

  export interface Settings {
    readonly skipCapabilities: true;
    readonly pins: Pin[];
    readonly analogPins: number[];
  }

  export class Firmata extends EventEmitter {
    constructor(transport: Transport, settings: Settings);
    readonly isReady: boolean;
    readonly MODES: Readonly<Record<'INPUT' | 'OUTPUT' | 'ANALOG' | 'PWM' | 'PULLUP', number>>;
    readonly pins: readonly Pin[];
    readonly ports: number[];
    readonly buffer: number[];
    pinMode(pin: number, mode: number): void;
    digitalWrite(pin: number, value: 0 | 1): void;
    pwmWrite(pin: number, value: number): void;
    analogRead(channel: number, heard: (value: number) => void): void;
    reportAnalogPin(channel: number, isOn: 0 | 1): void;
    reportDigitalPin(pin: number, isOn: 0 | 1): void;
    setSamplingInterval(intervalMs: number): void;
    i2cConfig(options: { readonly address: number; readonly settings: { readonly stopTX: boolean } }): void;
    i2cReadOnce(address: number, register: number, lengthBytes: number, answered: (bytes: readonly number[]) => void): void;
  }

  const firmataIo: { readonly Firmata: typeof Firmata };
  export default firmataIo;
}
