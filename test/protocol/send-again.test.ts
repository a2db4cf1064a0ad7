import t from 'tap';
import { generateSigningKey, privateKeyFromSeed, publicKeyFromRaw } from '../../protocol/ed25519.ts';
import {
  encodeSendAgain,
  LONGEST_COMMAND_BYTES,
  MOST_KEYS,
  MOST_RANGES,
  openSendAgain,
  type SendAgain,
} from '../../protocol/send-again.ts';
import fc from '../support/properties.ts';
import { bitFlipsOf, bytesOf, hexOf, outcomeOf, prefixesOf, readWireVectors } from '../support/wire.ts';

const { place, receiptSeed, receiptPublicKey, commands, passable, refused } = readWireVectors('command.json');
const signingKey = privateKeyFromSeed(receiptSeed);
const signer = { ...place, publicKey: publicKeyFromRaw(bytesOf(receiptPublicKey)) };

for (const { name, hex, command } of commands) {
  t.test(`send again: ${name} is written and read as the vector says, and refused when cut`, (t) => {
    t.equal(hexOf(encodeSendAgain(command, place, signingKey)), hex);
    t.strictSame(openSendAgain(bytesOf(hex), signer), command);
    for (const prefix of prefixesOf(bytesOf(hex)))
      if (outcomeOf(() => openSendAgain(prefix, signer)) !== 'decode.truncated') t.fail(`${prefix.length} bytes`);
    t.end();
  });
}

t.test(`send again: ${passable.name}`, (t) => {
  t.strictSame(openSendAgain(bytesOf(passable.hex), signer), passable.command);
  t.end();
});

for (const { name, hex, error } of refused) {
  t.test(`send again: ${name} is refused as ${error}`, (t) => {
    t.equal(
      outcomeOf(() => openSendAgain(bytesOf(hex), signer)),
      error,
    );
    t.end();
  });
}

t.test('send again: it belongs to its deployment, its kiosk and its gateway', (t) => {
  const bytes = bytesOf(commands[0].hex);
  for (const other of [{ deployment: place.kiosk }, { kiosk: place.deployment }, { publicKey: generateSigningKey() }])
    t.equal(
      outcomeOf(() => openSendAgain(bytes, { ...signer, ...other })),
      'seal.signature',
    );
  t.equal(
    outcomeOf(() => openSendAgain(new Uint8Array(LONGEST_COMMAND_BYTES + 1), signer)),
    'decode.overlong',
  );
  t.end();
});

t.test('send again: any flipped bit is refused by code', (t) => {
  const taken: number[] = [];
  for (const { bit, flipped } of bitFlipsOf(bytesOf(commands[0].hex)))
    if (!/^(seal|decode)\./.test(outcomeOf(() => openSendAgain(flipped, signer)))) taken.push(bit);
  t.strictSame(taken, []);
  t.end();
});

const ranges = fc.uniqueArray(fc.maxSafeNat(), { maxLength: 2 * MOST_RANGES }).map((numbers) => {
  const ends = numbers.map((n) => Math.max(1, n)).toSorted((a, b) => a - b);
  const unique = [...new Set(ends)];
  return Array.from({ length: unique.length >> 1 }, (_, at) => ({ from: unique[2 * at], to: unique[2 * at + 1] }));
});
const anyCommand = fc
  .record({
    version: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    issuedAtMs: fc.integer({ min: 0, max: 2 ** 42 }),
    lastsMs: fc.integer({ min: 1, max: 2 ** 40 }),
    had: fc.uniqueArray(fc.record({ keyId: fc.uint8Array({ minLength: 8, maxLength: 8 }), ranges }, { noNullPrototype: true }), {
      maxLength: MOST_KEYS,
      selector: ({ keyId }) => hexOf(keyId),
    }),
  })
  .map(({ lastsMs, ...command }) => ({ ...command, expiresAtMs: command.issuedAtMs + lastsMs }) as unknown as SendAgain);

t.test('send again: every command comes back', (t) => {
  fc.assert(
    fc.property(anyCommand, (command) => {
      const bytes = encodeSendAgain(command, place, signingKey);
      t.strictSame(openSendAgain(bytes, signer), command);
    }),
  );
  t.end();
});

t.test('send again: the longest fits', (t) => {
  const last = Number.MAX_SAFE_INTEGER - 1_000;
  const had = Array.from({ length: MOST_KEYS }, (_, key) => ({
    keyId: new Uint8Array(8).fill(key),
    ranges: Array.from({ length: MOST_RANGES }, (_, at) => ({ from: last + 3 * at, to: last + 3 * at + 1 })),
  }));
  const command = { ...commands[0].command, had } as SendAgain;
  const bytes = encodeSendAgain(command, place, signingKey);
  t.ok(bytes.length <= LONGEST_COMMAND_BYTES, `${bytes.length} bytes`);
  t.strictSame(openSendAgain(bytes, signer), command);
  t.end();
});

t.test('send again: arbitrary bytes are refused by code', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => /^(seal|decode)\./.test(outcomeOf(() => openSendAgain(bytes, signer)))),
    { numRuns: 1_000 },
  );
  t.pass();
  t.end();
});
