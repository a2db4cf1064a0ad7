/** Any ledger entry within its bounds. */

import { DOUBT_REASONS } from '../../protocol/doubt.ts';
import type { LedgerEntry } from '../../protocol/ledger-entry.ts';
import fc from './properties.ts';

const ALPHABET = [...'0123456789abcdefghjkmnpqrstvwxyz'];
export const anyPlaceId = fc.array(fc.constantFrom(...ALPHABET), { minLength: 16, maxLength: 16 }).map((letters) => letters.join(''));
const bytes = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength });
const time = fc.integer({ min: 0, max: Date.UTC(10_000, 0) - 1 });
const row = fc.record({ kiosk: anyPlaceId, keyId: bytes(8), seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }) });

const batch = fc.record({
  kind: fc.constant('batch'),
  kiosk: anyPlaceId,
  kioskPublicKey: bytes(32),
  placement: fc.record(
    {
      venue: anyPlaceId,
      entrance: anyPlaceId,
      direction: fc.constantFrom('in', 'out', 'both'),
      dwellMs: fc.integer({ min: 0, max: 172_800_000 }),
      lingeringMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 86_400_000 })),
      region: fc.constantFrom('north', 'Île-de-France', '区'),
      flagRule: fc.record(
        {
          version: fc.integer({ min: 1, max: 1_000 }),
          minimumOverlapMs: fc.integer({ min: 60_000, max: 43_200_000 }),
          isSuspected: fc.boolean(),
        },
        { requiredKeys: ['version', 'isSuspected'] },
      ),
    },
    { requiredKeys: ['venue', 'entrance', 'direction', 'dwellMs', 'lingeringMs'] },
  ),
  topic: anyPlaceId.map((kiosk) => `vestibule/1/kiosk/${kiosk}/batch`),
  keyRecord: bytes(1, 300),
  sign1: bytes(1, 300),
  rows: fc.array(bytes(1, 200), { minLength: 1, maxLength: 8 }),
  receivedAtMs: time,
});
const flag = fc.record({
  kind: fc.constant('flag'),
  reading: row,
  state: fc.constantFrom('confirmed', 'unconfirmed', 'cleared'),
  raisedAtMs: time,
  expiresAtMs: time,
});
const doubt = fc.record({ kind: fc.constant('doubt'), row, reason: fc.constantFrom(...DOUBT_REASONS), raisedAtMs: time });

/** Plain objects: fast-check's records now and then have no prototype. */
const plain = (entry: object): object => JSON.parse(JSON.stringify(entry, toText), ofText);
const toText = (_key: string, value: unknown): unknown =>
  value instanceof Uint8Array ? { hex: Buffer.from(value).toString('hex') } : value;
const ofText = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'hex' in value ? new Uint8Array(Buffer.from(String(value.hex), 'hex')) : value;

/** One to `most`, positions ascending with gaps. */
export const anyEntries = (most: number): fc.Arbitrary<LedgerEntry[]> =>
  fc.array(fc.tuple(fc.oneof(batch, flag, doubt), fc.integer({ min: 1, max: 1_000 })), { minLength: 1, maxLength: most }).map((entries) => {
    let position = 0;
    return entries.map(([entry, step]) => {
      position += step;
      return { ...plain(entry), position } as LedgerEntry;
    });
  });
