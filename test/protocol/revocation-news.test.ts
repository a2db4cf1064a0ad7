import t from 'tap';
import {
  decodeRevocationNews,
  decodeRevocationReport,
  encodeRevocationNews,
  encodeRevocationReport,
  MOST_KNOWN,
  type RevocationReport,
} from '../../protocol/revocation-news.ts';
import fc from '../support/properties.ts';

const PLAIN = { noNullPrototype: true } as const;
const tombstone = fc.uint8Array({ minLength: 16, maxLength: 16 });
const places = fc.nat({ max: 1_000_000 });
const tier = fc.record({ tier: fc.constantFrom('gateway' as const, 'kiosks' as const, 'sinks' as const), done: places, of: places }, PLAIN);

t.test('revocation news: what is told comes as it was told', async (t) => {
  const told = fc.array(fc.record({ proof: fc.string({ maxLength: 900 }), digest: tombstone }, PLAIN), { maxLength: 48 });
  fc.assert(
    fc.property(fc.boolean(), fc.boolean(), told, (isAnew, hasMore, noticed) => {
      const news = { version: '0123456789abcdef-7', isAnew, hasMore, noticed, withdrawn: [] };
      t.strictSame(decodeRevocationNews(encodeRevocationNews(news)), news);
    }),
    { numRuns: 30 },
  );
});

t.test('revocation report: what is said comes as it was said; any prefix, and what is too much, is refused', async (t) => {
  const progress = fc.array(fc.record({ tombstone, tiers: fc.array(tier, { maxLength: 3 }) }, PLAIN), { maxLength: 8 });
  fc.assert(
    fc.property(fc.array(tombstone, { maxLength: 8 }), progress, fc.nat(), (known, said, cut) => {
      const report: RevocationReport = { known, progress: said };
      const text = encodeRevocationReport(report);
      t.strictSame(decodeRevocationReport(text), report);
      t.throws(() => decodeRevocationReport(text.slice(0, cut % text.length)), { code: 'decode.malformed' });
    }),
    { numRuns: 30 },
  );
  const many = Array.from({ length: MOST_KNOWN + 1 }, () => new Uint8Array(16));
  for (const text of [encodeRevocationReport({ known: many, progress: [] }), '{"known":["00"],"progress":[]}', '{}', '[]'])
    t.throws(() => decodeRevocationReport(text), { code: 'decode.malformed' });
});
