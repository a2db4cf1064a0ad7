/** Codes for tests: any of every kind, those of the vectors, and every small damage that text can take. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Code } from '../../protocol/code.ts';
import type { VenueId, VisitorUuid } from '../../protocol/ids.ts';
import fc from './properties.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const uuids = bytes(16).map((raw) => {
  raw[6] = (raw[6]! & 0x0f) | 0x80;
  raw[8] = (raw[8]! & 0x3f) | 0x80;
  return raw as VisitorUuid;
});
const drawn = (alphabet: string, lengths: { minLength: number; maxLength: number }) =>
  fc.array(fc.constantFrom(...alphabet), lengths).map((characters) => characters.join(''));
const hosts = drawn('abcdefghijklmnopqrstuvwxyz0123456789.-:', { minLength: 1, maxLength: 253 });
export const venues = drawn('0123456789abcdefghjkmnpqrstvwxyz', { minLength: 16, maxLength: 16 }).map((text) => text as VenueId);
const issuer = bytes(4);
const signature = bytes(64);
const secret = bytes(16);

const anyRecord = fc.oneof(
  fc.record({ kind: fc.constant('visitor' as const), issuer, card: uuids, signature }),
  fc.record({ kind: fc.constant('group' as const), issuer, card: uuids, size: fc.integer({ min: 2, max: 99 }), signature }),
  fc.record({ kind: fc.constant('unsigned' as const), card: uuids }),
  fc.record({ kind: fc.constant('key' as const), keyCode: secret }),
  fc.record({ kind: fc.constant('sticker' as const), issuer, sticker: secret, signature }),
  fc.record({
    kind: fc.constant('enrolment' as const),
    secret,
    gatewayKeyHash: secret,
    host: hosts,
    port: fc.integer({ min: 1, max: 65_535 }),
  }),
  fc.record({ kind: fc.constant('clinician' as const), secret }),
  fc.record({ kind: fc.constant('result' as const), result: fc.constantFrom('positive' as const, 'negative' as const, 'void' as const) }),
  fc.record({
    kind: fc.constant('staff' as const),
    secret,
    command: fc.constantFrom('menu' as const, 'undo' as const, 'door-in' as const, 'door-out' as const, 'door-both' as const),
  }),
  fc.record({
    kind: fc.constant('staff-card' as const),
    issuer,
    card: uuids,
    command: fc.constantFrom('menu' as const, 'undo' as const, 'door-in' as const, 'door-out' as const, 'door-both' as const),
    signature,
  }),
  fc.record({ kind: fc.constant('poster' as const), venue: venues }),
);

/** Plain objects, as the code makes them: fast-check's records now and then have no prototype. */
export const anyCode: fc.Arbitrary<Code> = anyRecord.map((code): Code => ({ ...code }));

export const readVectors = (name: string) => JSON.parse(readFileSync(join(import.meta.dirname, '../vectors', name), 'utf8'));

export const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));

const BYTE_FIELDS = new Set(['issuer', 'card', 'signature', 'keyCode', 'sticker', 'secret', 'gatewayKeyHash']);

/** A code as the vectors write it, bytes as hexadecimal. */
export const codeOfJson = (json: Record<string, unknown>): Code =>
  Object.fromEntries(
    Object.entries(json).map(([name, value]) => [name, BYTE_FIELDS.has(name) && typeof value === 'string' ? fromHex(value) : value]),
  ) as unknown as Code;

/** Every text that differs from `text` by one character put in another's place, left out, put in, or swapped with its different neighbour. */
export function* damaged(text: string, alphabet: string): Generator<{ how: string; text: string }> {
  for (let at = 0; at <= text.length; at++) {
    const [before, here, next] = [text.slice(0, at), text.charAt(at), text.charAt(at + 1)];
    for (const character of alphabet) {
      yield { how: `insertion at ${at}`, text: before + character + text.slice(at) };
      if (here !== '' && character !== here) yield { how: `substitution at ${at}`, text: before + character + text.slice(at + 1) };
    }
    if (here !== '') yield { how: `deletion at ${at}`, text: before + text.slice(at + 1) };
    if (next !== '' && next !== here) yield { how: `swap at ${at}`, text: before + next + here + text.slice(at + 2) };
  }
}

/** The 95 printable characters of ASCII. */
export const PRINTABLE = Array.from({ length: 95 }, (_, at) => String.fromCharCode(0x20 + at)).join('');
