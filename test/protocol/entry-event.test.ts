import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CloudEvent } from 'cloudevents';
import t from 'tap';
import { decodeCbor, encodeCbor } from '../../protocol/cbor.ts';
import { decodeEntry, encodeEntry, LONGEST_ENTRY_BYTES } from '../../protocol/entry-codec.ts';
import { decodeEvent, decodeEvents, encodeEvent, encodeEvents, idempotencyKeyOf, MOST_EVENTS } from '../../protocol/entry-event.ts';
import type { DeploymentId } from '../../protocol/ids.ts';
import type { DoubtEntry, LedgerEntry } from '../../protocol/ledger-entry.ts';
import { anyEntries } from '../support/any-entry.ts';
import { Cddl } from '../support/cddl.ts';
import fc from '../support/properties.ts';
import { outcomeOf, prefixesOf } from '../support/wire.ts';

const DEPLOYMENT = '0123456789abcdef' as DeploymentId;
const doubt = (position: number): DoubtEntry => ({
  kind: 'doubt',
  position,
  row: { kiosk: '0123456789abcdef', keyId: new Uint8Array(8), seq: position } as DoubtEntry['row'],
  reason: 'door-rate',
  raisedAtMs: 1_000 as DoubtEntry['raisedAtMs'],
});
type Json = Record<string, unknown>;
const jsonOf = (entries: readonly LedgerEntry[]): Json[] => JSON.parse(Buffer.from(encodeEvents(DEPLOYMENT, entries)).toString('utf8'));
const bytesOf = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

t.test('entry events: any entries come out as they went in, and the same entries are the same bytes', (t) => {
  fc.assert(
    fc.property(anyEntries(6), (entries) => {
      const body = encodeEvents(DEPLOYMENT, entries);
      t.strictSame(decodeEvents(body), { deployment: DEPLOYMENT, entries, bad: undefined });
      t.strictSame(encodeEvents(DEPLOYMENT, structuredClone(entries)), body);
      for (const entry of entries) t.strictSame(decodeEvent(encodeEvent(DEPLOYMENT, entry)), { deployment: DEPLOYMENT, entry });
    }),
  );
  t.end();
});

t.test('entry events: each is a CloudEvent by the library, and its data is the entry as CBOR', (t) => {
  fc.assert(
    fc.property(anyEntries(4), (entries) => {
      for (const [index, json] of jsonOf(entries).entries()) {
        const event = new CloudEvent<Uint8Array>(json as never);
        const entry = entries[index]!;
        t.match(event, { specversion: '1.0', type: `vestibule.ledger.${entry.kind}`, datacontenttype: 'application/cbor' });
        t.equal(event.source, `/vestibule/${DEPLOYMENT}/gateway`);
        t.ok(event.id.startsWith(`${entry.position}-`));
        t.strictSame(decodeEntry(entry.kind, entry.position, Buffer.from(String(json.data_base64), 'base64')), entry);
      }
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test('entry codec: every prefix is refused, and so is a byte too many', (t) => {
  fc.assert(
    fc.property(anyEntries(1), ([entry]) => {
      const bytes = encodeEntry(entry!);
      for (const prefix of prefixesOf(bytes.subarray(0, 400)))
        if (prefix.length < bytes.length && !/^decode\./.test(outcomeOf(() => decodeEntry(entry!.kind, 1, prefix))))
          t.fail(`${prefix.length} bytes`);
      t.equal(
        outcomeOf(() => decodeEntry(entry!.kind, 1, Buffer.concat([bytes, Buffer.of(0)]))),
        'decode.malformed',
      );
    }),
    { numRuns: 30 },
  );
  t.end();
});

t.test('entry codec: whatever bytes come, it is an entry or a coded refusal', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.constantFrom('batch', 'flag', 'doubt'), (bytes, kind) => {
      t.match(
        outcomeOf(() => decodeEntry(kind as 'batch', 1, bytes)),
        /^(decode\.|nothing)/,
      );
    }),
  );
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
      t.match(
        outcomeOf(() => decodeEvents(Buffer.from(text))),
        /^(decode\.|nothing)/,
      );
    }),
  );
  t.end();
});

t.test('entry codec: numbers and ids outside their bounds are refused', (t) => {
  const parts = (more: Partial<Record<'kiosk' | 'seq' | 'reason' | 'at', unknown>> = {}) => {
    const { kiosk = '0123456789abcdef', seq = 1, reason = 'door-rate', at = 5 } = more;
    return encodeCbor([kiosk, new Uint8Array(8), seq, reason, at] as never);
  };
  t.equal(
    outcomeOf(() => decodeEntry('doubt', 1, parts())),
    'nothing thrown',
  );
  t.equal(
    outcomeOf(() => decodeEntry('doubt', 1, parts({ seq: 0 }))),
    'decode.out_of_range',
  );
  t.equal(
    outcomeOf(() => decodeEntry('doubt', 1, parts({ at: Date.UTC(10_000, 0) }))),
    'decode.out_of_range',
  );
  t.equal(
    outcomeOf(() => decodeEntry('doubt', 1, parts({ kiosk: '../../../../etc/' }))),
    'decode.malformed',
  );
  t.equal(
    outcomeOf(() => decodeEntry('doubt', 1, parts({ reason: 'door-rate-or-so' }))),
    'decode.malformed',
  );
  t.equal(
    outcomeOf(() => decodeEntry('flag', 1, parts())),
    'decode.malformed',
  );
  t.end();
});

t.test('entry events: one that is wrong in itself is named by its position, and those before it are read', (t) => {
  const of = (change: (event: Json) => void): ReturnType<typeof decodeEvents> => {
    const list = jsonOf([doubt(3), doubt(5), doubt(9)]);
    change(list[1]!);
    return decodeEvents(bytesOf(list));
  };
  const bad = (code: string) => ({ deployment: DEPLOYMENT, entries: [doubt(3)], bad: { index: 1, position: 5, code } });
  t.strictSame(
    of((event) => Object.assign(event, { type: 'vestibule.ledger.wish' })),
    bad('decode.unsupported'),
  );
  t.strictSame(
    of((event) => Object.assign(event, { data_base64: 'AAAA' })),
    bad('decode.checksum'),
  );
  t.strictSame(
    of((event) => Object.assign(event, { data_base64: '*' })),
    bad('decode.malformed'),
  );
  t.strictSame(
    of((event) => delete event.data_base64),
    bad('decode.malformed'),
  );
  t.strictSame(
    of((event) => Object.assign(event, { specversion: '0.3' })),
    bad('decode.malformed'),
  );
  t.strictSame(
    of((event) => Object.assign(event, { id: 'five' })),
    { ...bad('decode.checksum'), bad: { index: 1, position: undefined, code: 'decode.checksum' } },
  );
  t.strictSame(of((event) => Object.assign(event, { more: 'attributes', are: 'allowed' })).bad, undefined);
  t.end();
});

t.test('entry events: what is no batch of one gateway in order is refused whole', (t) => {
  const refused = (value: unknown) => outcomeOf(() => decodeEvents(bytesOf(value)));
  t.equal(refused([]), 'decode.malformed');
  t.equal(refused({}), 'decode.malformed');
  t.equal(refused(jsonOf([doubt(2), doubt(1)])), 'decode.malformed');
  t.equal(refused([...jsonOf([doubt(1)]), ...jsonOf([doubt(1)])]), 'decode.malformed', 'one position twice');
  t.equal(
    refused([jsonOf([doubt(1)])[0], { ...jsonOf([doubt(2)])[0], source: '/vestibule/aaaaaaaaaaaaaaaa/gateway' }]),
    'decode.malformed',
  );
  t.equal(refused(Array.from({ length: MOST_EVENTS + 1 }, (_, i) => jsonOf([doubt(i + 1)])[0])), 'decode.malformed');
  t.equal(
    outcomeOf(() => decodeEvents(new Uint8Array(4_194_305))),
    'decode.overlong',
  );
  t.equal(
    outcomeOf(() => decodeEvents(Uint8Array.of(0xff, 0xfe))),
    'decode.malformed',
    'no UTF-8',
  );
  t.end();
});

t.test('idempotency key: of the same entries the same, of any others another; a string of RFC 9651', (t) => {
  const keys = new Set<string>();
  fc.assert(
    fc.property(anyEntries(3), (entries) => {
      const body = encodeEvents(DEPLOYMENT, entries);
      const key = idempotencyKeyOf(DEPLOYMENT, entries, body);
      t.match(key, /^"[A-Za-z0-9_-]{43}"$/);
      t.equal(idempotencyKeyOf(DEPLOYMENT, entries, encodeEvents(DEPLOYMENT, entries)), key);
      t.not(idempotencyKeyOf('aaaaaaaaaaaaaaaa' as DeploymentId, entries, body), key);
      const moved = entries.map((entry) => ({ ...entry, position: entry.position + 1 }));
      t.not(idempotencyKeyOf(DEPLOYMENT, moved, encodeEvents(DEPLOYMENT, moved)), key);
      keys.add(key);
    }),
    { numRuns: 50 },
  );
  t.ok(keys.size > 40);
  t.end();
});

t.test('ledger-entries.md: its CDDL is what is written', (t) => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/ledger-entries.md'), 'utf8');
  const cddl = new Cddl(/^```cddl\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? '');
  fc.assert(
    fc.property(anyEntries(1), ([entry]) => {
      const value = decodeCbor(encodeEntry(entry!), 'entry', LONGEST_ENTRY_BYTES);
      t.equal(cddl.matches(`${entry!.kind}-entry`, value), true, entry!.kind);
    }),
    { numRuns: 60 },
  );
  t.equal(cddl.matches('doubt-entry', ['0123456789abcdef', new Uint8Array(7), 1, 'door-rate', 5]), false);
  t.end();
});
