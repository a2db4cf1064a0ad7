import { existsSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import t, { type Test } from 'tap';
import { openCoreDb } from '../../core/core-db.ts';
import { type Day, dayOf, firstKeptDay, startOfDay } from '../../core/day.ts';
import type { StoredScan } from '../../core/day-file.ts';
import { DayKeys } from '../../core/day-keys.ts';
import { DayStore, type DayStoreOptions } from '../../core/day-store.ts';
import type { CardPseudonym } from '../../core/pseudonym.ts';
import { silentLog } from '../../protocol/log.ts';

const KEY = Buffer.alloc(32, 7);
const DAYS = ['2026-11-19', '2026-11-20', '2026-11-21'] as Day[];
const CARD = new Uint8Array(16).fill(3) as CardPseudonym;

const scan = (seq: number): StoredScan => ({
  stream: 1,
  seq,
  card: CARD,
  venue: 1,
  kind: 'check-in',
  atMs: 1_000 * seq,
  uncertaintyMs: 0,
  dwellMs: 3_600_000,
  lingeringMs: 0,
  groupSize: 1,
});

function stores(t: Test, dir: string, options: Partial<DayStoreOptions> = {}) {
  const db = openCoreDb(join(dir, 'core.db'), KEY, 'write');
  const keys = new DayKeys(db);
  const days = new DayStore({ dir: join(dir, 'days'), keys, log: silentLog, mode: 'write', ...options });
  const close = () => {
    days.close();
    db.close();
  };
  t.teardown(close);
  return { db, keys, days, close };
}

const filesOf = (dir: string): string[] => readdirSync(join(dir, 'days')).sort();

t.test('days: UTC, and retention counts from the first instant of a day', async (t) => {
  const midnight = Date.UTC(2026, 10, 21);
  t.equal(dayOf(midnight - 1), '2026-11-20');
  t.equal(dayOf(midnight), '2026-11-21');
  t.equal(startOfDay('2026-11-21' as Day), midnight);
  t.equal(firstKeptDay(midnight, 21), '2026-11-01');
  t.equal(firstKeptDay(midnight - 1, 21), '2026-10-31');
  t.equal(firstKeptDay(midnight, 1), '2026-11-21');
});

t.test('day store: rows are there after a reopen, once each', async (t) => {
  const dir = t.testdir();
  const first = stores(t, dir);
  first.days.findOrMake(DAYS[0]!).add([scan(1), scan(2), { ...scan(3), kind: 'reading' }]);
  first.days.findOrMake(DAYS[0]!).add([scan(2), { ...scan(1), groupSize: 9 }]);
  first.close();
  const again = stores(t, dir);
  const file = again.days.find(DAYS[0]!)!;
  t.strictSame(file.scansOf(CARD), [scan(1), scan(2)]);
  t.strictSame(file.readingsOf(CARD), [{ stream: 1, seq: 3 }]);
  t.strictSame(file.counts(), { checkIns: 2, checkOuts: 0, readings: 1 });
  t.ok(file.has({ stream: 1, seq: 3 }) && file.has({ stream: 1, seq: 1 }) && !file.has({ stream: 2, seq: 1 }));
  t.equal(again.days.find(DAYS[1]!), undefined, 'a day that holds nothing is no file');
});

t.test('day store: all of an add is kept, or none of it', async (t) => {
  const { days } = stores(t, t.testdir());
  const file = days.findOrMake(DAYS[0]!);
  t.throws(() => file.add([scan(1), { ...scan(2), uncertaintyMs: 0.5 }]));
  t.strictSame(file.scansOf(CARD), []);
});

t.test('day store: each file has its own key and owner, and syncs each commit', async (t) => {
  const dir = t.testdir();
  const { db, days, keys, close } = stores(t, dir);
  for (const day of DAYS) days.findOrMake(day).add([scan(1)]);
  t.equal(new Set(DAYS.map((day) => Buffer.from(keys.find(day)!.key).toString('hex'))).size, DAYS.length);
  for (const name of filesOf(dir)) t.equal(statSync(join(dir, 'days', name)).mode & 0o777, 0o600, name);
  t.equal(db.pragma('synchronous', { simple: true }), 2);
  t.equal(db.pragma('journal_mode', { simple: true }), 'wal');
  close();
  const again = stores(t, dir);
  again.days.find(DAYS[0]!)!.add([scan(2)]);
  t.equal(again.db.pragma('synchronous', { simple: true }), 2, 'also when opened again');
  t.strictSame(again.days.find(DAYS[0]!)!.settings(), { synchronous: 2, journal_mode: 'wal', secure_delete: 1, wal_autocheckpoint: 4_000 });
});

t.test('day store: few files are open at a time, and all are reached', async (t) => {
  const { days } = stores(t, t.testdir(), { mostOpen: 2 });
  for (let round = 1; round <= 3; round++) for (const day of DAYS) days.findOrMake(day).add([scan(round)]);
  t.equal(days.openCount, 2);
  for (const day of DAYS) t.equal(days.find(day)!.scansOf(CARD).length, 3);
});

t.test('day store: to drop a day forgets its key and removes its file', async (t) => {
  const dir = t.testdir();
  const { days, keys } = stores(t, dir);
  for (const day of DAYS) days.findOrMake(day).add([scan(1)]);
  let noted = 0;
  days.drop(DAYS[0]!, () => noted++);
  days.drop(DAYS[0]!, () => noted++);
  t.equal(noted, 1, 'counted once');
  t.equal(keys.find(DAYS[0]!), undefined);
  t.equal(days.find(DAYS[0]!), undefined);
  t.strictSame(days.days(), DAYS.slice(1));
  t.notOk(
    filesOf(dir).some((name) => name.startsWith(DAYS[0]!)),
    'nor its -wal and -shm',
  );
  t.equal(statSync(join(dir, 'core.db-wal')).size, 0, 'the log that held the key is emptied');
});

t.test('day store: a drop that a crash cut short after the key is completed at the next open', async (t) => {
  const dir = t.testdir();
  const first = stores(t, dir);
  for (const day of DAYS) first.days.findOrMake(day).add([scan(1)]);
  first.keys.forget(DAYS[0]!, () => {});
  first.close();
  writeFileSync(join(dir, 'days', `${DAYS[0]}.db-wal`), 'left behind');
  t.ok(existsSync(join(dir, 'days', `${DAYS[0]}.db`)), 'the file is still there');
  const again = stores(t, dir);
  t.strictSame(filesOf(dir), [`${DAYS[1]}.db`, `${DAYS[2]}.db`]);
  t.strictSame(again.days.days(), DAYS.slice(1));
});

t.test('day store: a file is made whole after a crash at any point of its making', async (t) => {
  const dir = t.testdir();
  const first = stores(t, dir);
  for (const day of DAYS) first.keys.make(day);
  first.close();
  writeFileSync(join(dir, 'days', `${DAYS[1]}.db`), '');
  const again = stores(t, dir);
  for (const day of DAYS) {
    again.days.findOrMake(day).add([scan(1)]);
    t.equal(again.days.find(day)!.scansOf(CARD).length, 1);
    t.ok(again.keys.find(day)!.isMade);
  }
});

t.test('day store: a day that is damaged or lost is named, and the others go on', async (t) => {
  const dir = t.testdir();
  const first = stores(t, dir);
  for (const day of DAYS) {
    const file = first.days.findOrMake(day);
    for (let i = 0; i < 20; i++) file.add(Array.from({ length: 100 }, (_, k) => scan(i * 100 + k + 1)));
  }
  first.close();
  const path = (day: Day) => join(dir, 'days', `${day}.db`);
  const size = statSync(path(DAYS[0]!)).size;
  writeFileSync(path(DAYS[0]!), Buffer.alloc(size, 0x55));
  rmSync(path(DAYS[1]!));
  const again = stores(t, dir);
  t.throws(() => again.days.find(DAYS[0]!), {
    name: 'StoreError',
    code: 'store.corrupt',
    message: 'day 2026-11-19: does not open under its key',
  });
  t.throws(() => again.days.findOrMake(DAYS[1]!), { code: 'store.corrupt', message: 'day 2026-11-20: its file is missing' });
  t.equal(again.days.find(DAYS[2]!)!.scansOf(CARD).length, 2_000);
  again.close();
  const handle = Buffer.alloc(64, 0x55);
  const damaged = await openFile(path(DAYS[2]!), 'r+');
  await damaged.write(handle, 0, 64, size - 4_096 + 512);
  await damaged.write(handle, 0, 64, 8_192 + 512);
  await damaged.close();
  const third = stores(t, dir);
  t.throws(() => third.days.find(DAYS[2]!)?.scansOf(CARD), { code: 'store.corrupt', message: /day 2026-11-21/ }, 'one altered page');
});

t.test('day store: a file that is cut short is named', async (t) => {
  const dir = t.testdir();
  const first = stores(t, dir);
  const file = first.days.findOrMake(DAYS[0]!);
  file.add(Array.from({ length: 2_000 }, (_, k) => scan(k + 1)));
  first.close();
  const path = join(dir, 'days', `${DAYS[0]}.db`);
  truncateSync(path, Math.floor(statSync(path).size / 8_192) * 4_096);
  t.throws(() => stores(t, dir).days.find(DAYS[0]!)?.scansOf(CARD), { code: 'store.corrupt' });
});

t.test('core.db: another key, and a later version, are named', async (t) => {
  const dir = t.testdir();
  stores(t, dir).close();
  const path = join(dir, 'core.db');
  t.throws(() => openCoreDb(path, Buffer.alloc(32, 8), 'write'), { name: 'StoreError', code: 'store.wrong_key' });
  const db = openCoreDb(path, KEY, 'write');
  db.pragma('user_version = 99');
  db.close();
  t.throws(() => openCoreDb(path, KEY, 'write'), { code: 'store.newer', message: /^core.db: version 99 of at most \d+$/ });
  t.throws(() => openCoreDb(path, KEY, 'read'), { code: 'store.newer' });
});

t.test('core.db: it is no plain SQLite file', async (t) => {
  const dir = t.testdir();
  stores(t, dir).close();
  const db = new Database(join(dir, 'core.db'));
  t.throws(() => db.prepare('SELECT * FROM sqlite_schema').all(), { code: 'SQLITE_NOTADB' });
  db.close();
});
