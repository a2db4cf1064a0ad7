/** What a kiosk may make the gateway remember: epochs, content keys and gaps do not grow without bound. */
import { randomBytes } from 'node:crypto';
import t from 'tap';
import { DAY_MS } from '../../gateway/ledger.ts';
import { pruneSome } from '../../gateway/prune.ts';
import { missingOf } from '../../gateway/spans.ts';
import { pruneHourly } from '../../gateway/upkeep.ts';
import type { Epoch } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { openTestIngest } from '../support/test-ingest.ts';
import { checkIn } from '../support/test-kiosk.ts';

const newEpoch = (): Epoch => new Uint8Array(randomBytes(8)) as Epoch;

t.test('epochs: a kiosk has 256 of them, what is of one more is set aside, and its own goes on', async (t) => {
  const { db, kiosk, take, rows, reasons } = await openTestIngest(t);
  const first = await kiosk.start();
  await take(first.batch([first.seal(checkIn())]));
  for (let i = 1; i < 260; i++) {
    kiosk.epoch = newEpoch();
    const start = await kiosk.start();
    t.equal(await take(start.batch([start.seal(checkIn(), 1)])), 'acknowledge');
  }
  t.equal(rows(), 256);
  t.strictSame(reasons(), { 'ingest.too_many_epochs': 4 });
  await take(first.batch([first.seal(checkIn())]));
  t.equal(rows(), 257);
  t.equal(db.prepare('SELECT count(*) FROM epochs').pluck().get(), 256);
});

t.test('epochs: those of which nothing is remembered are forgotten with their keys, but for the newest', async (t) => {
  const { db, ledger, kiosk, take, clock } = await openTestIngest(t);
  for (let i = 0; i < 5; i++) {
    kiosk.epoch = newEpoch();
    const start = await kiosk.start();
    await take(start.batch([start.seal(checkIn(), 1), start.seal(checkIn(), 3)]));
  }
  const count = (table: 'epochs' | 'content_keys' | 'spans') => db.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
  t.strictSame([count('epochs'), count('content_keys'), count('spans')], [5, 5, 10]);
  const prune = (days: number) => {
    for (let i = 0; i < 20; i++) pruneSome(db, ledger, 21, (clock.wall() + days * DAY_MS) as EpochMillis);
  };
  prune(59);
  t.equal(count('epochs'), 5);
  prune(62);
  t.strictSame([count('epochs'), count('content_keys'), count('spans')], [1, 0, 2]);
  t.equal(missingOf(db, kiosk.kiosk), 1, 'what the newest lacks is still known');
  const start = await kiosk.start();
  await take(start.batch([start.seal(checkIn(), 2)]));
  t.equal(missingOf(db, kiosk.kiosk), 0);
});

t.test('seen: all that is past is forgotten within the hour, also behind lines that are still written to', async (t) => {
  const { db, ledger, clock, log } = await openTestIngest(t);
  const today = Math.floor(clock.wall() / DAY_MS);
  const insert = db.prepare('INSERT INTO seen_windows (epoch_no, window, key_no, day, entries) VALUES (?, ?, 1, ?, zeroblob(13))');
  db.transact(() => {
    for (let window = 0; window < 600; window++) insert.run(1, window, today);
    for (let window = 0; window < 1_200; window++) insert.run(2, window, today - 61);
  });
  const stopping = new AbortController();
  const pruning = pruneHourly(
    () => pruneSome(db, ledger, 21, clock.wall()),
    async () => {},
    clock,
    log,
    stopping.signal,
  );
  await clock.advance(60_000);
  t.strictSame(db.prepare('SELECT epoch_no, count(*) AS n FROM seen_windows GROUP BY epoch_no').all(), [{ epoch_no: 1, n: 600 }]);
  t.strictSame(log.of('ledger.pruned'), [], 'what is forgotten so is no entry');
  stopping.abort();
  await pruning;
});

t.test('gaps: past a thousand of one epoch the oldest are counted and not kept', async (t) => {
  const { db, kiosk, take } = await openTestIngest(t);
  const start = await kiosk.start();
  for (let i = 0; i < 40; i++) await take(start.batch(Array.from({ length: 64 }, (_, n) => start.seal(checkIn(), 2 * (i * 64 + n) + 1))));
  t.equal(db.prepare('SELECT count(*) FROM spans').pluck().get(), 1_000);
  t.equal(missingOf(db, kiosk.kiosk), 40 * 64 - 1);
  await take(start.batch([start.seal(checkIn(), 2 * 40 * 64 - 2)]));
  t.equal(missingOf(db, kiosk.kiosk), 40 * 64 - 2, 'a late one in a gap that is kept');
});
