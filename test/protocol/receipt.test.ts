import t from 'tap';
import { generateSigningKey, privateKeyFromSeed, publicKeyFromRaw } from '../../protocol/ed25519.ts';
import type { Seq } from '../../protocol/ids.ts';
import { encodeReceipt, LONGEST_RECEIPT_BYTES, openReceipt, type ReceiptRange } from '../../protocol/receipt.ts';
import fc from '../support/properties.ts';
import { bitFlipsOf, bytesOf, hexOf, outcomeOf, prefixesOf, readWireVectors } from '../support/wire.ts';

const { place, receiptSeed, receiptPublicKey, receipts, refused } = readWireVectors('receipt.json');
const signingKey = privateKeyFromSeed(receiptSeed);
const signer = { ...place, publicKey: publicKeyFromRaw(bytesOf(receiptPublicKey)) };

const plain = ({ reason, ...range }: ReceiptRange): object => (reason === undefined ? range : { ...range, reason });

for (const { name, hex, receipt } of receipts) {
  t.test(`receipt: ${name} is written and read as the vector says, and refused when cut`, (t) => {
    t.equal(hexOf(encodeReceipt(receipt, place, signingKey)), hex);
    const opened = openReceipt(bytesOf(hex), signer);
    t.strictSame({ ...opened, ranges: opened.ranges.map(plain) }, receipt);
    for (const prefix of prefixesOf(bytesOf(hex)))
      if (outcomeOf(() => openReceipt(prefix, signer)) !== 'decode.truncated') t.fail(`${prefix.length} bytes`);
    t.end();
  });
}

for (const { name, hex, error } of refused) {
  t.test(`receipt: ${name} is refused as ${error}`, (t) => {
    t.equal(
      outcomeOf(() => openReceipt(bytesOf(hex), signer)),
      error,
    );
    t.end();
  });
}

t.test('receipt: it belongs to its deployment, its kiosk and its gateway', (t) => {
  const bytes = bytesOf(receipts[0].hex);
  t.equal(
    outcomeOf(() => openReceipt(bytes, { ...signer, deployment: place.kiosk })),
    'seal.signature',
  );
  t.equal(
    outcomeOf(() => openReceipt(bytes, { ...signer, kiosk: place.deployment })),
    'seal.signature',
  );
  t.equal(
    outcomeOf(() => openReceipt(bytes, { ...signer, publicKey: generateSigningKey() })),
    'seal.signature',
  );
  t.equal(
    outcomeOf(() => openReceipt(new Uint8Array(LONGEST_RECEIPT_BYTES + 1), signer)),
    'decode.overlong',
  );
  t.end();
});

t.test('receipt: any flipped bit is refused by code', (t) => {
  const taken: number[] = [];
  for (const { bit, flipped } of bitFlipsOf(bytesOf(receipts[1].hex)))
    if (!/^(seal|decode)\./.test(outcomeOf(() => openReceipt(flipped, signer)))) taken.push(bit);
  t.strictSame(taken, []);
  t.end();
});

const anyRanges = fc.uniqueArray(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), { minLength: 2, maxLength: 128 }).chain((edges) =>
  fc
    .array(
      fc.tuple(
        fc.constantFrom('accepted', 'duplicate', 'conflict', 'quarantined'),
        fc.option(fc.stringMatching(/^[a-z]{1,16}\.[a-z_]{1,32}$/), { nil: undefined }),
      ),
      { minLength: edges.length >> 1, maxLength: edges.length >> 1 },
    )
    .map((outcomes) => {
      const sorted = edges.sort((a, b) => a - b);
      return outcomes.map(
        ([outcome, reason], i) => ({ from: sorted[2 * i] as Seq, to: sorted[2 * i + 1] as Seq, outcome, reason }) as ReceiptRange,
      );
    }),
);

t.test('receipt: every receipt comes back, the longest too', (t) => {
  fc.assert(
    fc.property(anyRanges, fc.uint8Array({ minLength: 32, maxLength: 32 }), (ranges, batchDigest) => {
      const opened = openReceipt(encodeReceipt({ batchDigest, ranges }, place, signingKey), signer);
      t.strictSame(opened, { batchDigest, ranges });
    }),
  );
  const longest = Array.from({ length: 64 }, (_, i) => {
    const seq = (Number.MAX_SAFE_INTEGER - 64 + i) as Seq;
    return { from: seq, to: seq, outcome: 'quarantined' as const, reason: `${'a'.repeat(16)}.${'b'.repeat(32)}` };
  });
  const bytes = encodeReceipt({ batchDigest: new Uint8Array(32), ranges: longest }, place, signingKey);
  t.ok(bytes.length <= LONGEST_RECEIPT_BYTES, `${bytes.length} bytes`);
  t.end();
});

t.test('receipt: what could not be read is not written', (t) => {
  const batchDigest = new Uint8Array(32);
  const range = { from: 1 as Seq, to: 2 as Seq, outcome: 'accepted' as const, reason: undefined };
  for (const ranges of [[], [{ ...range, from: 3 as Seq }], [range, range], Array.from({ length: 65 }, () => range)])
    t.equal(
      outcomeOf(() => encodeReceipt({ batchDigest, ranges }, place, signingKey)),
      'decode.malformed',
    );
  t.end();
});

t.test('receipt: arbitrary bytes are refused by code', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => /^(seal|decode)\./.test(outcomeOf(() => openReceipt(bytes, signer)))),
    { numRuns: 2_000 },
  );
  t.pass();
  t.end();
});
