/** What set-up knows and is told, as values: the words of the set-up machine (setup-machine.ts). Both faces, terminal and page, show the same state. */
import type { ErrorCode } from '../../protocol/errors.ts';
import type { KioskPlace } from '../../protocol/kiosk-place.ts';
import type { Delivery } from '../test-event.ts';

/** In this order. */
export const SETUP_STEPS = ['enrol', 'name', 'devices', 'delivery'] as const;
export type SetupStep = (typeof SETUP_STEPS)[number];

/** What a USB serial port may be used for. The boards are wired as in docs/devices/board.md. */
export const PORT_USES = ['scanner', 'gy-mcu90614', 'gy-614v', 'board-rgb', 'board-three'] as const;
export type PortUse = (typeof PORT_USES)[number];

export type DeviceKind = 'scanner' | 'thermometer' | 'board' | 'sniffer';

/** One device on trial. */
export interface Trial {
  readonly name: string;
  readonly kind: DeviceKind;
  readonly isUp: boolean;
  readonly why: ErrorCode | undefined;
  /** It was scanned with, measured with, pressed, or seen; a sniffer is tried when it is up. */
  readonly isTried: boolean;
}

export interface SetupState {
  readonly step: SetupStep | 'done';
  /** Whether this one step was asked for, of a kiosk that is set up. */
  readonly isAlone: boolean;
  /** Where it hangs, once the gateway has said. */
  readonly place: KioskPlace | undefined;
  /** What the entrance is to be called, until the gateway has taken it. */
  readonly name: string | undefined;
  readonly devices: readonly Trial[];
  /** Something was asked that has not been answered. */
  readonly isBusy: boolean;
  /** Why what was asked last came to nothing. */
  readonly why: ErrorCode | undefined;
  readonly delivery: Delivery | undefined;
}

/** What a person says. */
export type SetupCommand =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'use'; readonly device: string; readonly as: PortUse }
  | { readonly kind: 'sniffer'; readonly isOn: boolean }
  /** The lamp was seen, where there is no button to press. */
  | { readonly kind: 'seen'; readonly device: string }
  /** Goes on to the next step. */
  | { readonly kind: 'next' }
  | { readonly kind: 'again' }
  /** Does that step anew, of a kiosk that has enrolled. */
  | { readonly kind: 'step'; readonly step: Exclude<SetupStep, 'enrol'> };

export type SetupInput =
  | SetupCommand
  | { readonly kind: 'enrolling' }
  | { readonly kind: 'not-enrolled'; readonly why: ErrorCode; readonly isFinal: boolean }
  /** Something else than a label was scanned, or typed. */
  | { readonly kind: 'not-label' }
  | { readonly kind: 'enrolled' }
  /** What was asked before may not have been: a process goes on where another stopped. */
  | { readonly kind: 'resumed' }
  | { readonly kind: 'placed'; readonly place: KioskPlace }
  | { readonly kind: 'not-placed'; readonly why: ErrorCode }
  | {
      readonly kind: 'device';
      readonly device: string;
      readonly as: DeviceKind;
      readonly isUp: boolean;
      readonly why: ErrorCode | undefined;
    }
  | { readonly kind: 'sight'; readonly device: string }
  | { readonly kind: 'not-used'; readonly why: ErrorCode }
  | { readonly kind: 'delivered'; readonly delivery: Delivery };

/** What is kept, so that a kiosk that was killed goes on there. */
export interface SetupMark {
  readonly step: SetupState['step'];
  readonly name: string | undefined;
}

export type SetupEffect =
  | { readonly kind: 'keep'; readonly mark: SetupMark }
  /** @property name for an entrance without one; `undefined` only asks. */
  | { readonly kind: 'ask-place'; readonly name: string | undefined }
  | { readonly kind: 'use'; readonly device: string; readonly as: PortUse }
  | { readonly kind: 'sniffer'; readonly isOn: boolean }
  | { readonly kind: 'deliver' };

export interface SetupNext {
  readonly state: SetupState;
  readonly effects: readonly SetupEffect[];
}

export const newSetup = ({ step, name }: SetupMark): SetupState => ({
  step,
  isAlone: false,
  place: undefined,
  name,
  devices: [],
  isBusy: false,
  why: undefined,
  delivery: undefined,
});
