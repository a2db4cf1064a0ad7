import t from 'tap';
import { generateSigningKey, privateKeyFromSeed, publicKeyFromRaw } from '../../protocol/ed25519.ts';
import { encodePolicy, LONGEST_POLICY_BYTES, openPolicy, type Policy } from '../../protocol/policy.ts';
import fc from '../support/properties.ts';
import { bitFlipsOf, bytesOf, hexOf, outcomeOf, prefixesOf, readWireVectors } from '../support/wire.ts';

const { place, receiptSeed, receiptPublicKey, policies, passable, refused } = readWireVectors('policy.json');
const signingKey = privateKeyFromSeed(receiptSeed);
const signer = { ...place, publicKey: publicKeyFromRaw(bytesOf(receiptPublicKey)) };
const said = (policy: Policy): object => Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined));

for (const { name, hex, policy } of policies) {
  t.test(`policy: ${name} is written and read as the vector says, and refused when cut`, (t) => {
    t.equal(hexOf(encodePolicy({ direction: undefined, threshold: undefined, ...policy }, place, signingKey)), hex);
    t.strictSame(said(openPolicy(bytesOf(hex), signer)), policy);
    for (const prefix of prefixesOf(bytesOf(hex)))
      if (outcomeOf(() => openPolicy(prefix, signer)) !== 'decode.truncated') t.fail(`${prefix.length} bytes`);
    t.end();
  });
}

t.test(`policy: ${passable.name}`, (t) => {
  t.strictSame(said(openPolicy(bytesOf(passable.hex), signer)), passable.policy);
  t.end();
});

for (const { name, hex, error } of refused) {
  t.test(`policy: ${name} is refused as ${error}`, (t) => {
    t.equal(
      outcomeOf(() => openPolicy(bytesOf(hex), signer)),
      error,
    );
    t.end();
  });
}

t.test('policy: it belongs to its deployment, its kiosk and its gateway', (t) => {
  const bytes = bytesOf(policies[0].hex);
  for (const other of [{ deployment: place.kiosk }, { kiosk: place.deployment }, { publicKey: generateSigningKey() }])
    t.equal(
      outcomeOf(() => openPolicy(bytes, { ...signer, ...other })),
      'seal.signature',
    );
  t.equal(
    outcomeOf(() => openPolicy(new Uint8Array(LONGEST_POLICY_BYTES + 1), signer)),
    'decode.overlong',
  );
  t.end();
});

t.test('policy: any flipped bit is refused by code', (t) => {
  const taken: number[] = [];
  for (const { bit, flipped } of bitFlipsOf(bytesOf(policies[0].hex)))
    if (!/^(seal|decode)\./.test(outcomeOf(() => openPolicy(flipped, signer)))) taken.push(bit);
  t.strictSame(taken, []);
  t.end();
});

const placeId = fc.stringMatching(/^[0-9a-hjkmnp-tv-z]{16}$/);
const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const marks = fc.uniqueArray(fc.integer({ min: 0, max: 2 ** 40 - 1 }), { maxLength: 50 }).map((numbers) => {
  const bytes = Buffer.alloc(numbers.length * 5);
  for (const [index, mark] of numbers.sort((a, b) => a - b).entries()) bytes.writeUIntBE(mark, index * 5, 5);
  return new Uint8Array(bytes);
});
const anyPolicy = fc
  .record({
    version: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    issuedAtMs: fc.integer({ min: 0, max: 2 ** 42 }),
    lastsMs: fc.integer({ min: 1, max: 2 ** 40 }),
    venue: placeId,
    entrance: placeId,
    direction: fc.constantFrom('in', 'out', 'both', undefined),
    issuers: fc.array(key, { maxLength: 64 }),
    mayTakeUnsigned: fc.boolean(),
    dwellMs: fc.integer({ min: 60_000, max: 172_800_000 }),
    threshold: fc.option(fc.integer({ min: 3_500, max: 4_200 }), { nil: undefined }),
    key,
    marks,
  })
  .map(
    ({ lastsMs, key, marks, ...policy }) =>
      ({ ...policy, expiresAtMs: policy.issuedAtMs + lastsMs, lostCards: { key, marks } }) as unknown as Policy,
  );

t.test('policy: every policy comes back, the longest too', (t) => {
  fc.assert(
    fc.property(anyPolicy, (policy) => {
      t.strictSame(said(openPolicy(encodePolicy(policy, place, signingKey), signer)), said(policy));
    }),
  );
  const longest = Buffer.alloc(50_000);
  for (let n = 0; n < 10_000; n++) longest.writeUIntBE(2 ** 40 - 10_000 + n, n * 5, 5);
  const issuers = Array.from({ length: 64 }, () => new Uint8Array(32));
  const policy = { ...policies[0].policy, issuers, lostCards: { key: new Uint8Array(32), marks: new Uint8Array(longest) } };
  const bytes = encodePolicy(policy, place, signingKey);
  t.ok(bytes.length <= LONGEST_POLICY_BYTES, `${bytes.length} bytes`);
  t.strictSame(openPolicy(bytes, signer), policy);
  t.end();
});

t.test('policy: what could not be read is not written', (t) => {
  const { policy } = policies[0];
  for (const [change, code] of [
    [{ version: 0 }, 'decode.out_of_range'],
    [{ expiresAtMs: policy.issuedAtMs }, 'decode.malformed'],
    [{ dwellMs: 1 }, 'decode.out_of_range'],
    [{ issuers: [new Uint8Array(31)] }, 'decode.malformed'],
  ] as const)
    t.equal(
      outcomeOf(() => encodePolicy({ ...policy, ...change }, place, signingKey)),
      code,
    );
  t.end();
});

t.test('policy: arbitrary bytes are refused by code', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => /^(seal|decode)\./.test(outcomeOf(() => openPolicy(bytes, signer)))),
    { numRuns: 2_000 },
  );
  t.pass();
  t.end();
});
