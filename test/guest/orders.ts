/** What the test tells its agent in the guest, and what it hears; lines of JSON. Times are milliseconds of the guest. */

export type Order =
  | { readonly order: 'scan'; readonly device: string; readonly code: string }
  /** Answered when that much of the guest's time has passed. */
  | { readonly order: 'pause'; readonly ms: number }
  /** The USB gadget, as its cable. */
  | { readonly order: 'plug'; readonly isIn: boolean }
  /** What the infrared thermometer sees, in steps of 0.02 K. */
  | { readonly order: 'object'; readonly raw: number }
  /** Two Bluetooth controllers, unless they are there; a thermometer is near the first. */
  | { readonly order: 'plug-radios' }
  /** The Bluetooth thermometer is used; `value` is its characteristic's, hexadecimal. Answered when the kiosk has confirmed it. */
  | { readonly order: 'measure'; readonly value: string }
  /** Answered with how many the sniffer was given. */
  | { readonly order: 'advertise'; readonly count: number; readonly perSecond: number }
  /** Answered with the devices that work, as the kiosk says to whoever asks it. */
  | { readonly order: 'devices' }
  /** Answered with who else the keyboards type for. */
  | { readonly order: 'eavesdrop' }
  /** When all is delivered, the kiosk is stopped, and the guest ends with the kiosk's exit status. */
  | { readonly order: 'end' };

export type Numbered = Order & { readonly id: number };

/** A line of the kiosk: `vestibule kiosk run --output json`. */
export interface Said {
  readonly ready?: object;
  readonly kind?: string;
  readonly keyId?: string;
  readonly seq?: number;
}

export interface Heard {
  readonly at: number;
  readonly said?: Said;
  readonly logged?: string;
  /** The number of an order that is done. */
  readonly done?: number;
  /** When the end of a code was handed to its device. */
  readonly sentAt?: number;
  /** Of a code, the longest that its device was kept waiting for one piece to be taken, and which. */
  readonly longestMs?: number;
  /** What the kiosk's driver made of what came: `scan`, or `no-scan` for what it gave up. */
  readonly sight?: string;
  readonly opened?: readonly string[];
  readonly heard?: number;
  /** Names of devices that work. */
  readonly up?: readonly string[];
  readonly overheard?: Overheard;
  readonly failed?: string;
}

export interface Overheard {
  /** Bytes that another reader of the keyboard got that is taken as an input device. */
  readonly bytes: number;
  /** Names of all input devices there are: a keyboard that is taken over USB has none. */
  readonly inputs: readonly string[];
}
