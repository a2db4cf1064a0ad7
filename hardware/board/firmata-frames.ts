/**
 * The bytes of the Firmata protocol, from a board to us. Pure.
 *
 * Short messages, 3 bytes:  command (bit 7 set) | 7 bits, low | 7 bits, high.   E0-EF: analog channel; 90-9F: port of 8 pins; F9: version
 * Sysex messages:           F0 | kind | 7-bit bytes ... | F7
 * Eight bits travel as two bytes: low seven bits, then the eighth.
 *
 * The library that takes these messages (firmata-io) collects a sysex message without bound, and throws at some that are cut short; so only
 * whole messages of known kinds and shapes get there.
 * Source: Firmata protocol 2.5 and later (github.com/firmata/protocol: protocol.md, i2c.md), MIDI 1.0 for the frame.
 */
import { DecodeError } from '../../protocol/errors.ts';

export type FrameKind =
  | 'version'
  | 'digital'
  | 'analog'
  | 'firmware'
  | 'capabilities'
  | 'analog-mapping'
  | 'i2c-reply'
  | 'text'
  | 'pin-state';

/** One whole message, the marks of its start and end included. */
export interface Frame {
  readonly kind: FrameKind;
  readonly bytes: Uint8Array;
}

const SYSEX_START = 0xf0;
const SYSEX_END = 0xf7;
const SHORT_BYTES = 3;
/** A Mega's 70 pins, with every mode that Firmata knows, are some 2,000 bytes; nothing else comes near. */
export const LONGEST_FRAME_BYTES = 4_096;
/** Pins are numbered in seven bits. */
export const MOST_PINS = 128;
const PIN_END = 0x7f;

const SYSEX_KINDS: ReadonlyMap<number, FrameKind> = new Map([
  [0x79, 'firmware'],
  [0x6c, 'capabilities'],
  [0x6a, 'analog-mapping'],
  [0x77, 'i2c-reply'],
  [0x71, 'text'],
  [0x6e, 'pin-state'],
]);

/** Finds messages in a stream: bounded, the same however the stream is cut, and in step again with the next command byte after any noise. */
export class FirmataFramer {
  #frame = new Uint8Array(64);
  #lengthBytes = 0;

  /** @returns messages in order, and a DecodeError for each that was begun and refused. Bytes outside messages are passed over. */
  push(bytes: Uint8Array): (Frame | DecodeError)[] {
    const found: (Frame | DecodeError)[] = [];
    for (const byte of bytes) {
      const one = this.#take(byte);
      if (one !== undefined) found.push(one);
    }
    return found;
  }

  #take(byte: number): Frame | DecodeError | undefined {
    const first = this.#lengthBytes === 0 ? undefined : this.#frame[0];
    if (first === undefined) {
      if (isStart(byte)) this.#append(byte);
      return undefined;
    }
    if (byte < 0x80) {
      if (this.#lengthBytes === LONGEST_FRAME_BYTES) return this.#refuse('decode.overlong', byte);
      this.#append(byte);
      return first !== SYSEX_START && this.#lengthBytes === SHORT_BYTES ? this.#give(shortKindOf(first)) : undefined;
    }
    if (first !== SYSEX_START || byte !== SYSEX_END) return this.#refuse('decode.truncated', byte);
    this.#append(byte);
    const bytes = this.#frame.subarray(0, this.#lengthBytes);
    const kind = SYSEX_KINDS.get(bytes[1] ?? SYSEX_END);
    if (kind === undefined) return this.#refuse('decode.unsupported');
    return isShaped(kind, bytes.subarray(2, -1)) ? this.#give(kind) : this.#refuse('decode.malformed');
  }

  #append(byte: number): void {
    if (this.#lengthBytes === this.#frame.length) {
      const longer = new Uint8Array(this.#frame.length * 2);
      longer.set(this.#frame);
      this.#frame = longer;
    }
    this.#frame[this.#lengthBytes++] = byte;
  }

  #give(kind: FrameKind): Frame {
    const bytes = this.#frame.slice(0, this.#lengthBytes);
    this.#lengthBytes = 0;
    return { kind, bytes };
  }

  /** @param next what broke the message off; it may begin another. */
  #refuse(code: 'decode.overlong' | 'decode.truncated' | 'decode.unsupported' | 'decode.malformed', next = 0): DecodeError {
    const lengthBytes = this.#lengthBytes;
    this.#lengthBytes = 0;
    if (isStart(next)) this.#append(next);
    return new DecodeError(code, `board: a message of ${lengthBytes} bytes`);
  }
}

const isStart = (byte: number): boolean => byte === SYSEX_START || byte === 0xf9 || (byte & 0xf0) === 0xe0 || (byte & 0xf0) === 0x90;

const shortKindOf = (first: number): FrameKind => (first === 0xf9 ? 'version' : (first & 0xf0) === 0xe0 ? 'analog' : 'digital');

/** @param body what lies between the kind and the end mark, 7 bits each. */
function isShaped(kind: FrameKind, body: Uint8Array): boolean {
  switch (kind) {
    case 'firmware':
      return body.length >= 2 && body.length % 2 === 0;
    case 'i2c-reply':
      return body.length >= 4 && body.length % 2 === 0;
    case 'text':
      return body.length % 2 === 0;
    case 'pin-state':
      return body.length >= 3;
    case 'analog-mapping':
      return body.length >= 1 && body.length <= MOST_PINS;
    case 'capabilities':
      return pinsOf(body) !== undefined;
    case 'version':
    case 'analog':
    case 'digital':
      return false;
  }
}

/** How a pin may be used; the numbers are the protocol's. */
export const PIN_MODE = { input: 0x00, output: 0x01, analog: 0x02, pwm: 0x03, i2c: 0x06, pullup: 0x0b } as const;
export type PinUse = keyof typeof PIN_MODE;

/** What each pin of a board can do. The index is the pin's number. */
export interface PinAbility {
  /** Mode numbers, ascending. */
  readonly modes: readonly number[];
  /** The channel of an analog input; `undefined` for a pin that is none. */
  readonly analogChannel: number | undefined;
}
export type BoardLayout = readonly PinAbility[];

/** @returns the mode numbers of each pin; `undefined` when the list is cut or has too many. Each pin: (mode | bits)... | 7F */
function pinsOf(body: Uint8Array): number[][] | undefined {
  const pins: number[][] = [];
  let modes: number[] = [];
  for (let at = 0; at < body.length; ) {
    const byte = body[at] ?? PIN_END;
    if (byte === PIN_END) {
      pins.push(modes.toSorted((a, b) => a - b));
      modes = [];
      at += 1;
    } else {
      if (body[at + 1] === undefined || body[at + 1] === PIN_END) return undefined;
      modes.push(byte);
      at += 2;
    }
  }
  return modes.length > 0 || pins.length === 0 || pins.length > MOST_PINS ? undefined : pins;
}

/**
 * @param capabilities a frame of that kind, and @param mapping the analog mapping of the same board.
 * @throws DecodeError `decode.malformed` when the two do not speak of the same number of pins.
 */
export function decodeLayout(capabilities: Frame, mapping: Frame): BoardLayout {
  const pins = pinsOf(capabilities.bytes.subarray(2, -1)) ?? [];
  const channels = mapping.bytes.subarray(2, -1);
  if (pins.length === 0 || pins.length !== channels.length)
    throw new DecodeError('decode.malformed', `board: ${pins.length} pins, ${channels.length} analog mappings`);
  return pins.map((modes, pin) => ({ modes, analogChannel: channels[pin] === PIN_END ? undefined : channels[pin] }));
}

export interface Version {
  readonly major: number;
  readonly minor: number;
}

/** @param frame a version or a firmware report: both have the two numbers in the same order. */
export const decodeVersion = ({ kind, bytes }: Frame): Version => {
  const at = kind === 'version' ? 1 : 2;
  return { major: bytes[at] ?? 0, minor: bytes[at + 1] ?? 0 };
};

/** Questions to a board. */
export const QUERY = {
  version: Uint8Array.of(0xf9),
  firmware: Uint8Array.of(SYSEX_START, 0x79, SYSEX_END),
  capabilities: Uint8Array.of(SYSEX_START, 0x6b, SYSEX_END),
  analogMapping: Uint8Array.of(SYSEX_START, 0x69, SYSEX_END),
  pinState: (pin: number): Uint8Array => Uint8Array.of(SYSEX_START, 0x6d, pin, SYSEX_END),
} as const;
