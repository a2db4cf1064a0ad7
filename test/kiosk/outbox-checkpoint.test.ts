import { cpSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Outbox } from '../../kiosk/outbox.ts';
import { runCheckpoints } from '../../kiosk/outbox-checkpoint.ts';
import type { KeyId } from '../../protocol/ids.ts';
import { type Log, silentLog } from '../../protocol/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { LIMITS, mono } from './fixtures.ts';

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
  const running = runCheckpoints({ path, maxBytes: LIMITS.maxBytes, clock, log, appended: () => appended }, stopping.signal);
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
  return { path, outbox, append, events, clock, after, stop };
}

t.test('runCheckpoints: moves the log into the file in another thread, so that the log stays small and no row is lost', async (t) => {
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

t.test('runCheckpoints: little that was written is moved after ten minutes, nothing when nothing was', async (t) => {
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

t.test('runCheckpoints: what a killed process left in the log is moved at the start, however soon the next is killed, too', async (t) => {
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
  await runCheckpoints({ path: next, maxBytes: LIMITS.maxBytes, clock: new ManualClock(), log, appended: () => 0 }, stopping.signal);
  t.ok(statSync(next).size > before + 250 * 200, 'the rows are in the file');
  t.equal(outbox.queued, 250);
  outbox.close();
});
