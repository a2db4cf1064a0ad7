/**
 * What an advertisement is, and by what it is told from another. Pure; bounded by the bytes it is handed.
 *
 * Advertising data is a row of structures:  length (1) | type (1) | value (length - 1);  a length of 0 ends it early, the rest is padding.
 * Source: Bluetooth Core Specification 5.4, Vol 3, Part C, 11 (format) and Supplement to the Core Specification, Part A, 1 (types);
 * Vol 6, Part B, 1.3 (addresses). Beacons: Apple, Proximity Beacon Specification, release R1; Google, Eddystone protocol specification;
 * Apple and Google, Exposure Notification Bluetooth Specification, v1.2.2.
 */
import { DecodeError } from '../../protocol/errors.ts';

/**
 * `fixed`: no beacon, and an address that does not change: a printer, a television, headphones. `plain`: no beacon, and an address that
 * changes: phones and watches, mostly. A beacon is told by what it says; its address does not matter.
 */
export type AdvertisementKind =
  | 'plain'
  | 'fixed'
  | 'exposure-notification'
  | 'ibeacon'
  | 'eddystone-uid'
  | 'eddystone-url'
  | 'eddystone-tlm'
  | 'eddystone-eid';

/** In the order of their numbers between processes (radio-frames.ts). */
export const ADVERTISEMENT_KINDS: readonly AdvertisementKind[] = [
  'plain',
  'fixed',
  'exposure-notification',
  'ibeacon',
  'eddystone-uid',
  'eddystone-url',
  'eddystone-tlm',
  'eddystone-eid',
];

/** One advertising report of a controller. Somebody's: never stored, sent or logged. */
export interface AdvertisingReport {
  /** 6 bytes, the most significant first, as addresses are written. */
  readonly address: Uint8Array;
  readonly isRandomAddress: boolean;
  /** -127 to 20; 127 where the controller does not know. */
  readonly rssi: number;
  /** Advertising or scan response data. */
  readonly bytes: Uint8Array;
}

/** What a sniffer passes on: never stored, sent or logged either. */
export interface Sighting {
  readonly kind: AdvertisementKind;
  /** What tells this sender from others of its kind: 6 to 20 bytes. Goes into a keyed hash and nowhere else. */
  readonly tokenInput: Uint8Array;
  /** `undefined` where the controller does not know. */
  readonly rssiDbm: number | undefined;
}

export interface Structure {
  readonly type: number;
  readonly value: Uint8Array;
}

/** The most that Bluetooth lets a device advertise (Core 5.4, Vol 4, Part E, 7.8.57); one report carries 229 bytes of it at most. */
export const MOST_ADVERTISING_BYTES = 1_650;
export const ADDRESS_BYTES = 6;
export const MOST_TOKEN_INPUT_BYTES = 20;

const TYPE_SERVICE_DATA_16 = 0x16;
const TYPE_MANUFACTURER = 0xff;
const UUID_EXPOSURE_NOTIFICATION = 0xfd6f;
const UUID_EDDYSTONE = 0xfeaa;
const COMPANY_APPLE = 0x004c;
const RSSI_UNKNOWN = 127;

/**
 * @returns the structures, in order; empty for no bytes. Values are views of `bytes`.
 * @throws DecodeError `decode.overlong` above MOST_ADVERTISING_BYTES, `decode.truncated` when a structure reaches past the end.
 */
export function decodeStructures(bytes: Uint8Array): Structure[] {
  if (bytes.length > MOST_ADVERTISING_BYTES)
    throw new DecodeError('decode.overlong', `advertisement: ${bytes.length} of at most ${MOST_ADVERTISING_BYTES} bytes`);
  const structures: Structure[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const lengthBytes = bytes[offset] ?? 0;
    if (lengthBytes === 0) break;
    const end = offset + 1 + lengthBytes;
    if (end > bytes.length) throw new DecodeError('decode.truncated', `advertisement: ${bytes.length} of ${end} bytes`);
    structures.push({ type: bytes[offset + 1] ?? 0, value: bytes.subarray(offset + 2, end) });
    offset = end;
  }
  return structures;
}

/**
 * @returns what the report is and what tells its sender apart. The token input is a copy, not a view.
 * @throws DecodeError as decodeStructures; `decode.truncated` for an address that is not 6 bytes; `decode.malformed` for a beacon whose
 * length is none of its specification.
 */
export function sightingOf({ address, isRandomAddress, rssi, bytes }: AdvertisingReport): Sighting {
  if (address.length !== ADDRESS_BYTES)
    throw new DecodeError('decode.truncated', `advertisement: an address of ${address.length} bytes, expected ${ADDRESS_BYTES}`);
  const rssiDbm = rssi === RSSI_UNKNOWN ? undefined : rssi;
  for (const structure of decodeStructures(bytes)) {
    const beacon = beaconOf(structure, address);
    if (beacon !== undefined) return { ...beacon, rssiDbm };
  }
  return { kind: isRandomAddress && isPrivate(address) ? 'plain' : 'fixed', tokenInput: address.slice(), rssiDbm };
}

type Beacon = Pick<Sighting, 'kind' | 'tokenInput'>;

function beaconOf({ type, value }: Structure, address: Uint8Array): Beacon | undefined {
  if (value.length < 2) return undefined;
  const uuid = (value[0] ?? 0) | ((value[1] ?? 0) << 8);
  const rest = value.subarray(2);
  if (type === TYPE_MANUFACTURER && uuid === COMPANY_APPLE) return iBeaconOf(rest);
  if (type !== TYPE_SERVICE_DATA_16) return undefined;
  if (uuid === UUID_EXPOSURE_NOTIFICATION) return exposureNotificationOf(rest);
  if (uuid === UUID_EDDYSTONE) return eddystoneOf(rest, address);
  return undefined;
}

/** 02 15 | proximity UUID (16) | major (2) | minor (2) | measured power (1). Apple's other messages have other first bytes. */
function iBeaconOf(bytes: Uint8Array): Beacon | undefined {
  if (bytes[0] !== 0x02) return undefined;
  if (bytes[1] !== 0x15 || bytes.length !== 23) throw malformed('iBeacon', bytes);
  return { kind: 'ibeacon', tokenInput: bytes.slice(2, 22) };
}

/** Rolling proximity identifier (16) | associated encrypted metadata (4). */
function exposureNotificationOf(bytes: Uint8Array): Beacon {
  if (bytes.length !== 20) throw malformed('exposure notification', bytes);
  return { kind: 'exposure-notification', tokenInput: bytes.slice(0, 16) };
}

/**
 * UID 00 | power | namespace (10) | instance (6) [| 00 00].  URL 10 | power | scheme | URL (0 to 17).
 * TLM 20 | 00 | 12 bytes, or 20 | 01 | 16 bytes (encrypted).  EID 30 | power | identifier (8).  Other first bytes are reserved.
 */
function eddystoneOf(bytes: Uint8Array, address: Uint8Array): Beacon | undefined {
  switch (bytes[0]) {
    case 0x00:
      // The two reserved bytes at the end are left out by some senders.
      if (bytes.length !== 20 && bytes.length !== 18) throw malformed('Eddystone UID', bytes);
      return { kind: 'eddystone-uid', tokenInput: bytes.slice(2, 18) };
    case 0x10:
      if (bytes.length < 3 || bytes.length > 20) throw malformed('Eddystone URL', bytes);
      // Many beacons of a chain of shops send the same page: the address tells them apart, and is shorter.
      return { kind: 'eddystone-url', tokenInput: address.slice() };
    case 0x20:
      if (!(bytes[1] === 0 && bytes.length === 14) && !(bytes[1] === 1 && bytes.length === 18)) throw malformed('Eddystone TLM', bytes);
      return { kind: 'eddystone-tlm', tokenInput: address.slice() };
    case 0x30:
      if (bytes.length !== 10) throw malformed('Eddystone EID', bytes);
      return { kind: 'eddystone-eid', tokenInput: bytes.slice(2, 10) };
    default:
      return undefined;
  }
}

/** The two most significant bits of a random address: 11 static, 01 private and resolvable, 00 private and not resolvable. */
const isPrivate = (address: Uint8Array): boolean => {
  const top = (address[0] ?? 0) >> 6;
  return top === 0b00 || top === 0b01;
};

const malformed = (what: string, bytes: Uint8Array): DecodeError =>
  new DecodeError('decode.malformed', `${what}: ${bytes.length} bytes do not fit its layout`);
