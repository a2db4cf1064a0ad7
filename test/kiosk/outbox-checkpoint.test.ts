import { cpSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';
import { Outbox } from '../../kiosk/outbox.ts';
import { OutboxCheckpoints } from '../../kiosk/outbox-checkpoint.ts';
import type { KeyId } from '../../protocol/ids.ts';
import { type Log, silentLog } from '../../protocol/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { LIMITS, mono } from './fixtures.ts';

/** What a file descriptor is open on; nothing for one that is closed by now. */
const readlinkOf = (fd: string): string => {
  try {
    return readlinkSync(fd);
  } catch {
    return '';
  }
};

/** Starts one that has done its first round, of what was left in the log. */
async function checkpointing(dir: string) {
  const path = join(dir, 'outbox.db');
  const outbox = new Outbox(path, LIMITS, mono(0));
  const key = outbox.keepKey(new Uint8Array(8) as KeyId, new Uint8Array(100));
  let appended = 0;
  const append = (count: number) => {
    for (let done = 0; done < count; done++) outbox.append(key, () => new Uint8Array(200), { wallMs: undefined, monotonicMs: mono(0) });
    appended += count;
  };
  const events: string[] = [];
  let told = () => {};
  const note = (event: string) => {
    events.push(event);
    told();
  };
  const log: Log = { ...silentLog, debug: note, warn: note };
  const clock = new ManualClock();
  const stopping = new AbortController();
  const started = new Promise<void>((resolve) => {
    told = resolve;
  });
  const counts = { appended: () => appended, deleted: () => outbox.deleted };
  const checkpoints = new OutboxCheckpoints({ path, maxBytes: LIMITS.maxBytes, clock, log, ...counts });
  const running = checkpoints.run(stopping.signal);
  /** Lets time pass and waits for the thread's answer. */
  const after = async (ms: number) => {
    const answered = new Promise<void>((resolve) => {
      told = resolve;
    });
    await clock.advance(ms);
    await answered;
  };
  const stop = async () => {
    stopping.abort();
    await running;
    outbox.close();
  };
  await started;
  events.length = 0;
  return { path, outbox, checkpoints, append, events, clock, after, stop };
}

t.test('OutboxCheckpoints: moves the log into the file in another thread, so that the log stays small and no row is lost', async (t) => {
  const { path, outbox, append, events, after, clock, stop } = await checkpointing(t.testdir());
  append(299);
  await clock.advance(60_000);
  t.strictSame(events, [], 'not yet worth it');
  append(1);
  const walBefore = statSync(`${path}-wal`).size;
  await after(5_000);
  t.strictSame(events, ['outbox.checkpointed']);
  t.ok(statSync(path).size > 300 * 200, 'the rows are in the file');
  for (let rounds = 0; rounds < 5; rounds++) {
    append(300);
    await after(5_000);
  }
  t.ok(statSync(`${path}-wal`).size < 2 * walBefore, 'the log is written from its start again');
  t.equal(outbox.unsentAfter(0, 10_000).length, 1_800);
  await stop();
});

t.test('OutboxCheckpoints: ended in the middle of a round, it has nothing of the outbox open any more', async (t) => {
  const { path, outbox, checkpoints, append, clock } = await checkpointing(t.testdir());
  append(300);
  await clock.advance(5_000);
  const ended = checkpoints.end();
  outbox.close();
  await ended;
  const open = readdirSync('/proc/self/fd').map((fd) => readlinkOf(`/proc/self/fd/${fd}`));
  t.strictSame(
    open.filter((file) => file.startsWith(path)),
    [],
  );
  t.equal(await checkpoints.emptyLog(), false);
});

t.test('OutboxCheckpoints: little that was written is moved after ten minutes, nothing when nothing was', async (t) => {
  const { append, events, after, clock, stop } = await checkpointing(t.testdir());
  await clock.advance(1_200_000);
  t.strictSame(events, []);
  append(1);
  await after(600_000);
  t.strictSame(events, ['outbox.checkpointed']);
  await clock.advance(1_200_000);
  t.strictSame(events, ['outbox.checkpointed']);
  await stop();
});

t.test(
  'OutboxCheckpoints: what a killed process left in the log is moved at the start, however soon the next is killed, too',
  async (t) => {
    const dir = t.testdir({ first: {}, second: {} });
    const { path, append, stop } = await checkpointing(join(dir, 'first'));
    append(250);
    for (const end of ['', '-wal']) cpSync(path + end, join(dir, 'second', `outbox.db${end}`));
    await stop();
    const next = join(dir, 'second', 'outbox.db');
    const outbox = new Outbox(next, LIMITS, mono(0));
    const before = statSync(next).size;
    const stopping = new AbortController();
    const log: Log = { ...silentLog, debug: () => stopping.abort() };
    const options = { path: next, maxBytes: LIMITS.maxBytes, clock: new ManualClock(), log, appended: () => 0 };
    await new OutboxCheckpoints(options).run(stopping.signal);
    t.ok(statSync(next).size > before + 250 * 200, 'the rows are in the file');
    t.equal(outbox.queued, 250);
    outbox.close();
  },
);

/** Something that no other row has. */
const MARK = Buffer.from('a row that is to be forgotten');
const holds = (path: string): boolean => [path, `${path}-wal`].some((file) => readFileSync(file).includes(MARK));
const forgetAll = (outbox: Outbox): void => {
  outbox.settle(
    outbox.unsentAfter(0, 10).map(({ position }) => position),
    mono(0),
  );
  outbox.dropSettled(Number.MIN_SAFE_INTEGER, 10, () => true);
};

t.test('OutboxCheckpoints: what was deleted is out of the log of a running kiosk within the hour, and at once for who asks', async (t) => {
  const { path, outbox, checkpoints, after, clock, stop } = await checkpointing(t.testdir());
  const key = outbox.keepKey(new Uint8Array(8).fill(1) as KeyId, new Uint8Array(100));
  const append = () => outbox.append(key, () => MARK, { wallMs: undefined, monotonicMs: mono(0) });
  append();
  forgetAll(outbox);
  t.ok(holds(path), 'a row that was dropped stands in the log');
  await clock.advance(3_590_000);
  t.ok(holds(path), 'not oftener than once an hour');
  await after(15_000);
  t.notOk(holds(path));
  append();
  forgetAll(outbox);
  t.equal(await checkpoints.emptyLog(), true);
  t.notOk(holds(path), 'at once');
  append();
  t.ok(holds(path));
  t.equal(outbox.queued, 1, 'and what is appended behind is kept');
  await stop();
  t.equal(await checkpoints.emptyLog(), false, 'ended');
});

t.test('OutboxCheckpoints: a log that another reads is said not to be empty, and is emptied when that one is done', async (t) => {
  const { path, outbox, checkpoints, append, stop } = await checkpointing(t.testdir());
  append(5);
  const reader = new Database(path);
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM rows').get();
  append(5);
  t.equal(await checkpoints.emptyLog(), false);
  reader.exec('COMMIT');
  t.equal(await checkpoints.emptyLog(), true);
  t.equal(outbox.queued, 10);
  reader.close();
  await stop();
});
