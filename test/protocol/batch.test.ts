import t from 'tap';
import { decodeBatch, LONGEST_BATCH_BYTES, LONGEST_LIST_BYTES, matchRows, sealBatch, verifyBatch } from '../../protocol/batch.ts';
import { generateSigningKey, privateKeyFromSeed, publicKeyFromRaw, rawPublicKey } from '../../protocol/ed25519.ts';
import type { Seq } from '../../protocol/ids.ts';
import { openContentKey, verifyKeyRecord } from '../../protocol/key-record.ts';
import { digestOf, openRow } from '../../protocol/row.ts';
import fc from '../support/properties.ts';
import { bitFlipsOf, bytesOf, hexOf, outcomeOf, prefixesOf, readWireVectors } from '../support/wire.ts';

const { place, topic, kioskSeed, sentAt, batches, refused } = readWireVectors('batch.json');
const keys = readWireVectors('key-record.json');
const signingKey = privateKeyFromSeed(kioskSeed);
const publicKey = publicKeyFromRaw(rawPublicKey(signingKey));
const signer = { deployment: place.deployment, topic, publicKey };
const [three] = batches;
const parts = { deployment: place.deployment, topic, keyId: place.keyId, sentAt, signingKey };
const keyRecord = bytesOf(keys.records[0].hex);

/** All that a gateway does with a batch before it keeps it, but for the duplicate check. */
function take(bytes: Uint8Array, contentKey: Uint8Array): { seq: Seq; type: string }[] {
  const { keyRecord, sign1, rows } = decodeBatch(bytes);
  const record = verifyKeyRecord(keyRecord, { ...place, publicKey });
  const list = verifyBatch(sign1, signer);
  if (Buffer.compare(list.keyId, record.keyId) !== 0) throw new Error('another key');
  return matchRows(list.listed, rows).map(({ seq, row }) => ({
    seq,
    type: openRow(row, { ...place, epoch: record.epoch, keyId: list.keyId, seq }, contentKey).type,
  }));
}

for (const { name, seqs, hex, sign1, digest } of batches) {
  t.test(`batch: ${name} is sealed and taken apart as the vector says, and refused when cut`, (t) => {
    const decoded = decodeBatch(bytesOf(hex));
    t.equal(hexOf(decoded.sign1), sign1);
    t.equal(hexOf(decoded.keyRecord), keys.records[0].hex);
    t.equal(hexOf(digestOf(bytesOf(hex))), digest);
    const list = verifyBatch(decoded.sign1, signer);
    t.strictSame([list.keyId, list.sentAt], [place.keyId, sentAt]);
    const matched = matchRows(list.listed, decoded.rows);
    t.strictSame(
      matched.map(({ seq }) => seq),
      seqs,
    );
    t.equal(hexOf(sealBatch({ ...parts, rows: matched, keyRecord })), hex);
    for (const prefix of prefixesOf(bytesOf(hex)))
      if (outcomeOf(() => decodeBatch(prefix)) !== 'decode.truncated') t.fail(`${prefix.length} bytes`);
    for (const prefix of prefixesOf(decoded.sign1))
      if (outcomeOf(() => verifyBatch(prefix, signer)) !== 'decode.truncated') t.fail(`${prefix.length} bytes of the list`);
    t.end();
  });
}

t.test('batch: the vector goes the whole way, from the gateway’s private key to the events', async (t) => {
  const record = verifyKeyRecord(decodeBatch(bytesOf(three.hex)).keyRecord, { ...place, publicKey });
  const contentKey = await openContentKey(record, place, [keys.recipients[0]]);
  t.strictSame(take(bytesOf(three.hex), contentKey), [
    { seq: 1, type: 'check-in' },
    { seq: 2, type: 'temperature' },
    { seq: 4, type: 'check-out' },
  ]);
});

for (const { name, hex, error } of refused) {
  t.test(`batch: ${name} is refused as ${error}`, (t) => {
    t.equal(
      outcomeOf(() => take(bytesOf(hex), keys.contentKey)),
      error,
    );
    t.end();
  });
}

t.test('batch: any flipped bit of the whole message is refused by code', (t) => {
  const taken: string[] = [];
  const codes = new Map<string, number>();
  for (const { bit, flipped } of bitFlipsOf(bytesOf(three.hex))) {
    const outcome = outcomeOf(() => take(flipped, keys.contentKey));
    codes.set(outcome, (codes.get(outcome) ?? 0) + 1);
    if (!/^(seal|decode)\./.test(outcome)) taken.push(`bit ${bit}: ${outcome}`);
  }
  t.strictSame(taken, []);
  t.ok((codes.get('seal.signature') ?? 0) > 1_000 && (codes.get('seal.digest') ?? 0) > 1_000, JSON.stringify([...codes]));
  t.end();
});

t.test('batch: a list belongs to its deployment, its topic and its signer', (t) => {
  const list = bytesOf(three.sign1);
  t.equal(
    outcomeOf(() => verifyBatch(list, { ...signer, deployment: place.kiosk })),
    'seal.signature',
  );
  t.equal(
    outcomeOf(() => verifyBatch(list, { ...signer, topic: topic.replace('batch', 'state') })),
    'seal.signature',
  );
  t.equal(
    outcomeOf(() => verifyBatch(list, { ...signer, publicKey: generateSigningKey() })),
    'seal.signature',
  );
  t.end();
});

t.test('batch: a row taken out later leaves a signature that verifies over the rest, in any order', (t) => {
  const { sign1, rows } = decodeBatch(bytesOf(three.hex));
  const { listed } = verifyBatch(sign1, signer);
  t.strictSame(
    matchRows(listed, [rows[2]!, rows[0]!]).map(({ seq }) => seq),
    [4, 1],
  );
  t.strictSame(matchRows(listed, []), []);
  t.end();
});

t.test('batch: what breaks a bound is not sealed, and what keeps it is', (t) => {
  const rowsOf = (count: number, lengthBytes: number) =>
    Array.from({ length: count }, (_, i) => {
      const row = new Uint8Array(lengthBytes);
      new DataView(row.buffer).setUint32(0, i);
      return { seq: (Number.MAX_SAFE_INTEGER - count + i) as Seq, row };
    });
  const seal = (rows: { seq: Seq; row: Uint8Array }[]) => sealBatch({ ...parts, rows, keyRecord });
  const full = seal(rowsOf(64, 900));
  t.ok(full.length <= LONGEST_BATCH_BYTES);
  const { sign1 } = decodeBatch(full);
  t.ok(sign1.length <= LONGEST_LIST_BYTES);
  t.equal(verifyBatch(sign1, signer).listed.length, 64);
  t.equal(
    outcomeOf(() => seal(rowsOf(65, 100))),
    'decode.overlong',
  );
  t.equal(
    outcomeOf(() => seal(rowsOf(64, 1_024))),
    'decode.overlong',
  );
  t.equal(
    outcomeOf(() => seal([])),
    'decode.malformed',
  );
  t.equal(
    outcomeOf(() => seal(rowsOf(2, 100).reverse())),
    'decode.malformed',
  );
  const [one] = rowsOf(1, 100);
  t.equal(
    outcomeOf(() => seal([one!, { seq: Number.MAX_SAFE_INTEGER as Seq, row: one!.row }])),
    'decode.malformed',
    'one row twice',
  );
  t.equal(
    outcomeOf(() => decodeBatch(new Uint8Array(LONGEST_BATCH_BYTES + 1))),
    'decode.overlong',
  );
  t.end();
});

t.test('batch: every set of rows comes back in its order', (t) => {
  const anyRows = fc
    .uniqueArray(fc.tuple(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), fc.uint8Array({ minLength: 1, maxLength: 900 })), {
      minLength: 1,
      maxLength: 20,
      comparator: ([a, rowA], [b, rowB]) => a === b || Buffer.compare(rowA, rowB) === 0,
    })
    .map((rows) => rows.sort(([a], [b]) => a - b).map(([seq, row]) => ({ seq: seq as Seq, row })));
  fc.assert(
    fc.property(anyRows, (rows) => {
      const { sign1, rows: came } = decodeBatch(sealBatch({ ...parts, rows, keyRecord }));
      const matched = matchRows(verifyBatch(sign1, signer).listed, came);
      return matched.every(({ seq, row }, i) => seq === rows[i]!.seq && Buffer.compare(row, rows[i]!.row) === 0);
    }),
  );
  t.pass();
  t.end();
});

t.test('batch: arbitrary bytes are refused by code, as a message and as a list', (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      (bytes) =>
        outcomeOf(() => decodeBatch(bytes)).startsWith('decode.') && /^(seal|decode)\./.test(outcomeOf(() => verifyBatch(bytes, signer))),
    ),
    { numRuns: 2_000 },
  );
  t.pass();
  t.end();
});
