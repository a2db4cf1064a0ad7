/**
 * An event as bytes: a CBOR map with small whole-number keys. A field that an event does not have is absent, never null.
 * Source: docs/protocol.md, "Event".
 */
import { type CborValue, decodeCbor, encodeCbor, MAJOR, writeHead } from './cbor.ts';
import { CborCursor } from './cbor-cursor.ts';
import { readArray, readBoolean, readBytes, readChoice, readInteger, readMap, readText } from './cbor-read.ts';
import { DecodeError, ERROR_CODE_FORM } from './errors.ts';
import { type ClockState, type Happening, type KioskState, RESULTS, type RowRef, type Stamp, type VestibuleEvent } from './event.ts';
import type { BootId, KeyId, Seq, VisitorUuid } from './ids.ts';
import type { CentiCelsius, EpochMillis, MonotonicMillis } from './units.ts';

/** A row holds one event and 64 bytes or so around it. */
export const LONGEST_EVENT_BYTES = 512;

/** Of each field: its key in the map. One key has one meaning in every type. */
const KEY = {
  type: 0,
  wallMs: 1,
  monotonicMs: 2,
  bootId: 3,
  clock: 4,
  card: 5,
  of: 6,
  groupSize: 7,
  isSigned: 8,
  attempt: 9,
  objectRaw: 10,
  ambientRaw: 11,
  estimate: 12,
  threshold: 13,
  offsetId: 14,
  policyVersion: 15,
  calibrationAgeDays: 16,
  isRoomInRange: 17,
  sticker: 18,
  clinician: 19,
  result: 20,
  slotMs: 21,
  tokens: 22,
  device: 23,
  isUp: 24,
  why: 25,
  state: 26,
  byMs: 27,
} as const;

/** What the number under key 0 stands for; 0 stands for nothing. */
const TYPES: readonly Happening['type'][] = [
  'check-in',
  'check-out',
  'undo',
  'temperature',
  'sticker-link',
  'sticker-result',
  'occupancy',
  'device-state',
  'kiosk-state',
  'notice-shown',
];
const CLOCKS: readonly ClockState[] = ['synced', 'assumed', 'unsynced'];
const STATES: readonly KioskState['state'][] = ['started', 'stopping', 'clock-stepped', 'store-refused', 'store-recovered'];

/** 9999-12-31T23:59:59.999Z, the last moment that RFC 3339 can write. */
const LAST_WALL_MS = 253_402_300_799_999;
/** -100.00 to 500.00 °C: wider than any contactless sensor (MLX90614 datasheet, section 8: -70.01 to 382.19 °C). */
const COLDEST = -10_000;
const HOTTEST = 50_000;
const UINT32 = 0xffff_ffff;
const LARGEST_GROUP = 99;
/** A CBOR map of 8. */
const CHECK_IN_MAP = 0xa8;
/** Eight keys, two numbers of 9 bytes, two byte strings of 17, four values of one byte, of which a group may take two; the map's head. */
const LONGEST_CHECK_IN_BYTES = 1 + 8 + 2 * 9 + 2 * 17 + 5;
const FALSE_BYTE = 0xf4;
const TRUE_BYTE = 0xf5;
/** A hundred years: whoever tells of an older calibration says this. */
export const LONGEST_CALIBRATION_AGE_DAYS = 36_525;
const DAY_MS = 86_400_000;
const DEVICE_NAME = /^[a-z0-9-]{1,32}$/;

/**
 * @returns at most 512 bytes.
 * @throws DecodeError as `decodeEvent`: the fields are read as a receiver will read them, because an event that is promised must be readable.
 */
export function encodeEvent(event: VestibuleEvent): Uint8Array {
  const quick = event.type === 'check-in' ? checkInBytes(event) : undefined;
  if (quick !== undefined) return quick;
  const fields = new Map<number, CborValue>();
  for (const [key, value] of fieldsOf(event)) if (value !== undefined) fields.set(key, value);
  eventOf(fields);
  return encodeCbor(fields);
}

function fieldsOf(event: VestibuleEvent): [number, CborValue | undefined][] {
  const { stamp } = event;
  return [
    [KEY.type, 1 + TYPES.indexOf(event.type)],
    [KEY.wallMs, stamp.wallMs],
    [KEY.monotonicMs, stamp.monotonicMs],
    [KEY.bootId, stamp.bootId],
    [KEY.clock, CLOCKS.indexOf(stamp.clock)],
    ...happeningFieldsOf(event),
  ];
}

function happeningFieldsOf(event: Happening): [number, CborValue | undefined][] {
  switch (event.type) {
    case 'check-in':
      return [
        [KEY.card, event.card],
        [KEY.groupSize, event.groupSize],
        [KEY.isSigned, event.isSigned],
      ];
    case 'check-out':
    case 'notice-shown':
      return [[KEY.card, event.card]];
    case 'undo':
      return [[KEY.of, [event.of.keyId, event.of.seq]]];
    case 'temperature':
      return [
        [KEY.card, event.card],
        [KEY.of, [event.of.keyId, event.of.seq]],
        [KEY.attempt, event.attempt],
        [KEY.objectRaw, event.objectRaw],
        [KEY.ambientRaw, event.ambientRaw],
        [KEY.estimate, event.estimate],
        [KEY.threshold, event.threshold],
        [KEY.offsetId, event.offsetId],
        [KEY.policyVersion, event.policyVersion],
        [KEY.calibrationAgeDays, event.calibrationAgeDays],
        [KEY.isRoomInRange, event.isRoomInRange],
      ];
    case 'sticker-link':
      return [
        [KEY.card, event.card],
        [KEY.sticker, event.sticker],
      ];
    case 'sticker-result':
      return [
        [KEY.sticker, event.sticker],
        [KEY.clinician, event.clinician],
        [KEY.result, RESULTS.indexOf(event.result)],
      ];
    case 'occupancy':
      return [
        [KEY.slotMs, event.slotMs],
        [KEY.tokens, event.tokens],
      ];
    case 'device-state':
      return [
        [KEY.device, event.device],
        [KEY.isUp, event.isUp],
        [KEY.why, event.why],
      ];
    case 'kiosk-state':
      return [
        [KEY.state, STATES.indexOf(event.state)],
        [KEY.byMs, event.byMs],
      ];
  }
}

/**
 * @throws DecodeError as `decodeCbor`; `decode.malformed` for a field that is missing or of another form, `decode.out_of_range` for one
 *   beyond its bounds, `decode.unsupported` for a field that the type does not have: a newer kiosk's, to be read by a newer gateway.
 */
export const decodeEvent = (bytes: Uint8Array): VestibuleEvent =>
  checkInOf(bytes) ?? eventOf(readMap(decodeCbor(bytes, 'event', LONGEST_EVENT_BYTES), 'event'));

/** Nearly all events are check-ins, whose fields are these. @returns `undefined` for any other, and when something is wrong with it. */
function checkInOf(bytes: Uint8Array): VestibuleEvent | undefined {
  if (bytes.length > LONGEST_EVENT_BYTES) return undefined;
  const cursor = new CborCursor(bytes);
  cursor.expectByte(CHECK_IN_MAP);
  cursor.expectByte(KEY.type);
  cursor.expectByte(1);
  cursor.expectByte(KEY.wallMs);
  const wallMs = cursor.integer(0) as EpochMillis;
  cursor.expectByte(KEY.monotonicMs);
  const monotonicMs = cursor.integer(0) as MonotonicMillis;
  cursor.expectByte(KEY.bootId);
  const bootId = cursor.bytes(16).slice() as BootId;
  cursor.expectByte(KEY.clock);
  const clock = CLOCKS[cursor.integer(0)];
  cursor.expectByte(KEY.card);
  const card = cursor.bytes(16).slice() as VisitorUuid;
  cursor.expectByte(KEY.groupSize);
  const groupSize = cursor.integer(1);
  cursor.expectByte(KEY.isSigned);
  const isSigned = cursor.boolean();
  if (!cursor.isDone || clock === undefined || wallMs > LAST_WALL_MS || groupSize > LARGEST_GROUP) return undefined;
  return { stamp: { wallMs, monotonicMs, bootId, clock }, type: 'check-in', card, groupSize, isSigned };
}

/** What `checkInOf` reads; somebody waits at the door for it. @returns `undefined` when something is wrong with it. */
function checkInBytes({ stamp, card, groupSize, isSigned }: VestibuleEvent & { readonly type: 'check-in' }): Uint8Array | undefined {
  const { wallMs, monotonicMs, bootId } = stamp;
  const clock = CLOCKS.indexOf(stamp.clock);
  const isSound =
    isWithin(wallMs, 0, LAST_WALL_MS) &&
    isWithin(monotonicMs, 0, Number.MAX_SAFE_INTEGER) &&
    isWithin(groupSize, 1, LARGEST_GROUP) &&
    clock >= 0 &&
    bootId.length === 16 &&
    card.length === 16;
  if (!isSound) return undefined;
  const bytes = new Uint8Array(LONGEST_CHECK_IN_BYTES);
  bytes.set([CHECK_IN_MAP, KEY.type, 1, KEY.wallMs]);
  let at = writeHead(bytes, 4, MAJOR.unsigned, wallMs);
  bytes[at] = KEY.monotonicMs;
  at = writeHead(bytes, at + 1, MAJOR.unsigned, monotonicMs);
  bytes[at] = KEY.bootId;
  at = writeHead(bytes, at + 1, MAJOR.bytes, 16);
  bytes.set(bootId, at);
  bytes.set([KEY.clock, clock, KEY.card], at + 16);
  at = writeHead(bytes, at + 19, MAJOR.bytes, 16);
  bytes.set(card, at);
  bytes[at + 16] = KEY.groupSize;
  at = writeHead(bytes, at + 17, MAJOR.unsigned, groupSize);
  bytes.set([KEY.isSigned, isSigned ? TRUE_BYTE : FALSE_BYTE], at);
  return bytes.subarray(0, at + 2);
}

const isWithin = (value: number, least: number, greatest: number): boolean =>
  Number.isSafeInteger(value) && value >= least && value <= greatest;

function eventOf(map: ReadonlyMap<number, CborValue>): VestibuleEvent {
  const fields = new Fields(map);
  const type = TYPES[fields.integer('type', 1, TYPES.length) - 1] ?? 'check-in';
  const stamp: Stamp = {
    wallMs: fields.integer('wallMs', 0, LAST_WALL_MS) as EpochMillis,
    monotonicMs: fields.integer('monotonicMs', 0, Number.MAX_SAFE_INTEGER) as MonotonicMillis,
    bootId: fields.bytes('bootId', 16) as BootId,
    clock: fields.choice('clock', CLOCKS),
  };
  const happening = decodeHappening(type, fields);
  fields.finish();
  return { stamp, ...happening };
}

function decodeHappening(type: Happening['type'], fields: Fields): Happening {
  switch (type) {
    case 'check-in':
      return { type, card: fields.card(), groupSize: fields.integer('groupSize', 1, LARGEST_GROUP), isSigned: fields.boolean('isSigned') };
    case 'check-out':
    case 'notice-shown':
      return { type, card: fields.card() };
    case 'undo':
      return { type, of: fields.rowRef() };
    case 'temperature':
      return {
        type,
        card: fields.card(),
        of: fields.rowRef(),
        attempt: fields.integer('attempt', 1, 2) === 1 ? 1 : 2,
        objectRaw: fields.centiCelsius('objectRaw'),
        ambientRaw: fields.has('ambientRaw') ? fields.centiCelsius('ambientRaw') : undefined,
        estimate: fields.centiCelsius('estimate'),
        threshold: fields.centiCelsius('threshold'),
        offsetId: fields.integer('offsetId', 0, UINT32),
        policyVersion: fields.integer('policyVersion', 0, UINT32),
        calibrationAgeDays: fields.has('calibrationAgeDays')
          ? fields.integer('calibrationAgeDays', 0, LONGEST_CALIBRATION_AGE_DAYS)
          : undefined,
        isRoomInRange: fields.boolean('isRoomInRange'),
      };
    case 'sticker-link':
      return { type, sticker: fields.bytes('sticker', 16), card: fields.card() };
    case 'sticker-result':
      return {
        type,
        sticker: fields.bytes('sticker', 16),
        clinician: fields.bytes('clinician', 16),
        result: fields.choice('result', RESULTS),
      };
    case 'occupancy':
      return {
        type,
        slotMs: fields.integer('slotMs', 1, DAY_MS),
        tokens: fields.has('tokens') ? fields.integer('tokens', 0, 65_535) : undefined,
      };
    case 'device-state':
      return {
        type,
        device: fields.text('device', DEVICE_NAME),
        isUp: fields.boolean('isUp'),
        why: fields.has('why') ? fields.text('why', ERROR_CODE_FORM) : undefined,
      };
    case 'kiosk-state':
      return { type, state: fields.choice('state', STATES), byMs: fields.integer('byMs', -LAST_WALL_MS, LAST_WALL_MS) };
  }
}

/** Reads fields by name, and remembers which were read, so that one left over is noticed. */
class Fields {
  readonly #map: ReadonlyMap<number, CborValue>;
  #read = 0;

  constructor(map: ReadonlyMap<number, CborValue>) {
    this.#map = map;
  }

  has(name: keyof typeof KEY): boolean {
    return this.#map.has(KEY[name]);
  }
  integer(name: keyof typeof KEY, least: number, greatest: number): number {
    return readInteger(this.#take(name), `event ${name}`, least, greatest);
  }
  boolean(name: keyof typeof KEY): boolean {
    return readBoolean(this.#take(name), `event ${name}`);
  }
  bytes(name: keyof typeof KEY, lengthBytes: number): Uint8Array {
    return readBytes(this.#take(name), `event ${name}`, lengthBytes);
  }
  text(name: keyof typeof KEY, form: RegExp): string {
    return readText(this.#take(name), `event ${name}`, form);
  }
  choice<Name extends string>(name: keyof typeof KEY, names: readonly Name[]): Name {
    return readChoice(this.#take(name), `event ${name}`, names);
  }
  card(): VisitorUuid {
    return this.bytes('card', 16) as VisitorUuid;
  }
  centiCelsius(name: keyof typeof KEY): CentiCelsius {
    return this.integer(name, COLDEST, HOTTEST) as CentiCelsius;
  }
  rowRef(): RowRef {
    const [keyId, seq] = readArray(this.#take('of'), 'event of', 2);
    return {
      keyId: readBytes(keyId, 'event of', 8) as KeyId,
      seq: readInteger(seq, 'event of', 1, Number.MAX_SAFE_INTEGER) as Seq,
    };
  }
  finish(): void {
    const left = this.#map.size - this.#read;
    if (left > 0) throw new DecodeError('decode.unsupported', `event: ${left} fields that its type does not have`);
  }
  #take(name: keyof typeof KEY): CborValue | undefined {
    this.#read += 1;
    return this.#map.get(KEY[name]);
  }
}
