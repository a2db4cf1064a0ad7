import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { eraseSetAside, openOutbox } from '../../kiosk/open-outbox.ts';
import { silentLog } from '../../protocol/log.ts';
import { LIMITS, mono, wall } from './fixtures.ts';
import { codeFrom, isSame, keyIdOf, open, record, rowOf } from './opened-outbox.ts';

const DAY_MS = 86_400_000;

/** Overwrites bytes of a file. */
const damage = (path: string, at: number, length: number) => {
  const file = openSync(path, 'r+');
  writeSync(file, new Uint8Array(length).fill(0x5a), 0, length, at);
};

const opened = (dir: string, wallMs = Date.UTC(2026, 10, 21)) =>
  openOutbox(dir, LIMITS, { wallMs: wall(wallMs), monotonicMs: mono(0) }, silentLog);

t.test('openOutbox: a file that is no database is set aside whole, and a new outbox has a new epoch', async (t) => {
  const dir = t.testdir();
  const first = open(dir);
  first.append();
  const { epoch } = first.outbox;
  first.outbox.close();
  damage(join(dir, 'outbox.db'), 0, 100);
  const { outbox, salvagedRows } = opened(dir);
  t.equal(salvagedRows, 0);
  t.notSame(outbox.epoch, epoch);
  t.equal(outbox.queued, 0);
  outbox.close();
  t.equal(readdirSync(dir).filter((name) => /^outbox\.damaged-\d+-1\.db$/.test(name)).length, 1);
});

t.test(
  'openOutbox: a write-ahead log that lost its header is no empty log: the outbox is set aside and numbers are not given again',
  async (t) => {
    const dir = t.testdir();
    const copy = join(dir, 'copy');
    mkdirSync(copy);
    const first = open(dir);
    for (let count = 0; count < 5; count++) first.append();
    // As a kill leaves it, the rows still in the log.
    for (const name of ['outbox.db', 'outbox.db-wal']) writeFileSync(join(copy, name), readFileSync(join(dir, name)));
    const { epoch } = first.outbox;
    first.outbox.close();
    damage(join(copy, 'outbox.db-wal'), 0, 32);
    const { outbox, salvagedRows } = opened(copy);
    t.equal(salvagedRows, 5, 'it is told that an outbox was set aside, and what is in the log is carried over');
    t.notSame(outbox.epoch, epoch, 'sequence numbers count in a new epoch');
    outbox.close();
  },
);

t.test(
  'openOutbox: of one with damaged pages the rows that can be read are carried over with their keys, and sequences start anew',
  async (t) => {
    const dir = t.testdir();
    const first = open(dir);
    for (let count = 0; count < 600; count++) first.append();
    first.outbox.settle([1, 2, 3], mono(0));
    first.outbox.close();
    const { size } = statSync(join(dir, 'outbox.db'));
    damage(join(dir, 'outbox.db'), 4_096 * Math.floor(size / 4_096 / 2), 4_096);
    const { outbox, salvagedRows } = opened(dir);
    const rows = outbox.unsentAfter(Number.MIN_SAFE_INTEGER, 1_000);
    t.ok((salvagedRows ?? 0) > 500 && (salvagedRows ?? 0) < 597, `${salvagedRows} of 597 rows`);
    t.equal(outbox.queued, salvagedRows);
    t.equal(rows[0]?.seq, 4);
    t.equal(rows.at(-1)?.seq, 600, 'both ends, and what lies between');
    for (const { seq, row } of rows) if (!isSame(row, rowOf(seq))) t.fail(`row ${seq} is another`);
    t.ok(isSame(outbox.keyOf(rows[0]?.key ?? -1).record, record));
    const key = outbox.keepKey(keyIdOf(77), record);
    t.equal(
      outbox.append(key, (seq) => rowOf(seq), { wallMs: undefined, monotonicMs: mono(0) }),
      1,
    );
    t.equal(outbox.unsentAfter(0, 10).length, 1, 'behind those saved');
    outbox.settle(
      rows.map(({ position }) => position),
      mono(0),
    );
    t.equal(outbox.queued, 1);
    outbox.close();
  },
);

t.test('openOutbox: rows carried over keep their age, so that retention ends at the same time', async (t) => {
  const dir = t.testdir();
  const first = open(dir);
  for (let day = 0; day < 5; day++) for (let count = 0; count < 60; count++) first.append(day * DAY_MS);
  first.outbox.prune(mono(5 * DAY_MS), undefined);
  first.outbox.close();
  damage(join(dir, 'outbox.db'), 4_096 * Math.floor(statSync(join(dir, 'outbox.db')).size / 4_096 / 2), 4_096);
  const { outbox, salvagedRows } = opened(dir);
  t.equal(outbox.oldestQueuedMs(mono(0)), 5 * DAY_MS);
  for (let calls = 0; calls < 3; calls++) outbox.prune(mono(16 * DAY_MS + 1), undefined);
  t.equal(outbox.queued, (salvagedRows ?? 0) - 60, 'those of the first day');
  outbox.close();
});

t.test('openOutbox: a second damage carries over what the first one left', async (t) => {
  const dir = t.testdir();
  const first = open(dir);
  for (let count = 0; count < 300; count++) first.append();
  first.outbox.close();
  const middle = () => 4_096 * Math.floor(statSync(join(dir, 'outbox.db')).size / 4_096 / 2);
  damage(join(dir, 'outbox.db'), middle(), 4_096);
  const second = opened(dir);
  const key = second.outbox.keepKey(keyIdOf(5), record);
  for (let count = 0; count < 50; count++) second.outbox.append(key, (seq) => rowOf(seq), { wallMs: undefined, monotonicMs: mono(0) });
  second.outbox.close();
  damage(join(dir, 'outbox.db'), middle(), 4_096);
  const { outbox, salvagedRows } = opened(dir);
  const rows = outbox.unsentAfter(Number.MIN_SAFE_INTEGER, 1_000);
  t.equal(rows.length, salvagedRows);
  t.equal(new Set(rows.map(({ key, seq }) => `${key} ${seq}`)).size, rows.length, 'each once');
  t.ok(rows.length > 250, `${rows.length} rows`);
  t.ok(rows.every(({ position }) => position < 1));
  t.equal(rows.at(-1)?.seq, 50);
  outbox.close();
});

t.test('openOutbox: what a kill interrupted is done at the next start, once', async (t) => {
  const dir = t.testdir();
  const first = open(dir);
  for (let count = 0; count < 100; count++) first.append();
  // As SIGKILL leaves it: the last rows are in the log alone.
  const wal = readFileSync(join(dir, 'outbox.db-wal'));
  first.outbox.close();
  damage(join(dir, 'outbox.db'), 4_096 * 5, 4_096);
  writeFileSync(join(dir, 'outbox.damaged-1795000000000-1.db-wal'), wal);
  const second = opened(dir);
  t.equal(second.salvagedRows, 100, 'killed between the log and the file: the log is whole');
  second.outbox.close();
  const third = opened(dir);
  t.equal(third.salvagedRows, undefined, 'once');
  t.equal(third.outbox.queued, 100);
  third.outbox.close();
  for (const end of ['', '-wal', '-shm']) rmSync(join(dir, `outbox.db${end}`), { force: true });
  const fourth = opened(dir);
  t.equal(fourth.salvagedRows, 100, 'killed before the rows were carried over');
  fourth.outbox.close();
});

t.test('openOutbox: after eight damaged files it refuses instead of wearing the card out; they are erased past retention', async (t) => {
  const dir = t.testdir();
  const start = Date.UTC(2026, 10, 21);
  for (let count = 0; count < 8; count++) {
    open(dir).outbox.close();
    damage(join(dir, 'outbox.db'), 0, 100);
    opened(dir, start + count).outbox.close();
  }
  damage(join(dir, 'outbox.db'), 0, 100);
  t.equal(
    codeFrom(() => opened(dir)),
    'store.corrupt',
  );
  t.ok(existsSync(join(dir, 'outbox.db')), 'the last one stays where it is');
  t.equal(eraseSetAside(dir, 21 * DAY_MS, wall(start + 21 * DAY_MS + 3)), 4);
  t.equal(readdirSync(dir).filter((name) => name.includes('damaged') && name.endsWith('.db')).length, 4);
});
