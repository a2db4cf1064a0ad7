/** What the test tells its agent in the guest, and what it hears; lines of JSON. Times are milliseconds of the guest. */

export type Order =
  | { readonly order: 'scan'; readonly device: string; readonly code: string; readonly id: string }
  /** The USB gadget, as its cable. */
  | { readonly order: 'plug'; readonly isIn: boolean }
  /** Answered when the kiosk has so many devices open. */
  | { readonly order: 'until-opened'; readonly count: number }
  /** What the infrared thermometer sees, in steps of 0.02 K. */
  | { readonly order: 'object'; readonly raw: number }
  | { readonly order: 'advertise'; readonly count: number; readonly perSecond: number }
  /** When all is delivered, the kiosk is stopped, and the guest ends with the kiosk's exit status. */
  | { readonly order: 'end' };

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
  readonly scanned?: string;
  readonly opened?: readonly string[];
  readonly isOpened?: number;
  readonly heard?: number;
  readonly typedForOthers?: number;
  readonly exit?: number | string;
}
