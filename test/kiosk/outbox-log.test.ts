import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';
import { openOutbox } from '../../kiosk/open-outbox.ts';
import { isLogDamaged, mendLog } from '../../kiosk/outbox-log.ts';
import { silentLog } from '../../protocol/log.ts';
import fc from '../support/properties.ts';
import { LIMITS, mono, wall } from './fixtures.ts';
import { isSame, open, rowOf } from './opened-outbox.ts';

const HEADER_BYTES = 32;
const FRAME_BYTES = 24 + 4_096;
const ROWS = 12;

/** What a kill leaves: a file, and a log that holds all its rows. */
function killed(t: { testdir(): string }) {
  const dir = t.testdir();
  const { outbox, append } = open(dir);
  for (let count = 0; count < ROWS; count++) append();
  const [file, log] = ['outbox.db', 'outbox.db-wal'].map((name) => readFileSync(join(dir, name))) as [Buffer, Buffer];
  outbox.close();
  let copies = 0;
  /** The same again in a directory of its own, with another log. */
  const withLog = (changed: Uint8Array): string => {
    const copy = join(dir, `copy-${copies++}`);
    mkdirSync(copy);
    writeFileSync(join(copy, 'outbox.db'), file);
    writeFileSync(join(copy, 'outbox.db-wal'), changed);
    return copy;
  };
  return { log, frames: (log.length - HEADER_BYTES) / FRAME_BYTES, withLog };
}

const flipped = (bytes: Uint8Array, bit: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
};

const openIn = (dir: string) => openOutbox(dir, LIMITS, { wallMs: wall(1), monotonicMs: mono(0) }, silentLog);

t.test('outbox log: as a kill leaves it, it is sound, and mending it changes nothing that SQLite reads', async (t) => {
  const { log, withLog } = killed(t);
  const dir = withLog(log);
  t.notOk(isLogDamaged(join(dir, 'outbox.db-wal')));
  mendLog(join(dir, 'outbox.db-wal'));
  t.notOk(isLogDamaged(join(dir, 'outbox.db-wal')));
  const { outbox, salvagedRows } = openIn(dir);
  t.equal(salvagedRows, undefined);
  t.equal(outbox.queued, ROWS);
  outbox.close();
});

t.test('outbox log: none, an empty one and one without a frame are sound', async (t) => {
  const { log, withLog } = killed(t);
  t.notOk(isLogDamaged(join(t.testdir(), 'none-wal')));
  for (const bytes of [0, 20, HEADER_BYTES])
    t.notOk(isLogDamaged(join(withLog(log.subarray(0, bytes)), 'outbox.db-wal')), `${bytes} bytes`);
});

t.test('outbox log: cut at any length, as a power cut may, it is torn and not damaged', async (t) => {
  const { log, withLog } = killed(t);
  fc.assert(
    fc.property(
      fc.integer({ min: HEADER_BYTES, max: log.length }),
      (bytes) => !isLogDamaged(join(withLog(log.subarray(0, bytes)), 'outbox.db-wal')),
    ),
    { numRuns: 60 },
  );
});

t.test('outbox log: what an earlier use of the file left behind its end is no damage', async (t) => {
  const { log, withLog } = killed(t);
  const dir = withLog(log);
  const path = join(dir, 'outbox.db');
  const db = new Database(path);
  db.pragma('wal_checkpoint(RESTART)');
  db.exec('UPDATE meta SET wal_restarts = wal_restarts + 1');
  const copy = withLog(readFileSync(`${path}-wal`));
  db.close();
  t.notOk(isLogDamaged(join(copy, 'outbox.db-wal')));
});

t.test(
  'outbox log: one bit wrong anywhere before the last two transactions is found and told, and mostly costs a row at most',
  async (t) => {
    const { log, frames, withLog } = killed(t);
    const bits = (HEADER_BYTES + (frames - 2) * FRAME_BYTES) * 8;
    const lost: number[] = [];
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bits - 1 }), (bit) => {
        const dir = withLog(flipped(log, bit));
        const { outbox, salvagedRows } = openIn(dir);
        lost.push(ROWS - outbox.unsentAfter(Number.MIN_SAFE_INTEGER, 100).filter(({ seq, row }) => isSame(row, rowOf(seq))).length);
        outbox.close();
        return salvagedRows !== undefined;
      }),
      { numRuns: 200, examples: [[0], [16 * 8], [24 * 8], [(HEADER_BYTES + 8) * 8], [(HEADER_BYTES + 16) * 8]] },
    );
    t.strictSame(lost.slice(0, 5), [0, 0, 0, 0, 0], 'nothing where header, salts or checksums are hit');
    // Each page of rows was written again with the next row, so that the log holds nearly all twice; a bit of the schema takes all with it.
    t.ok(lost.filter((rows) => rows <= 1).length > 0.8 * lost.length, `${lost.filter((rows) => rows > 1)} of ${ROWS}`);
  },
);

t.test('outbox log: noise is damage, and mending it harms nothing', async (t) => {
  const { log, withLog } = killed(t);
  const noise = Buffer.from(log).fill(0x5a);
  const dir = withLog(noise);
  t.ok(isLogDamaged(join(dir, 'outbox.db-wal')));
  const { outbox, salvagedRows } = openIn(dir);
  t.equal(salvagedRows, 0, 'it is told');
  outbox.close();
  t.ok(existsSync(join(dir, 'outbox.db')));
});
