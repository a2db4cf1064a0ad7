import t from 'tap';
import { decodeErasure, encodeErasure, MOST_ERASED } from '../../protocol/erasure.ts';
import { type DeploymentId, type KeyId, type KioskId, newPlaceId, type Seq } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import fc from '../support/properties.ts';
import { outcomeOf } from '../support/wire.ts';

const NOW = Date.UTC(2026, 10, 22) as EpochMillis;
const deployment = newPlaceId<DeploymentId>();
const [one, two] = [newPlaceId<KioskId>(), newPlaceId<KioskId>()];
const row = fc.record({
  kiosk: fc.constantFrom(one, two),
  keyId: fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => bytes as KeyId),
  seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }).map((seq) => seq as Seq),
});
const textOf = (rows: ReturnType<typeof decodeErasure>['rows']) =>
  rows.map(({ kiosk, keyId, seq }) => `${kiosk} ${Buffer.from(keyId).toString('hex')} ${seq}`);

t.test('erasure: what was told is read, in an order that says nothing, and the same rows are the same event', async (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(row, { minLength: 1, maxLength: 40, selector: (one) => textOf([one])[0] }), (rows) => {
      const bytes = encodeErasure(deployment, rows, NOW);
      const read = decodeErasure(bytes);
      t.equal(read.deployment, deployment);
      t.strictSame(textOf(read.rows).toSorted(), textOf(rows).toSorted());
      t.strictSame(Buffer.from(encodeErasure(deployment, rows.toReversed(), NOW)).toString(), Buffer.from(bytes).toString());
    }),
    { numRuns: 50 },
  );
  const most = Array.from({ length: MOST_ERASED }, (_, n) => ({
    kiosk: one,
    keyId: new Uint8Array(8).fill(0xff) as KeyId,
    seq: (Number.MAX_SAFE_INTEGER - n) as Seq,
  }));
  t.equal(decodeErasure(encodeErasure(deployment, most, NOW)).rows.length, MOST_ERASED);
});

t.test('erasure: what is none is refused by code', async (t) => {
  const told = JSON.parse(
    Buffer.from(encodeErasure(deployment, [{ kiosk: one, keyId: new Uint8Array(8) as KeyId, seq: 7 as Seq }], NOW)).toString(),
  ) as object;
  const outcome = (value: unknown) => outcomeOf(() => decodeErasure(Buffer.from(JSON.stringify(value))));
  t.equal(outcome(told), 'nothing thrown');
  t.equal(outcome({ ...told, battery: 1 }), 'nothing thrown', 'attributes that are not known are passed over');
  for (const wrong of [{ type: 'vestibule.ledger.batch' }, { source: 'x' }, { data_base64: '!' }, { specversion: '2.0' }])
    t.equal(outcome({ ...told, ...wrong }), 'decode.malformed', JSON.stringify(wrong));
  t.match(outcome({ ...told, data_base64: Buffer.from([0x80]).toString('base64') }), /^decode\./, 'of no row');
  t.equal(
    outcomeOf(() => decodeErasure(new Uint8Array(98_305))),
    'decode.overlong',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => new Uint8Array(Buffer.from(text))),
      ),
      (bytes) => /^decode\./.test(outcomeOf(() => decodeErasure(bytes))),
    ),
  );
});
