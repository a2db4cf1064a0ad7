/**
 * What hangs on a board's pins, as johnny-five components. The only importer of johnny-five.
 *
 * Of johnny-five nothing runs that has a timer of its own or speaks to the process: no REPL, no SIGINT handler, no console, no automatic
 * search for ports; tones are the board's pulses, not its NanoTimer's; patterns, presses and samples are timed by our Clock.
 */
import type { EventEmitter } from 'node:events';
import type { FirmataPort } from './firmata-port.ts';
import { type Mlx90614, mlx90614Controller } from './mlx90614-controller.ts';
import type { Colour } from './signal.ts';
import { type Light, type PinNeed, pinNeedsOf, type Wiring } from './wiring.ts';

export interface Heard {
  readonly onButton: (isDown: boolean) => void;
  /** A sample of the proximity sensor: 0 to 1,023 of its supply. */
  readonly onProximity: (value: number) => void;
}

export interface Components {
  /** Tells the board how its pins are used, anew after each start of it; dark and silent then. */
  setUp(): void;
  light(colour: Colour | undefined): void;
  sound(isOn: boolean): void;
  /** Ends what johnny-five thinks is going on. */
  release(): void;
  readonly thermometer: Mlx90614 | undefined;
}

/** As much of johnny-five 2.1.0 as is used. Its published types know no controllers of one's own, nor `io`. */
interface JohnnyFive {
  readonly Board: new (options: object) => EventEmitter;
  readonly Led: { new (options: object): Led; readonly RGB: new (options: object) => Rgb };
  readonly Piezo: new (options: object) => Piezo;
  readonly Button: new (options: object) => EventEmitter;
  readonly Thermometer: new (options: object) => Mlx90614;
}
interface Led {
  on(): void;
  off(): void;
}
interface Rgb {
  color(colour: { red: number; green: number; blue: number }): void;
  on(): void;
  off(): void;
}
interface Piezo {
  tone(halfPeriodMicroseconds: number, durationMs: number): void;
  noTone(): void;
}

/** How often the board reports an analog input. */
const SAMPLE_EVERY_MS = 50;
/** Half of the time on: the loudest that a pulsing pin can be. */
const HALF_DUTY = 128;
/** A button that is held is nothing here; johnny-five starts an interval for it all the same. */
const LONGEST_HOLD_MS = 2 ** 31 - 1;

/** Waits for johnny-five to take the board over: two turns of the event loop. */
export async function makeComponents(port: FirmataPort, wiring: Wiring, heard: Heard): Promise<Components> {
  const { default: library } = await import('johnny-five');
  const five = library as unknown as JohnnyFive;
  const { io } = port;
  const board = new five.Board({ io, repl: false, debug: false, sigint: false });
  board.on('error', () => {});
  await new Promise<void>((resolve) => board.once('ready', () => resolve()));
  const { light, buzzer, button, proximity, thermometer } = wiring;
  const needs = pinNeedsOf(wiring);
  const shine = light === undefined ? () => {} : lightOf(five, board, light);
  const piezo =
    buzzer === undefined ? undefined : new five.Piezo({ board, pin: buzzer.pin, controller: buzzerController(buzzer.kind === 'passive') });
  if (button !== undefined) {
    const pressed = new five.Button({ board, pin: button.pin, pullup: true, holdtime: LONGEST_HOLD_MS });
    pressed.on('down', () => heard.onButton(true));
    pressed.on('up', () => heard.onButton(false));
  }
  if (proximity !== undefined) io.analogRead(proximity.channel, heard.onProximity);
  const sensor =
    thermometer === undefined
      ? undefined
      : new five.Thermometer({ board, enabled: false, address: thermometer.address, controller: mlx90614Controller(port) });
  return {
    thermometer: sensor,
    light: shine,
    sound: (isOn) => (isOn ? piezo?.tone(0, 0) : piezo?.noTone()),
    setUp() {
      // johnny-five lights a lamp by pulses where its pin can: it has chosen, and would write what another mode does not take.
      const modeOf = ({ pin, use }: PinNeed) => (use === 'output' ? io.pins[pin]?.mode : undefined) ?? io.MODES[modeName(use)];
      for (const need of needs) io.pinMode(need.pin, modeOf(need));
      if (button !== undefined) io.reportDigitalPin(button.pin, 1);
      if (proximity !== undefined) {
        io.setSamplingInterval(SAMPLE_EVERY_MS);
        io.reportAnalogPin(proximity.channel, 1);
      }
      sensor?.setUp();
      shine(undefined);
      piezo?.noTone();
    },
    release() {
      // A press that the board can not end any more would leave johnny-five's interval running.
      if (button !== undefined) io.emit(`digital-read-${button.pin}`, 1);
    },
  };
}

const modeName = (use: PinNeed['use']) => {
  switch (use) {
    case 'pwm':
      return 'PWM';
    case 'pullup':
      return 'PULLUP';
    case 'output':
      return 'OUTPUT';
    case 'analog':
      return 'ANALOG';
    case 'input':
    case 'i2c':
      return 'INPUT';
  }
};

/** Green alone is bright to the eye, and yellow needs less green than red. */
const MIXES: Readonly<Record<Colour, { red: number; green: number; blue: number }>> = {
  green: { red: 0, green: 255, blue: 0 },
  blue: { red: 0, green: 60, blue: 255 },
  yellow: { red: 255, green: 130, blue: 0 },
  red: { red: 255, green: 0, blue: 0 },
};

function lightOf(five: JohnnyFive, board: EventEmitter, light: Light): (colour: Colour | undefined) => void {
  if (light.kind === 'rgb') {
    const { red, green, blue } = light.pins;
    const rgb = new five.Led.RGB({ board, pins: [red, green, blue], isAnode: light.isCommonAnode });
    return (colour) => {
      if (colour === undefined) rgb.off();
      else rgb.color(MIXES[colour]);
    };
  }
  const green = new five.Led({ board, pin: light.pins.green });
  const yellow = new five.Led({ board, pin: light.pins.yellow });
  const red = new five.Led({ board, pin: light.pins.red });
  // Three lamps have no blue: the rhythm alone tells a note from a welcome.
  const lamps: Readonly<Record<Colour, Led>> = { green, blue: green, yellow, red };
  return (colour) => {
    const lit = colour === undefined ? undefined : lamps[colour];
    for (const lamp of [green, yellow, red]) lamp === lit ? lamp.on() : lamp.off();
  };
}

/**
 * johnny-five makes a tone by writing each edge of it: 2,000 messages a second for 1 kHz, more than 57,600 baud carry, from a loop that
 * never sleeps. A pulsing pin hums by itself, at 490 or 980 Hz on an Uno.
 */
const buzzerController = (isPassive: boolean) => ({
  initialize: { value() {} },
  tone: {
    value(this: { io: FirmataPort['io']; pin: number }) {
      if (isPassive) this.io.pwmWrite(this.pin, HALF_DUTY);
      else this.io.digitalWrite(this.pin, 1);
    },
  },
  noTone: {
    value(this: { io: FirmataPort['io']; pin: number }) {
      if (isPassive) this.io.pwmWrite(this.pin, 0);
      else this.io.digitalWrite(this.pin, 0);
    },
  },
});
