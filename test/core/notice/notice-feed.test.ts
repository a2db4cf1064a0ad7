import { randomBytes } from 'node:crypto';
import t from 'tap';
import { NoticeFeed } from '../../../core/notice/notice-feed.ts';
import { END_STEP_MS, type Noticed } from '../../../protocol/notice.ts';
import { decodeNews, encodeNews, MOST_IN_PAGE, type NoticeNews } from '../../../protocol/notice-news.ts';
import type { EpochMillis } from '../../../protocol/units.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import fc from '../../support/properties.ts';
import { outcomeOf } from '../../support/wire.ts';

const SIGNAL = new AbortController().signal;
const noticed = (card: number, end: number): Noticed => {
  const digest = new Uint8Array(16);
  new DataView(digest.buffer).setUint32(0, card);
  return { digest, endsAtMs: (end * END_STEP_MS) as EpochMillis };
};
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** As a gateway keeps it. */
class Reader {
  readonly held = new Map<string, number>();
  version: string | undefined;
  pages = 0;

  async read(feed: NoticeFeed): Promise<void> {
    for (let hasMore = true; hasMore; ) {
      const news: NoticeNews = decodeNews(encodeNews(await feed.news(this.version, 0, SIGNAL)));
      if (news.isAnew) this.held.clear();
      for (const { digest, endsAtMs } of news.noticed) this.held.set(hexOf(digest), endsAtMs);
      for (const digest of news.withdrawn) this.held.delete(hexOf(digest));
      ({ hasMore } = news);
      this.version = news.version;
      this.pages += 1;
    }
  }
}

t.test('notice feed: whoever asks for what changed holds the same as whoever begins anew, however often they ask', async (t) => {
  const step = fc.uniqueArray(fc.tuple(fc.nat(30), fc.integer({ min: 1, max: 5 })), { selector: ([card]) => card, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(step, fc.boolean()), { maxLength: 8 }), async (steps) => {
      const clock = new ManualClock();
      const feed = new NoticeFeed(clock);
      const reader = new Reader();
      for (const [cards, isRead] of steps) {
        feed.set(cards.map(([card, end]) => noticed(card, end)));
        if (isRead) {
          const read = reader.read(feed);
          await clock.advance(1);
          await read;
        }
      }
      const fresh = new Reader();
      for (const one of [reader, fresh]) {
        const read = one.read(feed);
        await clock.advance(1);
        await read;
      }
      t.strictSame([...reader.held].sort(), [...fresh.held].sort());
      t.equal(feed.count, fresh.held.size);
    }),
    { numRuns: 40 },
  );
});

t.test('notice feed: many come in pages, and a version of another feed begins anew', async (t) => {
  const clock = new ManualClock();
  const feed = new NoticeFeed(clock);
  const many = Array.from({ length: MOST_IN_PAGE * 2 + 1 }, (_, card) => noticed(card, 1));
  feed.set(many);
  const reader = new Reader();
  await reader.read(feed);
  t.equal(reader.pages, 3);
  t.equal(reader.held.size, many.length);
  const other = new NoticeFeed(clock);
  other.set([noticed(1, 1)]);
  await reader.read(other);
  t.equal(reader.held.size, 1);
});

t.test('notice feed: an asker who has everything waits until something changes, until the time is over, or until they leave', async (t) => {
  const clock = new ManualClock();
  const feed = new NoticeFeed(clock);
  feed.set([noticed(1, 1)]);
  const { version } = await feed.news(undefined, 1_000, SIGNAL);
  const waiting = feed.news(version, 1_000, SIGNAL);
  t.notOk(feed.set([noticed(1, 1)]), 'the same again');
  t.ok(feed.set([]));
  t.match(await waiting, { isAnew: false, noticed: [], withdrawn: [noticed(1, 1).digest] });
  const { version: next } = await feed.news(version, 1_000, SIGNAL);
  const late = feed.news(next, 1_000, SIGNAL);
  await clock.advance(1_000);
  t.match(await late, { version: next, noticed: [], withdrawn: [] });
  const leaving = new AbortController();
  const left = feed.news(next, 1_000, leaving.signal);
  leaving.abort();
  t.match(await left, { version: next });
  t.equal(clock.pending, 0);
});

t.test('notice news: what is no news is refused by code', async (t) => {
  const good = JSON.parse(
    encodeNews({ version: `${'0'.repeat(16)}-1`, isAnew: true, hasMore: false, noticed: [noticed(1, 1)], withdrawn: [] }),
  );
  const wrong: object[] = [
    { ...good, version: '1' },
    { ...good, noticed: randomBytes(21).toString('base64') },
    { ...good, noticed: Buffer.from([...new Uint8Array(21), 1]).toString('base64') },
    { ...good, withdrawn: randomBytes(15).toString('base64') },
    { ...good, noticed: randomBytes(22 * (MOST_IN_PAGE + 1)).toString('base64') },
    { ...good, more: 1 },
  ];
  t.equal(
    outcomeOf(() => decodeNews(JSON.stringify(good))),
    'nothing thrown',
  );
  for (const one of [...wrong.map((value) => JSON.stringify(value)), '', '[]'])
    t.equal(
      outcomeOf(() => decodeNews(one)),
      'decode.malformed',
    );
});
