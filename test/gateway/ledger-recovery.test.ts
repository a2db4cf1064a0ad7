/** What the ledger makes again: after a crash between entries and index, a lost index, a file of an earlier layout. */
import { copyFileSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { openDatabase } from '../../gateway/database.ts';
import { DAY_MS, Ledger, openLedgerFile } from '../../gateway/ledger.ts';
import { LEDGER_STEPS } from '../../gateway/ledger-schema.ts';
import { pruneSome } from '../../gateway/prune.ts';
import { SeenRows } from '../../gateway/seen.ts';
import { StoreError } from '../../protocol/errors.ts';
import type { Epoch, KeyId, KioskId, Seq } from '../../protocol/ids.ts';
import { digestTextOf } from '../../protocol/row.ts';
import fc from '../support/properties.ts';
import { openTestIngest, STORE_KEY, type TestIngest } from '../support/test-ingest.ts';
import { checkIn, newCard, temperature } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';

const directoryOf = ({ path }: TestIngest): string => join(dirname(path), 'ledger');

/** What of the index is made of entries. */
const indexOf = (db: TestIngest['db']) => ({
  seen: db.prepare('SELECT epoch_no, window, key_no, entries FROM seen_windows ORDER BY 1, 2, 3').all(),
  spans: db.prepare('SELECT * FROM spans ORDER BY 1, 2').all(),
  epochs: db.prepare('SELECT * FROM epochs').all(),
  flags: db.prepare('SELECT * FROM flags').all(),
  readings: db.prepare('SELECT * FROM readings ORDER BY seq').all(),
});

t.test('ledger: an index that lacks entries is made again of them, flags, clones and all, and nothing counts twice', async (t) => {
  const road = await openTestIngest(t);
  const { take, kiosk, db, ledger, path, clock, triage } = road;
  const start = await kiosk.start();
  const scan = start.seal(checkIn());
  await take(start.batch([scan]));
  db.pragma('wal_checkpoint(TRUNCATE)');
  copyFileSync(path, join(dirname(path), 'older.db'));

  const messages = [
    start.batch([start.seal(checkIn()), start.seal(checkIn()), start.seal(temperature(newCard(), start.ref(scan), 1, 39))]),
    start.batch([start.seal(checkIn(), 400), start.seal(checkIn(), 401)]),
  ];
  for (const message of messages) await take(message);
  kiosk.rewind(2);
  const restored = await kiosk.start();
  messages.push(restored.batch([restored.seal(checkIn()), restored.seal(checkIn())]));
  await take(messages[2]!);
  const wanted = indexOf(db);
  t.match(wanted, { epochs: [{ cloned_count: 2 }], flags: [{ state: 'pending' }] });

  const older = openLedgerFile(join(dirname(path), 'older.db'), STORE_KEY);
  t.teardown(() => older.close());
  ledger.close();
  const again = new Ledger(older, directoryOf(road), STORE_KEY, clock);
  t.teardown(() => again.close());
  again.recover((readings, receivedAtMs) => {
    // The triage of this test writes to the newer index: what matters here is what it is given.
    t.match(readings, readings.length === 0 ? [] : [{ seq: 4, high: { subject: /^[0-9a-f]{16}$/ } }]);
    t.equal(receivedAtMs, clock.wall());
  });
  t.strictSame({ ...indexOf(older), flags: [], readings: [] }, { ...wanted, flags: [], readings: [] });
  t.equal(again.lastPosition, 4);
  t.equal(again.countAfter(0), 4);
  t.equal(triage.sweep(clock.wall(), 10).length, 0);
});

t.test('ledger: flags are made again of the readings beside the rows, and are not told twice', async (t) => {
  const road = await openTestIngest(t);
  const { take, kiosk, db, ledger, triage, entries } = road;
  const start = await kiosk.start();
  const scan = start.seal(checkIn());
  const card = newCard();
  await take(start.batch([scan]));
  await take(start.batch([start.seal(temperature(card, start.ref(scan), 1, 39)), start.seal(temperature(card, start.ref(scan), 2, 39))]));
  t.equal(entries(), 3, 'two batches, and the flag');
  const { flags, readings } = indexOf(db);
  db.prepare('DELETE FROM flags').run();
  db.prepare('DELETE FROM readings').run();
  db.prepare('UPDATE applied SET position = 1').run();
  ledger.recover((noted, receivedAtMs) => triage.take(noted, receivedAtMs));
  t.strictSame(indexOf(db).flags, flags);
  t.strictSame(indexOf(db).readings, readings);
  t.equal(entries(), 3);
});

t.test('ledger: an index lost whole is made again of the files beside it', async (t) => {
  const road = await openTestIngest(t);
  const { take, kiosk, ledger, path, clock } = road;
  const start = await kiosk.start();
  const message = start.batch([start.seal(checkIn()), start.seal(checkIn())]);
  await take(message);
  await clock.advance(DAY_MS);
  await take(start.batch([start.seal(checkIn())]));
  t.equal(readdirSync(directoryOf(road)).filter((name) => name.endsWith('.db')).length, 2);
  ledger.close();
  const fresh = openLedgerFile(join(dirname(path), 'fresh.db'), STORE_KEY);
  t.teardown(() => fresh.close());
  const again = new Ledger(fresh, directoryOf(road), STORE_KEY, clock);
  t.teardown(() => again.close());
  again.recover(() => {});
  t.equal(again.countAfter(0), 2);
  t.equal(fresh.prepare('SELECT last_seq FROM spans').pluck().get(), 3);
  t.equal(again.entriesAfter(0, 10, 1e6).length, 2);
});

t.test('ledger: entries that were kept when the index could not be committed are no longer new when they come again', async (t) => {
  const { take, kiosk, db, clock, log, rows, seen } = await openTestIngest(t);
  const start = await kiosk.start();
  await take(start.batch([start.seal(checkIn())]));
  const commit = db.commit.bind(db);
  db.commit = () => {
    db.commit = commit;
    throw new StoreError('store.disk_full', 'index: made to fail');
  };
  const sent = take(start.batch([start.seal(checkIn()), start.seal(checkIn())]));
  await until(() => log.of('ingest.failed').length > 0);
  t.equal(rows(), 3, 'kept');
  t.equal(seen(), 1, 'and not noted');
  await clock.advance(30_000);
  t.equal(await sent, 'acknowledge');
  t.equal(rows(), 3);
  t.equal(seen(), 3);
});

t.test(
  'ledger: entries that were kept, when only the sync behind them could not be done, are not written over by what comes next',
  async (t) => {
    const { take, kiosk, db, clock, log, rows, seen, reasons } = await openTestIngest(t);
    const start = await kiosk.start();
    await take(start.batch([start.seal(checkIn())]));
    const commit = db.commit.bind(db);
    const transact = db.transact.bind(db);
    db.commit = () => {
      db.commit = commit;
      commit();
      db.transact = () => {
        db.transact = transact;
        throw new StoreError('store.busy', 'index: made to fail');
      };
    };
    const sent = [take(start.batch([start.seal(checkIn())])), take(Uint8Array.of(1))];
    await until(() => log.of('ingest.failed').length > 0);
    t.equal(rows(), 2, 'kept');
    t.equal(await take(start.batch([start.seal(checkIn())])), 'acknowledge');
    await clock.advance(30_000);
    t.strictSame(await Promise.all(sent), ['acknowledge', 'acknowledge']);
    t.equal(rows(), 3);
    t.equal(seen(), 3);
    t.strictSame(reasons(), { 'decode.malformed': 1 });
  },
);

t.test('ledger: a full disk under the entries withholds everything and loses nothing', async (t) => {
  const { take, kiosk, ledger, clock, log, rows, seen } = await openTestIngest(t);
  const start = await kiosk.start();
  await take(start.batch([start.seal(checkIn())]));
  const entries = ledger.segments.newest?.db;
  entries?.pragma(`max_page_count = ${entries.pragma('page_count')}`);
  const many = Array.from({ length: 10 }, () => start.batch(Array.from({ length: 60 }, () => start.seal(checkIn()))));
  const sent = many.map((message) => take(message));
  await until(() => log.of('ingest.failed').length > 0);
  t.match(log.of('ingest.failed'), [{ fields: { code: 'store.disk_full' } }]);
  t.equal(rows(), 1);
  t.equal(seen(), 1);
  entries?.pragma('max_page_count = 1000000');
  await clock.advance(30_000);
  t.strictSame(new Set(await Promise.all(sent)), new Set(['acknowledge']));
  t.equal(rows(), 601);
  t.equal(seen(), 601);
});

t.test('ledger: a day that retention ends leaves the disk, and a reader behind it goes on at the next', async (t) => {
  const road = await openTestIngest(t);
  const { take, kiosk, db, ledger, clock } = road;
  ledger.addSink('core');
  const start = await kiosk.start();
  for (let day = 0; day < 24; day++) {
    await take(start.batch([start.seal(checkIn())]));
    await take(start.batch([start.seal(checkIn())]));
    await clock.advance(DAY_MS);
  }
  t.match(pruneSome(db, ledger, 21, clock.wall()), { entries: 6, untaken: 6 });
  t.match(pruneSome(db, ledger, 21, clock.wall()), { entries: 0, untaken: 0 });
  const files = readdirSync(directoryOf(road)).filter((name) => name.endsWith('.db'));
  t.equal(files.length, 22, 'one of today, in which nothing is yet');
  t.equal(ledger.countAfter(0), 42);
  t.equal(ledger.entriesAfter(0, 1, 1)[0]?.position, 7);
  t.equal(ledger.entriesAfter(8, 100, 1e6).length, 40, 'over as many files as it takes');
  rmSync(join(directoryOf(road), files[3] ?? ''));
  t.throws(() => ledger.entriesAfter(0, 100, 1e6), { code: 'store.failed' }, 'a file that is gone is told, not passed over');
});

t.test('ledger: a file of a day on which the clock was a year ahead goes in its turn, and holds up none behind it', async (t) => {
  const { db, ledger, take, kiosk, clock, rows } = await openTestIngest(t);
  const start = await kiosk.start();
  await take(start.batch([start.seal(checkIn())]));
  clock.stepWall(365 * DAY_MS);
  await take(start.batch([start.seal(checkIn())]));
  t.match(pruneSome(db, ledger, 400, clock.wall()), { entries: 0 });
  clock.stepWall(-365 * DAY_MS);
  await take(start.batch([start.seal(checkIn())]));
  await clock.leap(20 * DAY_MS);
  await take(start.batch([start.seal(checkIn())]));
  t.match(pruneSome(db, ledger, 21, clock.wall()), { entries: 0 });
  await clock.leap(2 * DAY_MS);
  t.match(pruneSome(db, ledger, 21, clock.wall()), { entries: 3 });
  t.equal(rows(), 1);
});

t.test('ledger: a file of the first layout is carried over, rows, flags, memory and cursors', async (t) => {
  const road = await openTestIngest(t);
  const { kiosk, clock } = road;
  const start = await kiosk.start();
  const path = join(dirname(road.path), 'first.db');
  const old = openDatabase({ path, key: STORE_KEY, steps: LEDGER_STEPS.slice(0, 1) });
  const rows = Array.from({ length: 130 }, () => start.seal(checkIn()));
  old.transact(() => {
    old.prepare("INSERT INTO epochs (kiosk, epoch, cloned_count) VALUES (?, x'0102030405060708', 3)").run(kiosk.kiosk);
    old.prepare('INSERT INTO content_keys (kiosk, key_id, epoch_no) VALUES (?, ?, 1)').run(kiosk.kiosk, start.keyId);
    old.prepare("INSERT INTO key_records (digest, record) VALUES (x'00', ?)").run(start.keyRecord);
    old.prepare('INSERT INTO spans VALUES (1, 1, 130)').run();
    for (const [index, { seq, row }] of rows.entries()) {
      const position = index + 1;
      old
        .prepare("INSERT INTO entries (position, kind, received_at_ms) VALUES (?, 'batch', ?)")
        .run(position, clock.wall() + index * 3_600_000);
      old.prepare("INSERT INTO batches VALUES (?, ?, x'01', '{}', 't', 1, x'02')").run(position, kiosk.kiosk);
      old.prepare('INSERT INTO rows VALUES (?, ?, ?)').run(position, seq, row);
      const digest = Buffer.from(digestTextOf(row), 'latin1');
      old.prepare('INSERT INTO seen VALUES (1, ?, 1, ?, 20000)').run(seq, digest);
    }
    old.prepare("INSERT INTO entries (position, kind, received_at_ms) VALUES (131, 'flag', ?)").run(clock.wall());
    old.prepare("INSERT INTO flag_entries VALUES (131, ?, ?, 7, 'confirmed', 1, 2)").run(kiosk.kiosk, start.keyId);
    old.prepare("INSERT INTO sinks (name, position, dropped_entries) VALUES ('core', 100, 4)").run();
  });
  old.close();

  const db = openLedgerFile(path, STORE_KEY);
  t.teardown(() => db.close());
  const ledger = new Ledger(db, join(dirname(path), 'first'), STORE_KEY, clock);
  t.teardown(() => ledger.close());
  ledger.recover(() => t.fail('nothing is to be made again'));
  t.equal(ledger.lastPosition, 131);
  t.equal(ledger.countAfter(ledger.cursorOf('core')), 31);
  t.equal(ledger.droppedOf('core'), 4);
  const entries = ledger.entriesAfter(0, 200, 1e7);
  t.strictSame(
    entries.map(({ position }) => position),
    Array.from({ length: 131 }, (_, index) => index + 1),
  );
  t.match(entries[129], {
    kind: 'batch',
    rows: [rows[129]!.row],
    keyRecord: start.keyRecord,
    receivedAtMs: clock.wall() + 129 * 3_600_000,
  });
  t.match(entries[130], { kind: 'flag', state: 'confirmed', reading: { seq: 7, keyId: start.keyId } });
  t.equal(db.prepare('SELECT count(*) FROM entries').pluck().get(), 0);
  const batch = {
    kiosk: kiosk.kiosk,
    epoch: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) as Epoch,
    keyId: start.keyId,
    receivedAtMs: clock.wall(),
  };
  const again = rows.map(({ seq, row }) => ({ seq, row, digest: digestTextOf(row) }));
  const standings = ledger.transact(() => ledger.stand(batch, again, () => true));
  t.strictSame(new Set(standings), new Set(['duplicate']));
});

t.test('seen: whatever comes in whatever order, over commits and restarts, stands as in a plain list of all that came', async (t) => {
  const { db } = await openTestIngest(t);
  const kioskId = '0123456789ABCDEF' as KioskId;
  let run = 0;
  const row = fc.record({
    seq: fc.integer({ min: 1, max: 200 }),
    key: fc.integer({ min: 1, max: 2 }),
    content: fc.integer({ min: 1, max: 2 }),
  });
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('come' as const), row }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      run += 1;
      const epoch = Buffer.alloc(8);
      epoch.writeUInt32BE(run);
      let seen = new SeenRows(db);
      const model = new Map<string, string>();
      return steps.every((one) => {
        if (one.do === 'come') {
          const { seq, key, content } = one.row;
          const digest = digestTextOf(Buffer.from(`${content}`));
          const epochNo = seen.epochNo(kioskId, new Uint8Array(epoch) as Epoch);
          const keyId = new Uint8Array([...epoch.subarray(0, 7), key]) as KeyId;
          const standing = seen.stand(epochNo, seen.keyNo(kioskId, keyId, epochNo) ?? 0, seq as Seq, digest, 1);
          seen.arrived(epochNo, [seq]);
          const same = model.get(`${seq} ${key}`);
          const other = model.has(`${seq} ${3 - key}`);
          const wanted = same === undefined ? (other ? 'cloned' : 'new') : same === digest ? 'duplicate' : 'conflict';
          if (same === undefined) model.set(`${seq} ${key}`, digest);
          return standing === wanted;
        }
        seen.flush();
        if (one.do === 'restart') seen = new SeenRows(db);
        return true;
      });
    }),
    { numRuns: 200 },
  );
});
