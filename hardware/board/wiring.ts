/** What is connected to which pin of a board, and whether that board can do it. Pure. */
import { DeviceError } from '../../protocol/errors.ts';
import { type BoardLayout, PIN_MODE, type PinUse } from './firmata-frames.ts';
import type { ProximitySensor } from './proximity.ts';

/** Digital pins are numbered as printed on the board; analog inputs by channel, 0 for A0. */
export interface Wiring {
  readonly light?: Light | undefined;
  readonly buzzer?: Buzzer | undefined;
  /** Between its pin and ground; the board's own resistor pulls the pin up. */
  readonly button?: { readonly pin: number } | undefined;
  readonly proximity?: Proximity | undefined;
  /** On the board's I2C pins. */
  readonly thermometer?: { readonly address: number } | undefined;
}

export type Light =
  | {
      readonly kind: 'rgb';
      readonly pins: { readonly red: number; readonly green: number; readonly blue: number };
      readonly isCommonAnode: boolean;
    }
  | { readonly kind: 'three'; readonly pins: { readonly green: number; readonly yellow: number; readonly red: number } };

export interface Buzzer {
  /** `active` sounds by itself when powered; `passive` (a piezo disc) needs a pin that pulses. */
  readonly kind: 'active' | 'passive';
  readonly pin: number;
}

export interface Proximity {
  readonly sensor: ProximitySensor;
  readonly channel: number;
  readonly nearCentimetres: number;
  /** What the board's converter measures against, its supply: 5,000 or 3,300. */
  readonly supplyMillivolts: number;
}

export interface PinNeed {
  readonly pin: number;
  readonly use: PinUse;
}

/** @returns every digital pin that the wiring uses, and for what. */
export function pinNeedsOf({ light, buzzer, button }: Wiring): PinNeed[] {
  const needs: PinNeed[] = [];
  if (light !== undefined) {
    const use = light.kind === 'rgb' ? 'pwm' : 'output';
    needs.push(...Object.values(light.pins).map((pin) => ({ pin, use }) as const));
  }
  if (buzzer !== undefined) needs.push({ pin: buzzer.pin, use: buzzer.kind === 'passive' ? 'pwm' : 'output' });
  if (button !== undefined) needs.push({ pin: button.pin, use: 'pullup' });
  return needs;
}

/** @throws DeviceError `device.unsupported` that names the first pin which this board has not, or can not use so. */
export function checkWiring(device: string, layout: BoardLayout, wiring: Wiring): void {
  for (const { pin, use } of pinNeedsOf(wiring)) {
    const ability = layout[pin];
    // The library takes the number of an analog pin for a channel: pin 14 of an Uno would become A0.
    if (ability === undefined || ability.analogChannel !== undefined || !ability.modes.includes(PIN_MODE[use]))
      throw new DeviceError('device.unsupported', `${device}: pin ${pin} of this board is no ${use} pin`);
  }
  const { proximity, thermometer } = wiring;
  if (proximity !== undefined && !layout.some(({ analogChannel }) => analogChannel === proximity.channel))
    throw new DeviceError('device.unsupported', `${device}: this board has no analog input A${proximity.channel}`);
  if (thermometer !== undefined && !layout.some(({ modes }) => modes.includes(PIN_MODE.i2c)))
    throw new DeviceError('device.unsupported', `${device}: this board's firmware has no I2C`);
}
