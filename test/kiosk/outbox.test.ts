import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';
import fc from '../support/properties.ts';
import { LIMITS, mono, wall } from './fixtures.ts';
import { codeFrom, isSame, open, record, rowOf, seqsIn } from './opened-outbox.ts';

const DAY_MS = 86_400_000;

t.test('Outbox: a scan’s connection syncs every commit and never checkpoints, on each open', async (t) => {
  const dir = t.testdir();
  for (const which of ['new', 'opened again', 'and again']) {
    const { outbox, append } = open(dir);
    append();
    outbox.settle([1], mono(0));
    const found = outbox.durability();
    t.match(found, { journal: 'wal', synchronous: 2, keeperSynchronous: 1, autoCheckpoint: 0 }, which);
    outbox.close();
  }
});

t.test('Outbox: an append is one transaction: row and sequence number come together or not at all', async (t) => {
  const { outbox, append, key } = open(t.testdir());
  append();
  const attempts: number[] = [];
  const breaks = () =>
    outbox.append(
      key,
      (seq) => {
        attempts.push(seq);
        throw new Error('the sealer broke');
      },
      { wallMs: undefined, monotonicMs: mono(0) },
    );
  t.throws(breaks, /the sealer broke/);
  t.strictSame(attempts, [2]);
  t.equal(append(), 2, 'the number was not used');
  t.strictSame(seqsIn(outbox), [1, 2]);
  t.equal(outbox.queued, 2);
  outbox.close();
});

t.test('Outbox: an hour in which nobody comes writes five pages at most', async (t) => {
  const dir = t.testdir();
  const { outbox, append } = open(dir);
  append();
  outbox.settle([1], mono(0));
  outbox.prune(mono(60_000), undefined);
  const before = statSync(join(dir, 'outbox.db-wal')).size;
  for (let minute = 2; minute <= 61; minute++) outbox.prune(mono(minute * 60_000), undefined);
  outbox.remember(wall(1_700_000_000_000));
  const pages = (statSync(join(dir, 'outbox.db-wal')).size - before) / (4_096 + 24);
  t.ok(pages >= 1 && pages <= 5, `${pages} pages`);
  outbox.close();
});

t.test('Outbox: an append is one commit of one page, a second one where a page is full', async (t) => {
  const dir = t.testdir();
  const { outbox, append } = open(dir);
  append();
  const FRAME_BYTES = 4_096 + 24;
  const before = statSync(join(dir, 'outbox.db-wal')).size;
  for (let count = 0; count < 200; count++) append();
  const frames = (statSync(join(dir, 'outbox.db-wal')).size - before) / FRAME_BYTES;
  t.ok(frames >= 200 && frames < 240, `${frames} frames`);
  outbox.close();
});

t.test('Outbox: what is appended is there after a reopen, oldest first, with its key record', async (t) => {
  const dir = t.testdir();
  const first = open(dir);
  for (let count = 0; count < 5; count++) first.append();
  const { epoch } = first.outbox;
  first.outbox.close();
  const { outbox, append, key } = open(dir);
  t.strictSame(outbox.epoch, epoch);
  t.equal(outbox.queued, 5);
  append();
  const rows = outbox.unsentAfter(2, 3);
  t.strictSame(
    rows.map(({ seq }) => seq),
    [3, 4, 5],
  );
  t.ok(isSame(rows[0]?.row, rowOf(3)));
  t.ok(isSame(outbox.keyOf(rows[0]?.key ?? -1).record, record));
  t.not(outbox.unsentAt([6])[0]?.key, rows[0]?.key, 'a new start has a key of its own');
  t.equal(outbox.unsentAt([6])[0]?.key, key);
  outbox.close();
});

t.test('Outbox: sequences go on after everything was settled, pruned and reopened', async (t) => {
  const dir = t.testdir();
  const first = open(dir);
  for (let count = 0; count < 7; count++) first.append();
  first.outbox.settle([1, 2, 3, 4, 5, 6, 7], mono(0));
  first.outbox.prune(mono(LIMITS.keepSettledMs + 1), undefined);
  t.equal(first.outbox.queued, 0);
  first.outbox.close();
  const db = new Database(join(dir, 'outbox.db'));
  t.equal(db.prepare('SELECT count(*) FROM rows').pluck().get(), 0, 'nothing is left');
  db.close();
  const second = open(dir);
  t.equal(second.append(), 8);
  second.outbox.close();
});

t.test('Outbox: settling twice is no error, and settles nothing else', async (t) => {
  const { outbox, append } = open(t.testdir());
  for (let count = 0; count < 4; count++) append(count * 1_000);
  outbox.settle([1, 3], mono(5_000));
  outbox.settle([3, 1, 99], mono(5_000));
  t.strictSame(seqsIn(outbox), [2, 4]);
  t.equal(outbox.queued, 2);
  t.equal(outbox.oldestQueuedMs(mono(10_000)), 9_000);
  t.equal(outbox.oldestQueuedMs(mono(11_000)), 10_000);
  outbox.settle([2, 4], mono(5_000));
  t.equal(outbox.oldestQueuedMs(mono(10_000)), undefined);
  outbox.close();
});

t.test('Outbox: full by rows refuses the next, loses none, and takes again once some are settled', async (t) => {
  const { outbox, append } = open(t.testdir(), { maxRows: 3 });
  for (let count = 0; count < 3; count++) append();
  t.equal(codeFrom(append), 'store.full');
  t.strictSame(seqsIn(outbox), [1, 2, 3]);
  outbox.settle([1], mono(0));
  t.equal(append(), 4);
  t.equal(codeFrom(append), 'store.full');
  outbox.close();
});

t.test('Outbox: full by bytes refuses the next and loses none; settled rows make room; unsent ones never do', async (t) => {
  const dir = t.testdir();
  const maxBytes = 64 * 4_096;
  const { outbox, append } = open(dir, { maxBytes });
  t.equal(outbox.durability().maxPages, 64);
  let appended = 0;
  while (codeFrom(append) === undefined) appended += 1;
  t.equal(codeFrom(append), 'store.full');
  t.ok(appended > 500, `${appended} rows`);
  t.equal(outbox.queued, appended);
  t.equal(seqsIn(outbox).length, appended);
  // Settling has pages of its own, or a full outbox could never be emptied.
  const all = seqsIn(outbox);
  for (let from = 0; from < all.length; from += 64) outbox.settle(all.slice(from, from + 64), mono(0));
  t.equal(outbox.queued, 0);
  for (let count = 0; count < appended - 100; count++) append();
  t.equal(outbox.queued, appended - 100);
  t.strictSame(seqsIn(outbox)[0], appended + 1, 'the sequence went on');
  outbox.close();
  const again = open(dir, { maxBytes });
  t.equal(again.outbox.queued, appended - 100);
  again.outbox.close();
  t.ok(statSync(join(dir, 'outbox.db')).size <= maxBytes + 1_024 * 4_096);
});

t.test('Outbox: unsent rows are dropped after 21 days of running, counted, and the count is kept', async (t) => {
  const dir = t.testdir();
  const first = open(dir);
  first.append(0);
  first.append(DAY_MS);
  t.strictSame(first.outbox.prune(mono(21 * DAY_MS), undefined), { settled: 0, droppedUnsent: 0 });
  t.strictSame(first.outbox.prune(mono(21 * DAY_MS + 1), undefined), { settled: 0, droppedUnsent: 1 });
  t.strictSame(seqsIn(first.outbox), [2]);
  t.equal(first.outbox.queued, 1);
  first.outbox.close();
  // The machine is switched off and on: its monotonic clock starts again, the running time does not.
  const second = open(dir, {}, 5_000);
  t.equal(second.outbox.droppedUnsent, 1);
  t.equal(second.outbox.runMs(mono(5_000)), 21 * DAY_MS + 1);
  t.strictSame(second.outbox.prune(mono(5_000 + DAY_MS), undefined), { settled: 0, droppedUnsent: 1 });
  t.equal(second.outbox.droppedUnsent, 2);
  second.outbox.close();
});

t.test('Outbox: the wall clock ages a row only where its own time is to be believed', async (t) => {
  const { outbox, append } = open(t.testdir());
  const start = Date.UTC(2026, 10, 21);
  append(0, start);
  append(0, undefined);
  outbox.undate();
  append(0, start);
  t.strictSame(outbox.prune(mono(1_000), wall(start + 21 * DAY_MS + 1)), { settled: 0, droppedUnsent: 1 });
  t.strictSame(seqsIn(outbox), [1, 2], 'one without a time, one from before a step of the clock');
  t.strictSame(outbox.prune(mono(1_000), wall(start + 400 * DAY_MS)), { settled: 0, droppedUnsent: 0 });
  outbox.close();
});

t.test('Outbox: settled rows are kept for hours, no more than so many, and then their key record goes', async (t) => {
  const dir = t.testdir();
  const first = open(dir, { maxSettledRows: 3 });
  for (let count = 0; count < 6; count++) first.append();
  first.outbox.settle([1, 2, 3, 4, 5], mono(0));
  t.strictSame(first.outbox.prune(mono(1_000), undefined), { settled: 2, droppedUnsent: 0 }, 'over the bound');
  t.strictSame(first.outbox.prune(mono(LIMITS.keepSettledMs), undefined), { settled: 0, droppedUnsent: 0 });
  t.strictSame(first.outbox.prune(mono(LIMITS.keepSettledMs + 1), undefined), { settled: 3, droppedUnsent: 0 });
  const oldKey = first.outbox.unsentAt([6])[0]?.key ?? -1;
  first.outbox.close();
  const second = open(dir);
  second.append();
  t.ok(second.outbox.keyOf(oldKey), 'kept while a row needs it');
  second.outbox.settle([6], mono(0));
  second.outbox.prune(mono(LIMITS.keepSettledMs + 1), undefined);
  t.throws(() => second.outbox.keyOf(oldKey));
  t.ok(second.outbox.keyOf(second.key), 'the present one stays');
  second.outbox.close();
});

t.test('Outbox: any course of appends, settles, prunes and reopens loses no unsent row and uses no number twice', async () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.constant({ do: 'append' as const }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('settle' as const), at: fc.integer({ min: 0, max: 30 }) }) },
    { weight: 1, arbitrary: fc.constant({ do: 'prune' as const }) },
    { weight: 1, arbitrary: fc.constant({ do: 'reopen' as const }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (course) => {
      const dir = t.testdir();
      let now = 0;
      let present = open(dir, { maxSettledRows: 2 }, now);
      const unsent = new Set<number>();
      let last = 0;
      for (const one of course) {
        now += 1_000;
        if (one.do === 'append') {
          const seq = present.append(now);
          if (seq !== last + 1) throw new Error(`${seq} after ${last}`);
          last = seq;
          unsent.add(seq);
        }
        if (one.do === 'settle') {
          present.outbox.settle([one.at], mono(now));
          unsent.delete(one.at);
        }
        if (one.do === 'prune') present.outbox.prune(mono(now), undefined);
        if (one.do === 'reopen') {
          present.outbox.close();
          present = open(dir, { maxSettledRows: 2 }, now);
        }
        if (present.outbox.queued !== unsent.size) throw new Error(`${present.outbox.queued} counted, ${unsent.size} are`);
      }
      const found = seqsIn(present.outbox);
      present.outbox.close();
      if (found.join() !== [...unsent].sort((a, b) => a - b).join()) throw new Error(`${found} found, ${[...unsent]} are`);
    }),
    { numRuns: 25 },
  );
});

t.test('Outbox: one that a later version wrote is refused', async (t) => {
  const dir = t.testdir();
  open(dir).outbox.close();
  const db = new Database(join(dir, 'outbox.db'));
  db.pragma('user_version = 99');
  db.close();
  t.equal(
    codeFrom(() => open(dir)),
    'store.newer',
  );
});

t.test('Outbox: in a directory that can not be written the reason is store.read_only', async (t) => {
  const dir = t.testdir({ ro: {} });
  const path = join(dir, 'ro');
  open(path).outbox.close();
  for (const name of readdirSync(path)) chmodSync(join(path, name), 0o444);
  chmodSync(path, 0o555);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    t.equal(
      codeFrom(() => open(path)),
      'store.read_only',
    );
  } finally {
    if (isRoot) process.seteuid?.(0);
    chmodSync(path, 0o755);
  }
});

t.test('Outbox: in a directory that may not be entered the reason is store.read_only, too', async (t) => {
  const dir = t.testdir({ closed: { ro: {} } });
  const path = join(dir, 'closed', 'ro');
  open(path).outbox.close();
  chmodSync(join(dir, 'closed'), 0o600);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  const code = codeFrom(() => open(path));
  if (isRoot) process.seteuid?.(0);
  chmodSync(join(dir, 'closed'), 0o755);
  t.equal(code, 'store.read_only');
});

t.test(
  'Outbox: on a disk that is full the next row is refused, those before are whole, and it takes again when there is room',
  async (t) => {
    const dir = t.testdir();
    // A limit on the size of files stands for the disk: the child is refused by the kernel in the middle of a write.
    const script = `trap '' XFSZ; ulimit -f 2048; exec "$0" "$1" "$2"`;
    const args = ['-c', script, process.execPath, join(import.meta.dirname, 'fill-outbox.ts'), dir];
    const { stdout } = spawnSync('sh', args, { encoding: 'utf8' });
    const { appended, code, again } = JSON.parse(stdout) as { appended: number; code: string; again: string };
    t.ok(appended > 10, `${appended} rows`);
    t.match(code, /^store\.(disk_full|failed)$/);
    t.equal(again, code, 'and the next');
    const { outbox, append } = open(dir);
    t.strictSame(
      seqsIn(outbox).slice(0, appended),
      Array.from({ length: appended }, (_, index) => index + 1),
    );
    t.ok(append() > appended);
    outbox.close();
  },
);
