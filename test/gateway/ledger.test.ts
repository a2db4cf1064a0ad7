import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';
import { openDatabase } from '../../gateway/database.ts';
import { DAY_MS, openLedgerFile } from '../../gateway/ledger.ts';
import { pruneSome } from '../../gateway/prune.ts';
import { SpanTails } from '../../gateway/spans.ts';
import { gatewayStatus } from '../../gateway/status.ts';
import fc from '../support/properties.ts';
import { startTestGateway } from '../support/test-gateway.ts';
import { openTestIngest, STORE_KEY } from '../support/test-ingest.ts';
import { checkIn, temperature } from '../support/test-kiosk.ts';

t.test('ledger: every commit is synced, on each open', async (t) => {
  const { db, path } = await openTestIngest(t);
  for (const open of [db, openLedgerFile(path, STORE_KEY), openLedgerFile(path, STORE_KEY)]) {
    open.prepare("INSERT INTO sinks (name, position) VALUES ('x', 0) ON CONFLICT DO UPDATE SET position = position + 1").run();
    t.equal(open.pragma('synchronous'), 2, 'FULL');
    t.equal(open.pragma('journal_mode'), 'wal');
    t.equal(open.pragma('secure_delete'), 1, 'free pages too');
  }
});

t.test('ledger: a cursor is kept without a sync, and what comes after it is synced again, also when it could not be kept', async (t) => {
  const { db, ledger } = await openTestIngest(t);
  ledger.setCursor('core', 7);
  t.equal(ledger.cursorOf('core'), 7);
  t.equal(db.pragma('synchronous'), 2);
  db.pragma('query_only = ON');
  t.throws(() => ledger.setCursor('core', 8), { code: 'store.read_only' });
  t.equal(db.pragma('synchronous'), 2);
  db.pragma('query_only = OFF');
  t.equal(ledger.cursorOf('core'), 7);
});

t.test('ledger: reads as noise without its key, and says so by code', async (t) => {
  const { path, take, kiosk } = await openTestIngest(t);
  const start = await kiosk.start();
  await take(start.batch([start.seal(checkIn())]));
  const files = [path, `${path}-wal`].map((file) => readFileSync(file, 'latin1'));
  for (const file of files) {
    t.notOk(file.includes('SQLite format 3'));
    t.notOk(file.includes(kiosk.kiosk), 'not even which kiosk');
  }
  t.throws(() => openLedgerFile(path, new Uint8Array(32)), { code: 'store.wrong_key' });
});

t.test('ledger: a file of a later release, a cut one and one that is none are refused by code', async (t) => {
  const { db, path } = await openTestIngest(t);
  db.pragma('wal_checkpoint(TRUNCATE)');
  t.throws(() => openDatabase({ path, key: STORE_KEY, steps: [] }), { code: 'store.newer' });
  const copy = join(dirname(path), 'copy.db');
  const bytes = readFileSync(path);
  writeFileSync(copy, bytes);
  truncateSync(copy, bytes.length - 4_096);
  t.throws(
    () => {
      const cut = openLedgerFile(copy, STORE_KEY);
      cut.prepare('SELECT * FROM flags').all();
      cut.close();
    },
    { code: /store\.(corrupt|wrong_key)|SQLITE_CORRUPT/ },
  );
  writeFileSync(copy, bytes.fill(7, 100, 200));
  t.throws(() => openLedgerFile(copy, STORE_KEY), { code: /store\.(corrupt|wrong_key)/ });
});

t.test('ledger: an altered byte on disk is found, not read', async (t) => {
  const { db, path, take, kiosk } = await openTestIngest(t);
  const start = await kiosk.start();
  for (let i = 0; i < 30; i++) await take(start.batch([start.seal(checkIn())]));
  db.pragma('wal_checkpoint(TRUNCATE)');
  db.close();
  const bytes = readFileSync(path);
  const at = Math.floor(bytes.length / 4_096 / 2) * 4_096 + 2_000;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  const altered = openLedgerFile(path, STORE_KEY);
  t.throws(() => {
    for (const table of ['rows', 'seen', 'batches', 'entries', 'key_records', 'spans', 'quarantine', 'flags', 'readings', 'content_keys'])
      altered.prepare(`SELECT * FROM ${table}`).all();
    altered.prepare('PRAGMA integrity_check').all();
  }, Database.SqliteError);
  altered.close();
});

t.test(
  'ledger: what is past retention is forgotten, counted against sinks behind, and still a duplicate when it comes again',
  async (t) => {
    const { db, ledger, take, kiosk, clock, count, rows, entries, seen } = await openTestIngest(t);
    ledger.addSink('core');
    const start = await kiosk.start();
    const first = start.seal(checkIn());
    const message = start.batch([first]);
    await take(message);
    await take(Uint8Array.of(1));
    await take(start.batch([start.seal(temperature(new Uint8Array(16) as never, start.ref(first), 1, 39))]));
    ledger.setCursor('core', 1);
    await clock.advance(20 * DAY_MS);
    const young = start.batch([start.seal(checkIn())]);
    await take(young);
    t.match(pruneSome(db, ledger, 21, clock.wall()), { entries: 0, quarantined: 0, untaken: 0 });
    await clock.advance(2 * DAY_MS);
    t.match(pruneSome(db, ledger, 21, clock.wall()), { entries: 2, quarantined: 1, untaken: 1 });
    t.equal(rows(), 1);
    t.equal(count('readings'), 0);
    t.equal(seen(), 3, 'the memory outlives the rows');
    t.equal(ledger.droppedOf('core'), 1);
    t.equal(await take(message), 'acknowledge');
    t.equal(rows(), 1, 'not counted again');

    await clock.advance(21 * DAY_MS);
    pruneSome(db, ledger, 21, clock.wall());
    t.equal(entries(), 0);
    await take(start.batch([start.seal(checkIn())]));
    t.equal(ledger.entriesAfter(0, 10, 1_000_000)[0]?.position, 4, 'positions do not start again');
    await clock.advance(61 * DAY_MS);
    pruneSome(db, ledger, 21, clock.wall());
    pruneSome(db, ledger, 21, clock.wall());
    t.equal(seen(), 0, 'in the end the memory goes too');
    t.equal(db.prepare('SELECT last_seq FROM spans').pluck().get(), 4, 'but not the count');
  },
);

t.test('ledger: flags go with retention, not with their own end', async (t) => {
  const { db, ledger, take, kiosk, clock, count, triage } = await openTestIngest(t);
  const start = await kiosk.start();
  const scan = start.seal(checkIn());
  await take(start.batch([scan, start.seal(temperature(new Uint8Array(16) as never, start.ref(scan), 1, 39))]));
  await clock.advance(60_000);
  t.match(triage.sweep(clock.wall(), 10), [{ state: 'unconfirmed' }]);
  await clock.advance(20 * DAY_MS);
  pruneSome(db, ledger, 21, clock.wall());
  t.equal(count('flags'), 1);
  await clock.advance(2 * DAY_MS);
  pruneSome(db, ledger, 21, clock.wall());
  t.equal(count('flags'), 0);
});

t.test('ledger: entries are read in bounded pieces, none left out', async (t) => {
  const { ledger, take, kiosk } = await openTestIngest(t);
  const start = await kiosk.start();
  for (let i = 0; i < 9; i++) await take(start.batch([start.seal(checkIn()), start.seal(checkIn())]));
  const positions: number[] = [];
  for (let at = 0; ; at = positions.at(-1) ?? 0) {
    const entries = ledger.entriesAfter(at, 4, 500);
    if (entries.length === 0) break;
    t.ok(entries.length <= 4);
    positions.push(...entries.map(({ position }) => position));
  }
  t.strictSame(positions, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  t.equal(ledger.entriesAfter(0, 4, 1).length, 1, 'one is given however long');
  t.equal(ledger.countAfter(5), 4);
});

t.test('spans: any order of arrival leaves the ranges that came', async (t) => {
  const { db } = await openTestIngest(t);
  let epochNo = 0;
  fc.assert(
    fc.property(fc.array(fc.uniqueArray(fc.integer({ min: 1, max: 40 }))), (batches) => {
      epochNo += 1;
      const seqs = batches.flat();
      const tails = new SpanTails(db);
      for (const [index, batch] of batches.entries()) {
        tails.add(
          epochNo,
          batch.toSorted((a, b) => a - b),
        );
        if (index % 3 === 0) tails.flush();
        if (index % 6 === 0) tails.forget();
      }
      tails.flush();
      const spans = db.prepare('SELECT first_seq, last_seq FROM spans WHERE epoch_no = ? ORDER BY first_seq').all(epochNo) as {
        first_seq: number;
        last_seq: number;
      }[];
      const covered = spans.flatMap(({ first_seq, last_seq }) => Array.from({ length: last_seq - first_seq + 1 }, (_, i) => first_seq + i));
      const apart = spans.every((span, i) => i === 0 || span.first_seq > (spans[i - 1]?.last_seq ?? 0) + 1);
      return apart && JSON.stringify(covered) === JSON.stringify([...new Set(seqs)].sort((a, b) => a - b));
    }),
  );
});

t.test('gateway: two on one directory are one too many', async (t) => {
  const gateway = await startTestGateway(t);
  t.equal((await gatewayStatus(gateway.directory)).isRunning, true);
  await t.rejects(startTestGateway(t, { after: gateway }), { code: 'config.locked' });
  await gateway.stop();
  t.equal((await gatewayStatus(gateway.directory)).isRunning, false);
  const again = await startTestGateway(t, { after: gateway });
  t.ok(again.running.tlsPort > 0);
});

t.test('gateway: a port that is taken is a fault of the config, and leaves nothing open', async (t) => {
  const gateway = await startTestGateway(t);
  const port = gateway.running.tlsPort;
  await t.rejects(startTestGateway(t, { config: { directory: `${gateway.directory}-other`, tls: { host: '127.0.0.1', port } } }), {
    code: 'config.invalid',
  });
});
