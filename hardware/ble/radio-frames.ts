/**
 * What the kiosk and its radio process say to each other through a pipe. Pure; bounded to one frame.
 *
 * Frame:  length of what follows, 16 bits, low byte first | type (1) | body.
 * The pipe is memory: nothing of it is stored, and nothing that identifies anybody stands in an argument or in the environment.
 */
import { DecodeError } from '../../protocol/errors.ts';
import { ADVERTISEMENT_KINDS, MOST_TOKEN_INPUT_BYTES, type Sighting } from './advertisement.ts';

/** Why a radio gave up, by the code that `DeviceError` will have. */
export const RADIO_FAULTS = [
  'device.no_driver',
  'device.absent',
  'device.denied',
  'device.busy',
  'device.gone',
  'device.timeout',
  'device.failed',
] as const;
export type RadioFault = (typeof RADIO_FAULTS)[number];

/** Where to find a thermometer. Its address stands in the configuration and in this message only. */
export interface ThermometerOrder {
  readonly type: 'thermometer';
  /** 6 bytes, the most significant first. */
  readonly address: Uint8Array;
  readonly isRandomAddress: boolean;
  /** Index of the adapter: 0 for hci0; the first that serves where `undefined`. */
  readonly adapter: number | undefined;
}

/** From the kiosk to the radio process. The first one says what it is for. */
export type RadioOrder =
  | { readonly type: 'sniff'; readonly adapter: number | undefined }
  /** Ends the scan and starts it anew: a controller forgets what it has seen. */
  | { readonly type: 'rescan' }
  | ThermometerOrder;

/** From the radio process to the kiosk. */
export type RadioAnswer =
  /** It does what was ordered. Said again after each `rescan`. */
  | { readonly type: 'up' }
  | {
      readonly type: 'fault';
      readonly fault: RadioFault;
      /** File and line of a bug in the radio process (log.ts, placeOf); `undefined` for what may happen. */
      readonly bugAt: string | undefined;
    }
  /** At least each second while it sniffs, empty or not: the process lives. */
  | {
      readonly type: 'heard';
      /** Advertising reports since the last such answer, those below and those refused or dropped. */
      readonly reports: number;
      readonly refused: number;
      /** Somebody else has told the controller to filter duplicates, or to stop. */
      readonly isDisturbed: boolean;
      readonly sightings: readonly Sighting[];
    }
  /** One indication of a Temperature Measurement, as it came. */
  | { readonly type: 'measurement'; readonly value: Uint8Array };

const HEADER_BYTES = 2;
/** A frame is smaller than the 64 KiB that a socket of the kernel holds. */
export const MOST_FRAME_BYTES = 16_384;
const NO_ADAPTER = 0xff;
const MOST_ADAPTER = 15;
const ADDRESS_BYTES = 6;
/** Longest attribute value: Core 5.4, Vol 3, Part F, 3.2.9. */
const MOST_VALUE_BYTES = 512;

const TYPE = { sniff: 0x01, rescan: 0x02, thermometer: 0x03, up: 0x81, fault: 0x82, heard: 0x83, measurement: 0x84 } as const;

/** @throws RangeError for an adapter, address or value outside its bounds: a bug of the caller. */
export function encodeOrder(order: RadioOrder): Uint8Array {
  switch (order.type) {
    case 'sniff':
      return frameOf(TYPE.sniff, [adapterByte(order.adapter)]);
    case 'rescan':
      return frameOf(TYPE.rescan, []);
    case 'thermometer':
      if (order.address.length !== ADDRESS_BYTES) throw new RangeError('radio order: an address has 6 bytes');
      return frameOf(TYPE.thermometer, [adapterByte(order.adapter), order.isRandomAddress ? 1 : 0, ...order.address]);
  }
}

/**
 * @param frame type and body, as FrameReader gives it.
 * @throws DecodeError `decode.truncated`, `decode.unsupported`, `decode.out_of_range`.
 */
export function decodeOrder(frame: Uint8Array): RadioOrder {
  switch (frame[0]) {
    case TYPE.sniff:
      return { type: 'sniff', adapter: adapterOf(byteAt(frame, 1)) };
    case TYPE.rescan:
      return { type: 'rescan' };
    case TYPE.thermometer:
      return {
        type: 'thermometer',
        adapter: adapterOf(byteAt(frame, 1)),
        isRandomAddress: byteAt(frame, 2) === 1,
        address: bytesAt(frame, 3, ADDRESS_BYTES),
      };
    default:
      throw new DecodeError('decode.unsupported', 'radio order: of unknown type');
  }
}

/** @throws RangeError when more sightings are handed in than fit a frame: at most `mostSightings`. */
export function encodeAnswer(answer: RadioAnswer): Uint8Array {
  switch (answer.type) {
    case 'up':
      return frameOf(TYPE.up, []);
    case 'fault':
      return frameOf(TYPE.fault, [RADIO_FAULTS.indexOf(answer.fault), ...Buffer.from(answer.bugAt ?? '', 'latin1')]);
    case 'measurement':
      return frameOf(TYPE.measurement, answer.value);
    case 'heard':
      return encodeHeard(answer);
  }
}

/** As decodeOrder. */
export function decodeAnswer(frame: Uint8Array): RadioAnswer {
  switch (frame[0]) {
    case TYPE.up:
      return { type: 'up' };
    case TYPE.fault: {
      const fault = RADIO_FAULTS[byteAt(frame, 1)];
      if (fault === undefined) throw new DecodeError('decode.out_of_range', 'radio answer: an unknown fault');
      return { type: 'fault', fault, bugAt: frame.length > 2 ? placeIn(frame.subarray(2)) : undefined };
    }
    case TYPE.measurement:
      if (frame.length - 1 > MOST_VALUE_BYTES) throw new DecodeError('decode.overlong', 'radio answer: a value of too many bytes');
      return { type: 'measurement', value: frame.slice(1) };
    case TYPE.heard:
      return decodeHeard(frame);
    default:
      throw new DecodeError('decode.unsupported', 'radio answer: of unknown type');
  }
}

/** Nothing but a place in a program may come through to a log. */
const PLACE = /^[\w.-]{1,64}:\d{1,6}$/;

function placeIn(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1');
  if (!PLACE.test(text)) throw new DecodeError('decode.malformed', 'radio answer: no place of a bug');
  return text;
}

/** kind (1) | RSSI (1, signed) | length (1) | token input */
const SIGHTING_HEADER_BYTES = 3;
const HEARD_HEADER_BYTES = 10;
const RSSI_UNKNOWN = 127;

/** So many fit one answer, however long they are. */
export const mostSightings = Math.floor((MOST_FRAME_BYTES - HEARD_HEADER_BYTES) / (SIGHTING_HEADER_BYTES + MOST_TOKEN_INPUT_BYTES));

type Heard = Extract<RadioAnswer, { type: 'heard' }>;

function encodeHeard({ reports, refused, isDisturbed, sightings }: Heard): Uint8Array {
  if (sightings.length > mostSightings) throw new RangeError(`radio answer: ${sightings.length} of at most ${mostSightings} sightings`);
  const lengthBytes = sightings.reduce((sum, { tokenInput }) => sum + SIGHTING_HEADER_BYTES + tokenInput.length, HEARD_HEADER_BYTES);
  const frame = new Uint8Array(HEADER_BYTES + lengthBytes);
  const view = new DataView(frame.buffer);
  view.setUint16(0, lengthBytes, true);
  view.setUint8(2, TYPE.heard);
  view.setUint32(3, reports, true);
  view.setUint32(7, refused, true);
  view.setUint8(11, isDisturbed ? 1 : 0);
  let offset = HEADER_BYTES + HEARD_HEADER_BYTES;
  for (const { kind, rssiDbm = RSSI_UNKNOWN, tokenInput } of sightings) {
    if (tokenInput.length > MOST_TOKEN_INPUT_BYTES) throw new RangeError('radio answer: a token input of too many bytes');
    view.setUint8(offset, ADVERTISEMENT_KINDS.indexOf(kind));
    view.setInt8(offset + 1, rssiDbm);
    view.setUint8(offset + 2, tokenInput.length);
    frame.set(tokenInput, offset + SIGHTING_HEADER_BYTES);
    offset += SIGHTING_HEADER_BYTES + tokenInput.length;
  }
  return frame;
}

function decodeHeard(frame: Uint8Array): Heard {
  if (frame.length < HEARD_HEADER_BYTES) throw new DecodeError('decode.truncated', `radio answer: ${frame.length} bytes`);
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const sightings: Sighting[] = [];
  let offset = HEARD_HEADER_BYTES;
  while (offset < frame.length) {
    const kind = ADVERTISEMENT_KINDS[byteAt(frame, offset)];
    if (kind === undefined) throw new DecodeError('decode.out_of_range', 'radio answer: an unknown kind');
    const lengthBytes = byteAt(frame, offset + 2);
    if (lengthBytes > MOST_TOKEN_INPUT_BYTES) throw new DecodeError('decode.overlong', 'radio answer: a token input of too many bytes');
    const rssi = view.getInt8(offset + 1);
    const tokenInput = bytesAt(frame, offset + SIGHTING_HEADER_BYTES, lengthBytes);
    sightings.push({ kind, tokenInput, rssiDbm: rssi === RSSI_UNKNOWN ? undefined : rssi });
    offset += SIGHTING_HEADER_BYTES + lengthBytes;
  }
  return {
    type: 'heard',
    reports: view.getUint32(1, true),
    refused: view.getUint32(5, true),
    isDisturbed: view.getUint8(9) === 1,
    sightings,
  };
}

/** Cuts a stream into frames: the same however it is chunked, and never more than one frame held. */
export class FrameReader {
  readonly #frame = new Uint8Array(HEADER_BYTES + MOST_FRAME_BYTES);
  #filled = 0;

  /**
   * @returns whole frames (type and body) in order; copies.
   * @throws DecodeError `decode.overlong` or `decode.truncated` for a length above MOST_FRAME_BYTES or of 0: the stream is lost.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = [];
    let offset = 0;
    while (offset < chunk.length) {
      const taken = chunk.subarray(offset, offset + this.#missing());
      this.#frame.set(taken, this.#filled);
      this.#filled += taken.length;
      offset += taken.length;
      if (this.#filled > HEADER_BYTES && this.#missing() === 0) {
        frames.push(this.#frame.slice(HEADER_BYTES, this.#filled));
        this.#filled = 0;
      }
    }
    return frames;
  }

  /** Bytes that the header, or the frame it announces, still needs. */
  #missing(): number {
    if (this.#filled < HEADER_BYTES) return HEADER_BYTES - this.#filled;
    const lengthBytes = (this.#frame[0] ?? 0) | ((this.#frame[1] ?? 0) << 8);
    if (lengthBytes === 0) throw new DecodeError('decode.truncated', 'radio pipe: an empty frame');
    if (lengthBytes > MOST_FRAME_BYTES) throw new DecodeError('decode.overlong', `radio pipe: a frame of ${lengthBytes} bytes`);
    return HEADER_BYTES + lengthBytes - this.#filled;
  }
}

function frameOf(type: number, body: ArrayLike<number>): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES + 1 + body.length);
  if (body.length + 1 > MOST_FRAME_BYTES) throw new RangeError(`radio pipe: ${body.length} bytes`);
  new DataView(frame.buffer).setUint16(0, body.length + 1, true);
  frame[HEADER_BYTES] = type;
  frame.set(body, HEADER_BYTES + 1);
  return frame;
}

function adapterByte(adapter: number | undefined): number {
  if (adapter !== undefined && !(adapter >= 0 && adapter <= MOST_ADAPTER)) throw new RangeError('radio order: no such adapter');
  return adapter ?? NO_ADAPTER;
}

function adapterOf(byte: number): number | undefined {
  if (byte === NO_ADAPTER) return undefined;
  if (byte > MOST_ADAPTER) throw new DecodeError('decode.out_of_range', 'radio order: no such adapter');
  return byte;
}

function byteAt(frame: Uint8Array, offset: number): number {
  const byte = frame[offset];
  if (byte === undefined) throw new DecodeError('decode.truncated', `radio pipe: ${frame.length} bytes`);
  return byte;
}

function bytesAt(frame: Uint8Array, offset: number, lengthBytes: number): Uint8Array {
  if (offset + lengthBytes > frame.length) throw new DecodeError('decode.truncated', `radio pipe: ${frame.length} bytes`);
  return frame.slice(offset, offset + lengthBytes);
}
