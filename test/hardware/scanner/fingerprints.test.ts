import t from 'tap';
import { FINGERPRINTS, fingerprintOf } from '../../../hardware/scanner/fingerprints.ts';

t.test('fingerprints: each line is well formed, has a source, and is there once', async (t) => {
  for (const { vendorId, productId, name, source } of FINGERPRINTS) {
    t.match(`${vendorId}:${productId}`, /^[0-9a-f]{4}:[0-9a-f]{4}$/);
    t.match(source, /^https?:\/\/\S+/, name);
  }
  t.equal(new Set(FINGERPRINTS.map(({ vendorId, productId }) => `${vendorId}:${productId}`)).size, FINGERPRINTS.length);
});

t.test('fingerprints: a scanner is found by its ids, a keyboard is not', async (t) => {
  t.match(fingerprintOf({ vendorId: '05e0', productId: '1200' }), { mode: 'keyboard' });
  t.equal(fingerprintOf({ vendorId: '046d', productId: 'c31c' }), undefined);
});
