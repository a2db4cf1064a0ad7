import t from 'tap';
import { HttpNotices } from '../../../gateway/notice/http-notices.ts';
import { sinksSchema } from '../../../gateway/sinks/sink-config.ts';
import { codeOf } from '../../../protocol/errors.ts';
import { noticeDigestOf } from '../../../protocol/notice.ts';
import { systemClock } from '../../../protocol/time.ts';
import { DEPLOYMENT, HOUR, KioskStub, MINUTE, newCard } from '../../core/kiosk-stub.ts';
import { FarCore, type HttpSinkInput } from '../../support/far-core.ts';

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

t.test('notices over HTTPS: a core on another machine tells at once what changed, and nobody who is not let in', async (t) => {
  const far = await FarCore.open(t.testdir(), DEPLOYMENT, systemClock);
  t.teardown(() => far.close());
  const stopping = new AbortController();
  t.teardown(() => stopping.abort());
  const notices = (more: Partial<HttpSinkInput> = {}) => {
    const [sink] = sinksSchema.parse([far.sink(more)]);
    if (sink?.kind !== 'http') throw new Error('no such sink');
    return new HttpNotices(sink, systemClock, stopping.signal);
  };
  const source = notices();
  const none = await source.noticeNews(undefined, 0, stopping.signal);
  t.match(none, { isAnew: true, hasMore: false, noticed: [] });

  const kiosk = new KioskStub(far.keys, { dwellMs: 2 * HOUR });
  const [sick, met] = [newCard(), newCard()];
  const nowMs = systemClock.wall();
  const checkIn = (card: typeof sick, atMs: number) => ({
    happening: { type: 'check-in', card, groupSize: 1, isSigned: true } as const,
    atMs,
  });
  await far.core.accept([await kiosk.batch([checkIn(sick, nowMs - HOUR), checkIn(met, nowMs - 50 * MINUTE)], nowMs)]);
  const waiting = source.noticeNews(none.version, 0, stopping.signal);
  const sinceMs = performance.now();
  far.core.cases.raise({ card: sick, state: 'confirmed', source: 'officer', by: 'officer', key: 'one' });
  const news = await waiting;
  const tookMs = performance.now() - sinceMs;
  t.ok(tookMs < 2_000, `${Math.round(tookMs)} ms`);
  t.notOk(news.isAnew);
  t.strictSame(
    news.noticed.map(({ digest }) => hexOf(digest)),
    [hexOf(noticeDigestOf(met))],
  );

  await far.restore('another');
  t.match(await source.noticeNews(news.version, 0, stopping.signal), { isAnew: true, noticed: [] }, 'another core begins anew');
  const wrong = await notices({ pin: Buffer.alloc(32).toString('base64url') })
    .noticeNews(undefined, 0, stopping.signal)
    .then(() => undefined, codeOf);
  t.equal(wrong, 'sink.not_trusted');
});
