import t from 'tap';
import type { CborValue } from '../../protocol/cbor.ts';
import { decodeCbor } from '../../protocol/cbor.ts';
import { decodeEvent } from '../../protocol/event-codec.ts';
import type { Seq } from '../../protocol/ids.ts';
import { digestOf, LONGEST_ROW_BYTES, openRow, RowOpener, RowSealer } from '../../protocol/row.ts';
import fc from '../support/properties.ts';
import { anyEvent, bitFlipsOf, bytesOf, hexOf, outcomeOf, prefixesOf, readWireVectors, withoutUndefined } from '../support/wire.ts';

const { place, contentKey, rows, refused } = readWireVectors('row.json');
const [first] = rows;
const event = decodeEvent(bytesOf(first.event));

/** The nonce's counter, read from a row's protected header. */
function counterOf(row: Uint8Array): number {
  const [header] = decodeCbor(row, 'row', LONGEST_ROW_BYTES) as Uint8Array[];
  const iv = (decodeCbor(header!, 'header', 32) as ReadonlyMap<number, CborValue>).get(5) as Uint8Array;
  return Number(Buffer.from(iv).readBigUInt64BE(4));
}

for (const { name, seq, attempt, event, hex, digest } of rows) {
  t.test(`row: ${name} is sealed and opened as the vector says, and refused when cut`, (t) => {
    const sealer = new RowSealer(place, contentKey);
    for (let i = 1; i < attempt; i++) sealer.seal(seq, decodeEvent(bytesOf(event)));
    const row = sealer.seal(seq, decodeEvent(bytesOf(event)));
    t.equal(hexOf(row), hex);
    t.equal(hexOf(digestOf(row)), digest);
    t.strictSame(openRow(bytesOf(hex), { ...place, seq }, contentKey), decodeEvent(bytesOf(event)));
    for (const prefix of prefixesOf(bytesOf(hex)))
      if (outcomeOf(() => openRow(prefix, { ...place, seq }, contentKey)) !== 'decode.truncated') t.fail(`${prefix.length} bytes`);
    t.end();
  });
}

for (const { name, hex, error } of refused) {
  t.test(`row: ${name} is refused as ${error}`, (t) => {
    t.equal(
      outcomeOf(() => openRow(bytesOf(hex), { ...place, seq: 1 }, contentKey)),
      error,
    );
    t.end();
  });
}

t.test('row: a row opens at its own place alone', (t) => {
  const row = bytesOf(first.hex);
  const own = { ...place, seq: first.seq };
  t.equal(
    outcomeOf(() => openRow(row, own, contentKey)),
    'nothing thrown',
  );
  for (const moved of [
    { deployment: place.kiosk },
    { kiosk: place.deployment },
    { epoch: place.keyId },
    { keyId: place.epoch },
    { seq: first.seq + 1 },
  ])
    t.equal(
      outcomeOf(() => openRow(row, { ...own, ...moved }, contentKey)),
      'seal.open',
      Object.keys(moved).join(),
    );
  t.equal(
    outcomeOf(() => openRow(row, own, new Uint8Array(32))),
    'seal.open',
    'another key',
  );
  t.equal(
    outcomeOf(() => openRow(row, own, new Uint8Array(16))),
    'seal.open',
    'a shorter key',
  );
  t.equal(
    outcomeOf(() => openRow(new Uint8Array(1_025), own, contentKey)),
    'decode.overlong',
  );
  t.equal(
    outcomeOf(() => new RowSealer(place, new Uint8Array(31))),
    'seal.open',
  );
  t.end();
});

t.test('row: any flipped bit is refused by code', (t) => {
  const taken: number[] = [];
  for (const { bit, flipped } of bitFlipsOf(bytesOf(first.hex)))
    if (!/^(seal|decode)\./.test(outcomeOf(() => openRow(flipped, { ...place, seq: first.seq }, contentKey)))) taken.push(bit);
  t.strictSame(taken, []);
  t.end();
});

t.test('row: a sequence number that a rolled-back append gave back is sealed again under another nonce', (t) => {
  const sealer = new RowSealer(place, contentKey);
  const lost = sealer.seal(7 as Seq, event);
  const kept = sealer.seal(7 as Seq, event);
  t.not(hexOf(lost), hexOf(kept));
  t.strictSame([counterOf(lost), counterOf(kept)], [1, 2]);
  t.end();
});

t.test('row: an attempt that throws uses its nonce up, and the sequence number never makes one', (t) => {
  const sealer = new RowSealer(place, contentKey);
  t.match(
    outcomeOf(() => sealer.seal(1 as Seq, { ...event, groupSize: 100 } as typeof event)),
    'decode.out_of_range',
  );
  t.equal(counterOf(sealer.seal((2 ** 50) as Seq, event)), 2);
  t.equal(counterOf(sealer.seal(3 as Seq, event)), 3);
  t.end();
});

const anyReady = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 });

t.test('row: what was made ready changes nothing of a row but when its work was done', (t) => {
  const seal = (ready: readonly number[]) => {
    const sealer = new RowSealer(place, contentKey);
    for (const seq of ready) sealer.makeReady(seq as Seq);
    return hexOf(sealer.seal(7 as Seq, event));
  };
  t.equal(seal([7]), seal([]));
  t.equal(seal([7, 7]), seal([]));
  t.not(seal([6]), seal([]), 'what was made ready for another number is thrown away with its nonce');
  t.end();
});

t.test('row: whatever is sealed and in whatever order, no nonce comes twice', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), anyEvent, fc.boolean(), anyReady), { maxLength: 20 }), (attempts) => {
      const sealer = new RowSealer(place, contentKey);
      const seen = new Set<number>();
      for (const [seq, happened, isBroken, ready] of attempts) {
        for (const next of ready) sealer.makeReady(next as Seq);
        const broken = { ...happened, stamp: { ...happened.stamp, wallMs: -1 } } as typeof happened;
        if (isBroken) outcomeOf(() => sealer.seal(seq as Seq, broken));
        else seen.add(counterOf(sealer.seal(seq as Seq, happened)));
      }
      return (
        seen.size === attempts.filter(([, , isBroken]) => !isBroken).length &&
        [...seen].every((counter) => counter <= attempts.reduce((sum, [, , , ready]) => sum + 1 + ready.length, 0))
      );
    }),
  );
  t.end();
});

t.test('row: every event comes back from its row, which is bounded', (t) => {
  fc.assert(
    fc.property(anyEvent, fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (happened, seq) => {
      const row = new RowSealer(place, contentKey).seal(seq as Seq, happened);
      t.strictSame(withoutUndefined(openRow(row, { ...place, seq }, contentKey)), withoutUndefined(happened));
      return row.length <= LONGEST_ROW_BYTES / 2;
    }),
  );
  t.end();
});

t.test('row: arbitrary bytes are refused by code', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_100 }), (bytes) =>
      /^(seal|decode)\./.test(outcomeOf(() => openRow(bytes, { ...place, seq: 1 as Seq }, contentKey))),
    ),
    { numRuns: 2_000 },
  );
  t.end();
});

t.test('row: an opener for many reads each as the one that opens a single row, and refuses it for the same reason', (t) => {
  const sealer = new RowSealer(place, contentKey);
  const opener = new RowOpener(place, contentKey);
  const outcomes = (row: Uint8Array, seq: number): [string, string] => [
    outcomeOf(() => decodeEvent(opener.open(row, seq as Seq))),
    outcomeOf(() => openRow(row, { ...place, seq }, contentKey)),
  ];
  fc.assert(
    fc.property(
      anyEvent,
      fc.constantFrom(1, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
      (event, seq) => {
        const row = sealer.seal(seq as Seq, event);
        return (
          outcomes(row, seq).every((outcome) => outcome === 'nothing thrown') &&
          outcomes(row, 5).every((outcome) => outcome === 'seal.open')
        );
      },
    ),
  );
  const row = sealer.seal(300 as Seq, event);
  for (const { bit, flipped } of bitFlipsOf(row)) {
    const [many, single] = outcomes(flipped, 300);
    if (many !== single || many === 'nothing thrown') t.fail(`bit ${bit}: ${many}, ${single}`);
  }
  for (const prefix of prefixesOf(row)) {
    const [many, single] = outcomes(prefix, 300);
    if (many !== single || many === 'nothing thrown') t.fail(`${prefix.length} bytes: ${many}, ${single}`);
  }
  t.end();
});
