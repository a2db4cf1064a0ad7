import { getEventListeners } from 'node:events';
import t from 'tap';
import { generateRecipient } from '../../protocol/hpke.ts';
import type { KioskId } from '../../protocol/ids.ts';
import { openTestIngest } from '../support/test-ingest.ts';
import { checkIn } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';
import { bitFlipsOf, prefixesOf } from '../support/wire.ts';

t.test('ingest: a batch altered in any single bit is quarantined under a name, and the whole one still counts', async (t) => {
  const { take, count, reasons, kiosk, log, rows } = await openTestIngest(t);
  const start = await kiosk.start();
  const message = start.batch([start.seal(checkIn()), start.seal(checkIn())]);
  const flips = [...bitFlipsOf(message)];
  const answers = await Promise.all(flips.map(({ flipped }) => take(flipped)));
  t.strictSame(new Set(answers), new Set(['acknowledge']));
  t.equal(count('quarantine'), flips.length, 'each kept');
  t.equal(rows(), 0);
  for (const reason of Object.keys(reasons())) t.match(reason, /^(decode|seal)\.[a-z_]+$/);
  t.equal(log.of('ingest.internal').length, 0);
  t.equal(await take(message), 'acknowledge');
  t.equal(rows(), 2);
});

t.test('ingest: every beginning of a batch is quarantined as what it is', async (t) => {
  const { take, reasons, kiosk, rows } = await openTestIngest(t);
  const start = await kiosk.start();
  const message = start.batch([start.seal(checkIn())]);
  for (const prefix of prefixesOf(message)) await take(prefix);
  t.strictSame(reasons(), { 'decode.truncated': message.length });
  t.equal(rows(), 0);
});

t.test('ingest: rows under one identity with another digest are kept aside, each once, and the kiosk is told apart', async (t) => {
  const { take, reasons, kiosk, decided, rows } = await openTestIngest(t);
  const start = await kiosk.start();
  const [one, two] = [start.seal(checkIn(), 1), start.seal(checkIn(), 1)];
  await take(start.batch([one]));
  await take(start.batch([two]));
  await take(start.batch([two]));
  t.equal(rows(), 1);
  t.strictSame(reasons(), { 'ingest.conflict': 1 });
  t.match(decided.at(-1)?.decision, { kind: 'taken', taken: [], ranges: [{ from: 1, to: 1, outcome: 'conflict' }] });
});

t.test('ingest: a key id that comes back with another epoch is a conflict', async (t) => {
  const { take, reasons, kiosk, rows } = await openTestIngest(t);
  const start = await kiosk.start();
  await take(start.batch([start.seal(checkIn())]));
  kiosk.epoch = new Uint8Array(8) as typeof kiosk.epoch;
  const moved = await kiosk.start(undefined, undefined, start.keyId);
  t.equal(await take(moved.batch([moved.seal(checkIn())])), 'acknowledge');
  t.equal(rows(), 1);
  t.strictSame(reasons(), { 'ingest.conflict': 1 });
});

t.test('ingest: all that one turn brings is one commit', async (t) => {
  const { take, kiosk, decided, ledger, rows } = await openTestIngest(t);
  const start = await kiosk.start();
  await take(start.batch([start.seal(checkIn())]));
  let commits = 0;
  const transact = ledger.transact.bind(ledger);
  let depth = 0;
  ledger.transact = (work) => {
    if (depth === 0) commits += 1;
    depth += 1;
    try {
      return transact(work);
    } finally {
      depth -= 1;
    }
  };
  await Promise.all(Array.from({ length: 50 }, () => take(start.batch([start.seal(checkIn())]))));
  t.equal(commits, 1);
  t.equal(rows(), 51);
  t.equal(decided.length, 51);
});

t.test('ingest: a full disk withholds everything, keeps what it had, and lets all in when there is room', async (t) => {
  const { take, kiosk, db, withheld, clock, log, rows } = await openTestIngest(t);
  const start = await kiosk.start();
  await take(start.batch([start.seal(checkIn())]));
  const pages = Number(db.pragma('page_count'));
  db.pragma(`max_page_count = ${pages}`);
  const answers: string[] = [];
  const many = Array.from({ length: 40 }, () => start.batch(Array.from({ length: 20 }, () => start.seal(checkIn()))));
  const sent = many.map((message) => take(message).then((answer) => answers.push(answer)));
  await until(() => log.of('ingest.failed').length > 0);
  t.match(log.of('ingest.failed'), [{ fields: { code: 'store.disk_full' } }]);
  await clock.advance(100_000);
  t.strictSame(answers, []);
  t.equal(rows(), 1);
  t.ok(withheld.includes('store.disk_full'));
  db.pragma('max_page_count = 1000000');
  await clock.advance(30_000);
  await Promise.all(sent);
  t.equal(rows(), 801);
  t.equal(answers.filter((answer) => answer === 'acknowledge').length, 40);
  t.equal(withheld.at(-1), undefined);
});

t.test('ingest: what is withheld keeps the time of its first arrival', async (t) => {
  const { take, kiosk, db, clock, log, decided } = await openTestIngest(t);
  const start = await kiosk.start();
  const arrivedAtMs = clock.wall();
  db.pragma('query_only = ON');
  const sent = take(start.batch([start.seal(checkIn())]));
  await until(() => log.of('ingest.failed').length > 0);
  t.match(log.of('ingest.failed'), [{ fields: { code: 'store.read_only' } }]);
  await clock.advance(3_600_000);
  db.pragma('query_only = OFF');
  await clock.advance(30_000);
  t.equal(await sent, 'acknowledge');
  t.match(decided, [{ decision: { receivedAtMs: arrivedAtMs } }]);
});

t.test('ingest: a kiosk that is held back for another reason makes nobody wait longer for the disk', async (t) => {
  const { take, kiosk, db, withheld, clock, rows } = await openTestIngest(t);
  // As a kiosk that has an old trust document: sealed to nobody here, and tried again for a long time.
  const stranger = await kiosk.start([(await generateRecipient()).recipient]);
  const closing = new AbortController();
  const held = take(stranger.batch([stranger.seal(checkIn())]), closing.signal);
  await until(() => withheld.includes('seal.unknown_recipient'));
  await clock.advance(245_000);
  const start = await kiosk.start();
  await take(start.batch([start.seal(checkIn())]));
  db.pragma('query_only = ON');
  const sent = take(start.batch([start.seal(checkIn())]));
  await until(() => withheld.includes('store.read_only'));
  db.pragma('query_only = OFF');
  await clock.advance(1_000);
  t.equal(await Promise.race([sent, clock.advance(5_000).then(() => 'waits')]), 'acknowledge');
  t.equal(rows(), 2);
  closing.abort();
  t.equal(await held, 'dropped');
});

t.test('ingest: what is held for a connection goes with it', async (t) => {
  const { take, kiosk, db, clock, log, rows } = await openTestIngest(t);
  const start = await kiosk.start();
  db.pragma('query_only = ON');
  const connection = new AbortController();
  const sent = take(start.batch([start.seal(checkIn())]), connection.signal);
  await until(() => log.of('ingest.failed').length > 0);
  connection.abort();
  t.equal(await sent, 'dropped');
  db.pragma('query_only = OFF');
  await clock.advance(60_000);
  t.equal(rows(), 0);
});

t.test('ingest: a connection that lives long holds nothing of the batches that were answered', async (t) => {
  const { take, kiosk } = await openTestIngest(t);
  const { signal } = new AbortController();
  const start = await kiosk.start();
  for (let sent = 0; sent < 3; sent++) t.equal(await take(start.batch([start.seal(checkIn())]), signal), 'acknowledge');
  t.equal(await take(Uint8Array.of(1), signal), 'acknowledge');
  t.strictSame(getEventListeners(signal, 'abort'), []);
});

t.test('ingest: a bug met on one batch puts that batch aside and no other', async (t) => {
  const { take, kiosk, reasons, log, triage, rows, seen } = await openTestIngest(t);
  const start = await kiosk.start();
  const readingsOf = triage.readingsOf.bind(triage);
  triage.readingsOf = (...call) => {
    if (call[2].some(({ seq }) => seq === 2)) throw new TypeError('a bug that quotes deadbeef');
    return readingsOf(...call);
  };
  const messages = [1, 2, 3].map(() => start.batch([start.seal(checkIn())]));
  t.strictSame(await Promise.all(messages.map((message) => take(message))), ['acknowledge', 'acknowledge', 'acknowledge']);
  t.equal(rows(), 2);
  t.strictSame(reasons(), { 'ingest.internal': 1 });
  t.match(log.of('ingest.internal'), [{ level: 'error', fields: { bug: 'TypeError', at: /ingest\.test\.ts:\d+/ } }]);
  t.notMatch(log.text, 'deadbeef');
  t.equal(seen(), 2, 'nothing of it was remembered as taken');
});

t.test('ingest: a full quarantine refuses what is wrong and still takes what is right', async (t) => {
  const { take, kiosk, count, cutOff, rows } = await openTestIngest(t, { mostItems: 1, mostBytes: 2 ** 20 });
  const start = await kiosk.start();
  const [one, other] = [start.seal(checkIn(), 1), start.seal(checkIn(), 1)];
  await take(start.batch([one]));
  await take(Uint8Array.of(1));
  const mixed = start.batch([other, start.seal(checkIn(), 2)]);
  const good = start.batch([start.seal(checkIn(), 3)]);
  t.strictSame(await Promise.all([take(mixed), take(Uint8Array.of(2)), take(good)]), ['cut-off', 'cut-off', 'acknowledge']);
  t.equal(rows(), 2, 'of the mixed one nothing was kept');
  t.equal(count('quarantine'), 1);
  t.strictSame(cutOff, ['ingest.quarantine_full', 'ingest.quarantine_full']);
  t.equal(await take(Uint8Array.of(1)), 'acknowledge', 'what is there already needs no room');
});

t.test('ingest: quarantine is bounded in bytes too', async (t) => {
  const { take, count } = await openTestIngest(t, { mostItems: 1_000, mostBytes: 100 });
  t.equal(await take(new Uint8Array(60).fill(1)), 'acknowledge');
  t.equal(await take(new Uint8Array(60).fill(2)), 'cut-off');
  t.equal(count('quarantine'), 1);
});

t.test('ingest: an unknown kiosk is not acknowledged', async (t) => {
  const { ingest, cutOff } = await openTestIngest(t);
  t.equal(await ingest.take('0000000000000000' as KioskId, Uint8Array.of(1), new AbortController().signal), 'cut-off');
  t.strictSame(cutOff, ['admission.unknown_kiosk']);
});

t.test('ingest: closing commits what is on its way and takes no more', async (t) => {
  const { take, ingest, kiosk, rows } = await openTestIngest(t);
  const start = await kiosk.start();
  const sent = [1, 2, 3].map(() => take(start.batch([start.seal(checkIn())])));
  await ingest.close();
  t.strictSame(await Promise.all(sent), ['acknowledge', 'acknowledge', 'acknowledge']);
  t.equal(rows(), 3);
  t.equal(await take(start.batch([start.seal(checkIn())])), 'dropped');
});
