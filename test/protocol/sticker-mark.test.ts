import { randomBytes } from 'node:crypto';
import t from 'tap';
import { decodeCbor, encodeCbor } from '../../protocol/cbor.ts';
import { generateSigningKey, publicKeyFromRaw, rawPublicKey } from '../../protocol/ed25519.ts';
import { type DeploymentId, type KioskId, newPlaceId } from '../../protocol/ids.ts';
import { encodeNotice, LONGEST_NOTICE_BYTES, MOST_ENDS, MOST_NOTICES, openNotice } from '../../protocol/notice.ts';
import { decodeStickerNews, encodeStickerNews } from '../../protocol/notice-news.ts';
import {
  MOST_STICKERS,
  markStickers,
  STICKER_END_STEP_MS,
  StickerFilter,
  stickerDigestOf,
  stickersOfCbor,
  stickersToCbor,
  TOLD_STANDINGS,
  type ToldSticker,
} from '../../protocol/sticker-mark.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import fc from '../support/properties.ts';
import { bytesOf, hexOf, outcomeOf, readWireVectors } from '../support/wire.ts';

const hour = (count: number) => (count * STICKER_END_STEP_MS) as EpochMillis;
const stickerOf = (index: number): Uint8Array => new Uint8Array(Buffer.from(index.toString(16).padStart(32, '0'), 'hex'));
const key = new Uint8Array(randomBytes(32));

const toldSticker = fc.uniqueArray(
  fc.record({ index: fc.nat(500), standing: fc.constantFrom(...TOLD_STANDINGS), end: fc.integer({ min: 1, max: 400_000 }) }),
  { selector: ({ index }) => index, maxLength: 40 },
);
const toldOf = ({ index, standing, end }: { index: number; standing: ToldSticker['standing']; end: number }): ToldSticker => ({
  digest: stickerDigestOf(stickerOf(index)),
  standing,
  endsAtMs: hour(standing === 'linked' ? end : 0),
});

t.test('sticker marks: what was marked is read back, of each sticker and of no other', (t) => {
  fc.assert(
    fc.property(toldSticker, fc.nat(400_000), (some, now) => {
      const marks = markStickers(some.map(toldOf), key);
      const bytes = encodeCbor(stickersToCbor(marks));
      const read = stickersOfCbor(decodeCbor(bytes, 'test', 65_536));
      t.strictSame(encodeCbor(stickersToCbor(read)), bytes);
      const filter = new StickerFilter(key, read);
      for (const { index, standing, end } of some) {
        const expected = standing === 'linked' && now >= end ? 'expired' : standing;
        if (filter.standing(stickerOf(index), hour(now)) !== expected) return false;
      }
      return filter.standing(stickerOf(501), hour(now)) === 'free';
    }),
  );
  t.end();
});

t.test('sticker marks: what is none is refused', (t) => {
  const five = (...numbers: number[]) => Uint8Array.from(numbers.flatMap((number) => [0, 0, 0, 0, number]));
  const none = new Uint8Array(0);
  for (const value of [
    [none, none],
    [five(2, 1), none, []],
    [none, five(1, 1), []],
    [none, none, [[hour(1), none]]],
    [none, none, [[hour(1) + 1, five(1)]]],
    [
      none,
      none,
      [
        [hour(2), five(1)],
        [hour(1), five(2)],
      ],
    ],
    [new Uint8Array(MOST_STICKERS * 5 + 5), none, []],
  ])
    t.match(
      outcomeOf(() => stickersOfCbor(value)),
      /^decode\./,
    );
  t.end();
});

t.test('sticker marks: a document with as many notices and stickers as may be is not too long', (t) => {
  const place = { deployment: newPlaceId<DeploymentId>(), kiosk: newPlaceId<KioskId>() };
  const signingKey = generateSigningKey();
  const spread = (count: number, of: number, at: number) => Math.floor((count * (at + 1)) / of) - Math.floor((count * at) / of);
  let next = 0;
  const marks = (count: number) => {
    const bytes = Buffer.alloc(count * 5);
    for (let at = 0; at < count; at++) bytes.writeUIntBE(next + at + 1, at * 5, 5);
    next += count;
    return new Uint8Array(bytes);
  };
  const groups = Array.from({ length: MOST_ENDS }, (_, at) => ({
    endsAtMs: ((2_000_000 + at) * 900_000) as EpochMillis,
    marks: marks(spread(MOST_NOTICES, MOST_ENDS, at)),
  }));
  const linked = Array.from({ length: 504 }, (_, at) => ({ endsAtMs: hour(500_000 + at), marks: marks(spread(MOST_STICKERS, 504, at)) }));
  const stickers = { done: new Uint8Array(0), voided: new Uint8Array(0), linked };
  const issuedAtMs = Date.UTC(2026, 10, 22) as EpochMillis;
  const document = { version: 1, issuedAtMs, expiresAtMs: (issuedAtMs + 1) as EpochMillis, key, groups, stickers };
  const bytes = encodeNotice(document, place, signingKey);
  t.ok(bytes.length <= LONGEST_NOTICE_BYTES, `${bytes.length} bytes`);
  t.strictSame(openNotice(bytes, { ...place, publicKey: publicKeyFromRaw(rawPublicKey(signingKey)) }).stickers, stickers);
  t.end();
});

t.test('sticker news: come as they were told; what is none is refused', (t) => {
  const version = `${'0'.repeat(16)}-1`;
  fc.assert(
    fc.property(toldSticker, (some) => {
      const news = { version, isAnew: false, hasMore: false, noticed: some.map(toldOf), withdrawn: [stickerDigestOf(stickerOf(1))] };
      t.strictSame(decodeStickerNews(encodeStickerNews(news)), news);
    }),
    { numRuns: 20 },
  );
  const record = (standing: number, endsAtMs: number) => {
    const bytes = Buffer.alloc(23);
    bytes.writeUIntBE(endsAtMs, 16, 6);
    bytes.writeUInt8(standing, 22);
    return JSON.stringify({ version, isAnew: true, hasMore: false, noticed: bytes.toString('base64'), withdrawn: '' });
  };
  for (const text of [record(3, 0), record(0, 1), record(1, hour(1)), record(2, hour(1))])
    t.equal(
      outcomeOf(() => decodeStickerNews(text)),
      'decode.malformed',
    );
  t.match(decodeStickerNews(record(0, hour(1))), { noticed: [{ standing: 'linked' }] });
  t.end();
});

interface StickerVector {
  readonly sticker: Uint8Array;
  readonly digest: string;
  readonly mark: string;
  readonly standing: ToldSticker['standing'];
  readonly endsAtMs: EpochMillis;
}

t.test('sticker marks: stickers are marked as the vector says, in whatever order they come, and stand as it says', async (t) => {
  const { documents, stickers, freeStickers, refusedByDesks, place, receiptPublicKey } = readWireVectors('notice.json');
  const signer = { ...place, publicKey: publicKeyFromRaw(bytesOf(receiptPublicKey)) };
  const { key, stickers: marks } = documents[2].document;
  const told = (stickers as StickerVector[]).map(({ sticker, standing, endsAtMs }) => ({
    digest: stickerDigestOf(sticker),
    standing,
    endsAtMs,
  }));
  t.strictSame(
    told.map(({ digest }) => hexOf(digest)),
    (stickers as StickerVector[]).map(({ digest }) => digest),
  );
  for (const order of [told, told.toReversed()]) t.strictSame(markStickers(order, key), marks);
  const filter = new StickerFilter(key, marks);
  for (const { sticker, standing, endsAtMs } of stickers as StickerVector[]) {
    t.equal(filter.standing(sticker, endsAtMs - 1), standing);
    t.equal(filter.standing(sticker, endsAtMs), standing === 'linked' ? 'expired' : standing);
  }
  for (const sticker of freeStickers) t.equal(filter.standing(sticker, 0), 'free');
  for (const { name, hex, error } of refusedByDesks)
    t.equal(
      outcomeOf(() => openNotice(bytesOf(hex), signer)),
      error,
      name,
    );
});
