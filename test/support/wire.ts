/** The wire's vectors as values, and what every codec's test asks of it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../protocol/errors.ts';
import type { VestibuleEvent } from '../../protocol/event.ts';
import fc from './properties.ts';

/** @returns the file under test/vectors; each `{ "hex": … }` in it is a Uint8Array. */
export const readWireVectors = (name: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, '../vectors', name), 'utf8'), (_key, value) =>
    typeof value?.hex === 'string' && Object.keys(value).length === 1 ? bytesOf(value.hex) : value,
  );

export const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** What came of it: the code of an expected error, `nothing thrown`, or the bug itself. */
export function outcomeOf(run: () => unknown): string {
  try {
    run();
    return 'nothing thrown';
  } catch (error) {
    return codeOf(error) ?? `bug: ${error}`;
  }
}

export async function outcomeOfPromise(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
    return 'nothing thrown';
  } catch (error) {
    return codeOf(error) ?? `bug: ${error}`;
  }
}

/** Every beginning of `bytes` that is not all of it. */
export function* prefixesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let length = 0; length < bytes.length; length++) yield bytes.subarray(0, length);
}

/** Every text of bytes that differs from `bytes` in one bit. */
export function* bitFlipsOf(bytes: Uint8Array): Generator<{ bit: number; flipped: Uint8Array }> {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3]! ^= 0x80 >> (bit & 7);
    yield { bit, flipped };
  }
}

/** An event without its fields that are undefined, as JSON would have it. */
export const withoutUndefined = (event: VestibuleEvent): object =>
  Object.fromEntries(Object.entries(event).filter(([, value]) => value !== undefined));

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const whole = (min: number, max: number) => fc.integer({ min, max });
const safe = (min = 0) => fc.maxSafeNat().map((n) => Math.max(n, min));
const centiCelsius = whole(-10_000, 50_000);
const rowRef = fc.record({ keyId: bytes(8), seq: safe(1) });
const uint32 = whole(0, 0xffff_ffff);
const constant = <T>(value: T) => fc.constant(value);
const deviceName = fc.stringMatching(/^[a-z0-9-]{1,32}$/);
const errorCode = fc.stringMatching(/^[a-z]{1,16}\.[a-z_]{1,32}$/);

const happening = fc.oneof(
  fc.record({ type: constant('check-in'), card: bytes(16), groupSize: whole(1, 99), isSigned: fc.boolean() }),
  fc.record({ type: constant('check-out'), card: bytes(16) }),
  fc.record({ type: constant('undo'), of: rowRef }),
  fc.record({
    type: constant('temperature'),
    card: bytes(16),
    of: rowRef,
    attempt: fc.constantFrom(1, 2),
    objectRaw: centiCelsius,
    ambientRaw: fc.option(centiCelsius, { nil: undefined }),
    estimate: centiCelsius,
    threshold: centiCelsius,
    offsetId: uint32,
    policyVersion: uint32,
    calibrationAgeDays: fc.option(whole(0, 36_525), { nil: undefined }),
    isRoomInRange: fc.boolean(),
  }),
  fc.record({ type: constant('sticker-link'), sticker: bytes(16), card: bytes(16) }),
  fc.record({
    type: constant('sticker-result'),
    sticker: bytes(16),
    clinician: bytes(16),
    result: fc.constantFrom('positive', 'negative', 'void'),
  }),
  fc.record({ type: constant('occupancy'), slotMs: whole(1, 86_400_000), tokens: fc.option(whole(0, 65_535), { nil: undefined }) }),
  fc.record({ type: constant('notice-shown'), card: bytes(16) }),
  fc.record({ type: constant('device-state'), device: deviceName, isUp: fc.boolean(), why: fc.option(errorCode, { nil: undefined }) }),
  fc.record({
    type: constant('kiosk-state'),
    state: fc.constantFrom('started', 'stopping', 'clock-stepped', 'store-refused', 'store-recovered'),
    byMs: fc.integer(),
  }),
);

const stamp = fc.record({
  wallMs: fc.integer({ min: 0, max: 253_402_300_799_999 }),
  monotonicMs: safe(),
  bootId: bytes(16),
  clock: fc.constantFrom('synced', 'assumed', 'unsynced'),
});

/** Any event within its bounds. Plain objects: fast-check's records now and then have no prototype. */
export const anyEvent: fc.Arbitrary<VestibuleEvent> = fc
  .tuple(stamp, happening)
  .map(
    ([stamp, happening]) =>
      ({ stamp: { ...stamp }, ...happening, ...('of' in happening ? { of: { ...happening.of } } : {}) }) as VestibuleEvent,
  );
