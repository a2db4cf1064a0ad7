/** Since when a core is not heard: by the first failure, whatever follows, until it is heard again. */
import t from 'tap';
import { Ear } from '../../../gateway/notice/ear.ts';
import { readErrorWords } from '../../../gateway/web/error-words.ts';
import { noticesOf, noticeTroubles } from '../../../gateway/web/notice-words.ts';
import { SinkError } from '../../../protocol/errors.ts';
import { LogRecorder } from '../../support/log-recorder.ts';
import { ManualClock } from '../../support/manual-clock.ts';

t.test('ear: since when a core is not heard is when it failed first, ends when it is heard, and begins anew', async (t) => {
  const clock = new ManualClock();
  let failing: ConstructorParameters<typeof SinkError>[0] | undefined;
  const ear = new Ear<{ readonly digest: Uint8Array }>({
    ...{ name: 'far', subject: 'notices', clock, log: new LogRecorder() },
    ask: async (_after, waitMs, signal) => {
      if (failing !== undefined) throw new SinkError(failing, 'far: away');
      await clock.sleep(waitMs, signal);
      return { version: '0123456789abcdef-1', isAnew: false, hasMore: false, noticed: [], withdrawn: [] };
    },
    keep: (item) => item,
    stands: () => true,
    onNews: () => {},
  });
  const stopping = new AbortController();
  const running = ear.run(stopping.signal);
  await clock.advance(25_000);
  t.strictSame([ear.code, ear.failedAtMs], [undefined, undefined]);
  failing = 'sink.not_reached';
  await clock.advance(20_000);
  const sinceMs = ear.failedAtMs;
  t.ok(sinceMs !== undefined && clock.wall() - sinceMs <= 20_000);
  failing = 'sink.not_admitted';
  await clock.advance(600_000);
  t.strictSame([ear.code, ear.failedAtMs], ['sink.not_admitted', sinceMs], 'another reason is the same silence');
  failing = undefined;
  await clock.advance(60_000);
  t.strictSame([ear.code, ear.failedAtMs], [undefined, undefined]);
  failing = 'sink.lost';
  await clock.advance(30_000);
  t.ok((ear.failedAtMs ?? 0) > (sinceMs ?? 0) + 600_000);
  stopping.abort();
  await running;
});

for (const hasMore of [false, true])
  t.test(`ear: what answers at once and says nothing, hasMore ${hasMore}, is not asked without end`, async (t) => {
    const clock = new ManualClock();
    const stopping = new AbortController();
    let asked = 0;
    const ear = new Ear<{ readonly digest: Uint8Array }>({
      ...{ name: 'far', subject: 'notices', clock, log: new LogRecorder() },
      ask: async () => {
        asked += 1;
        if (asked === 1_000) stopping.abort();
        return { version: '0123456789abcdef-1', isAnew: true, hasMore, noticed: [], withdrawn: [] };
      },
      keep: (item) => item,
      stands: () => true,
      onNews: () => {},
    });
    const running = ear.run(stopping.signal);
    await clock.advance(60_000);
    t.ok(asked > 60 && asked < 130, `${asked} in a minute`);
    stopping.abort();
    await running;
  });

t.test('ear: a core that is away for a quarter of an hour is worth a look, for an hour somebody has to act', async (t) => {
  const words = readErrorWords();
  const summary = {
    cards: 3,
    leftOut: 0,
    kiosks: 2,
    told: 1,
    unheard: { far: 'sink.not_reached' as const },
    unheardSinceMs: { far: 1_000 as never },
  };
  const notices = noticesOf(summary as never, words);
  const toneAfter = (ms: number) => noticeTroubles(notices, 1_000 + ms).map(({ tone, sinceMs, code }) => [tone, sinceMs, code]);
  t.strictSame(toneAfter(14 * 60_000), []);
  t.strictSame(toneAfter(15 * 60_000), [['look', 1_000, 'sink.not_reached']]);
  t.strictSame(toneAfter(60 * 60_000), [['act', 1_000, 'sink.not_reached']]);
});
