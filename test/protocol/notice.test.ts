import { randomBytes } from 'node:crypto';
import t from 'tap';
import { generateSigningKey, privateKeyFromSeed, publicKeyFromRaw } from '../../protocol/ed25519.ts';
import type { VisitorUuid } from '../../protocol/ids.ts';
import { MARK_BYTES } from '../../protocol/marks.ts';
import {
  END_STEP_MS,
  encodeNotice,
  endStep,
  groupNotices,
  LONGEST_NOTICE_BYTES,
  layOutNotices,
  MOST_ENDS,
  MOST_NOTICES,
  type NoticeDocument,
  type Noticed,
  NoticeFilter,
  noticeDigestOf,
  openNotice,
} from '../../protocol/notice.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import fc from '../support/properties.ts';
import { bitFlipsOf, bytesOf, hexOf, outcomeOf, prefixesOf, readWireVectors } from '../support/wire.ts';

const { place, receiptSeed, receiptPublicKey, noticed, notNoticed, documents, passable, refused } = readWireVectors('notice.json');
const signingKey = privateKeyFromSeed(receiptSeed);
const signer = { ...place, publicKey: publicKeyFromRaw(bytesOf(receiptPublicKey)) };
const newCard = () => new Uint8Array(randomBytes(16)) as VisitorUuid;
const at = (ms: number) => ms as EpochMillis;

for (const { name, hex, document } of documents) {
  t.test(`notices: ${name}: written and read as the vector says, and refused when cut`, (t) => {
    t.equal(hexOf(encodeNotice(document, place, signingKey)), hex);
    t.strictSame(openNotice(bytesOf(hex), signer), document);
    for (const prefix of prefixesOf(bytesOf(hex)))
      if (outcomeOf(() => openNotice(prefix, signer)) !== 'decode.truncated') t.fail(`${prefix.length} bytes`);
    t.end();
  });
}

t.test(`notices: ${passable.name}`, (t) => {
  t.strictSame(openNotice(bytesOf(passable.hex), signer), passable.document);
  t.end();
});

for (const { name, hex, error } of refused) {
  t.test(`notices: ${name} is refused as ${error}`, (t) => {
    t.equal(
      outcomeOf(() => openNotice(bytesOf(hex), signer)),
      error,
    );
    t.end();
  });
}

t.test('notices: cards are marked as the vector says, in whatever order they come, and found with their ends', (t) => {
  const { key, groups } = documents[0].document;
  const all: Noticed[] = noticed.map(({ card, endsAtMs }: { card: VisitorUuid; endsAtMs: EpochMillis }) => ({
    digest: noticeDigestOf(card),
    endsAtMs,
  }));
  t.strictSame(
    all.map(({ digest }) => hexOf(digest)),
    noticed.map(({ digest }: { digest: string }) => digest),
  );
  for (const order of [all, all.toReversed()]) t.strictSame(groupNotices(layOutNotices(order), key), groups);
  const filter = new NoticeFilter({ key, groups });
  for (const { card, endsAtMs } of noticed) t.equal(filter.endOf(card), endsAtMs);
  for (const card of notNoticed) t.equal(filter.endOf(card), undefined);
  t.equal(new NoticeFilter({ key, groups: [] }).endOf(noticed[0].card), undefined);
  t.end();
});

t.test('notices: a document belongs to its deployment, its kiosk and its gateway', (t) => {
  const bytes = bytesOf(documents[0].hex);
  for (const other of [{ deployment: place.kiosk }, { kiosk: place.deployment }, { publicKey: generateSigningKey() }])
    t.equal(
      outcomeOf(() => openNotice(bytes, { ...signer, ...other })),
      'seal.signature',
    );
  t.equal(
    outcomeOf(() => openNotice(new Uint8Array(LONGEST_NOTICE_BYTES + 1), signer)),
    'decode.overlong',
  );
  t.end();
});

t.test('notices: any flipped bit is refused by code', (t) => {
  const taken: number[] = [];
  for (const { bit, flipped } of bitFlipsOf(bytesOf(documents[0].hex)))
    if (!/^(seal|decode)\./.test(outcomeOf(() => openNotice(flipped, signer)))) taken.push(bit);
  t.strictSame(taken, []);
  t.end();
});

const anyNoticed: fc.Arbitrary<{ card: VisitorUuid; endsAtMs: EpochMillis }[]> = fc.uniqueArray(
  fc.record({
    card: fc.uint8Array({ minLength: 16, maxLength: 16 }) as unknown as fc.Arbitrary<VisitorUuid>,
    endsAtMs: fc.integer({ min: 0, max: 2_000 }).map((step) => at(step * END_STEP_MS)),
  }),
  { maxLength: 40, comparator: (a, b) => Buffer.compare(a.card, b.card) === 0 },
);
const anyDocument: fc.Arbitrary<NoticeDocument> = fc
  .record({
    version: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    issuedAtMs: fc.integer({ min: 0, max: 2 ** 42 }),
    lastsMs: fc.integer({ min: 1, max: 2 ** 40 }),
    key: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    noticed: anyNoticed,
  })
  .map(({ version, issuedAtMs, lastsMs, key, noticed }) => ({
    version,
    issuedAtMs: at(issuedAtMs),
    expiresAtMs: at(issuedAtMs + lastsMs),
    key,
    groups: groupNotices(layOutNotices(noticed.map(({ card, endsAtMs }) => ({ digest: noticeDigestOf(card), endsAtMs }))), key),
  }));

t.test('notices: every document comes back, the longest too', (t) => {
  fc.assert(fc.property(anyDocument, (document) => t.strictSame(openNotice(encodeNotice(document, place, signingKey), signer), document)));
  const perGroup = Math.ceil(MOST_NOTICES / MOST_ENDS);
  let left = MOST_NOTICES;
  const groups = Array.from({ length: MOST_ENDS }, (_, index) => {
    const marks = Buffer.alloc(Math.min(perGroup, left - (MOST_ENDS - index - 1)) * MARK_BYTES);
    left -= marks.length / MARK_BYTES;
    for (let n = 0; n * MARK_BYTES < marks.length; n++) marks.writeUIntBE(2 ** 40 - 10_000 + n, n * MARK_BYTES, MARK_BYTES);
    return { endsAtMs: at(endStep(253_000_000_000_000) + index * END_STEP_MS), marks: new Uint8Array(marks) };
  });
  const longest = { ...documents[0].document, groups };
  const bytes = encodeNotice(longest, place, signingKey);
  t.equal(left, 0);
  t.ok(bytes.length <= LONGEST_NOTICE_BYTES, `${bytes.length} bytes`);
  t.strictSame(openNotice(bytes, signer), longest);
  t.end();
});

t.test('notices: every noticed card is found with its end, and no other', (t) => {
  fc.assert(
    fc.property(anyNoticed, fc.uint8Array({ minLength: 16, maxLength: 16 }), (cards, stranger) => {
      const key = new Uint8Array(randomBytes(32));
      const groups = groupNotices(layOutNotices(cards.map(({ card, endsAtMs }) => ({ digest: noticeDigestOf(card), endsAtMs }))), key);
      const filter = new NoticeFilter({ key, groups });
      for (const { card, endsAtMs } of cards) t.equal(filter.endOf(card), endsAtMs);
      if (!cards.some(({ card }) => Buffer.compare(card, stranger) === 0)) t.equal(filter.endOf(stranger as VisitorUuid), undefined);
    }),
  );
  t.end();
});

t.test(
  'notices: the longest document takes none of 5,000 strange cards for a noticed one, and its marks could not take one in a million',
  (t) => {
    const key = new Uint8Array(randomBytes(32));
    const many = Array.from({ length: MOST_NOTICES }, (_, n) => ({
      digest: new Uint8Array(randomBytes(16)),
      endsAtMs: at((n % 1_500) * END_STEP_MS),
    }));
    const filter = new NoticeFilter({ key, groups: groupNotices(layOutNotices(many), key) });
    let taken = 0;
    for (let tried = 0; tried < 5_000; tried++) if (filter.endOf(newCard()) !== undefined) taken += 1;
    t.equal(taken, 0);
    const probability = MOST_NOTICES / 2 ** (8 * MARK_BYTES);
    t.ok(probability <= 1e-6, `${probability}`);
    t.end();
  },
);

t.test('notices: two documents have nothing in common, and neither has anything of a card', (t) => {
  const many = Array.from({ length: 500 }, () => ({ digest: noticeDigestOf(newCard()), endsAtMs: at(0) }));
  const marksUnder = () => {
    const [group] = groupNotices(layOutNotices(many), new Uint8Array(randomBytes(32)));
    return new Set(many.map((_, n) => hexOf(group!.marks.subarray(n * MARK_BYTES, (n + 1) * MARK_BYTES))));
  };
  const [one, other] = [marksUnder(), marksUnder()];
  t.notOk([...one].some((mark) => other.has(mark)));
  t.notOk(many.some(({ digest }) => one.has(hexOf(digest.subarray(0, MARK_BYTES)))));
  t.end();
});

t.test('notices: an end is a whole quarter of an hour, early by less than that and never late', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 42 }), (ms) => {
      t.equal(endStep(ms) % END_STEP_MS, 0);
      t.ok(endStep(ms) <= ms && endStep(ms) > ms - END_STEP_MS);
    }),
  );
  t.end();
});

t.test('notices: arbitrary bytes are refused by code', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => /^(seal|decode)\./.test(outcomeOf(() => openNotice(bytes, signer)))),
    { numRuns: 2_000 },
  );
  t.pass();
  t.end();
});
