/** Write-ahead logs that a thread moves: nothing is lost or taken early by it, and where it fails SQLite does it within a commit, and somebody sees it. */
import { copyFileSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import t from 'tap';
import { type CheckpointOptions, Checkpoints } from '../../../gateway/checkpoint/checkpoints.ts';
import { checkpointDatabase } from '../../../gateway/database.ts';
import { DAY_MS, Ledger, openLedgerFile } from '../../../gateway/ledger.ts';
import { StateBoard } from '../../../gateway/state-board.ts';
import { codeOf } from '../../../protocol/errors.ts';
import { openTestIngest, STORE_KEY, type TestIngest } from '../../support/test-ingest.ts';
import { checkIn } from '../../support/test-kiosk.ts';
import { until } from '../../support/until.ts';

const LONGEST_MS = 600_000;

/** @param body of a thread in place of ours: `answer(frames)` answers. */
const threadOf = (body: string): URL =>
  new URL(
    `data:text/javascript,${encodeURIComponent(`
      import { parentPort, workerData } from 'node:worker_threads';
      const answer = (frames) => parentPort.postMessage({ frames, isWhole: true });
      const onRequest = (request) => { ${body} };
      parentPort.on('message', (request) => (request === 'end' ? parentPort.close() : onRequest(request)));`)}`,
  );

/** Checkpoints of a ledger, with what they told. */
async function moving(
  t: { teardown(run: () => Promise<void>): void },
  gateway: TestIngest,
  more: Partial<CheckpointOptions> = {},
  isToWait = true,
) {
  const { path, ledger, clock, log } = gateway;
  const told: (string | undefined)[] = [];
  const options = { index: path, ledger, key: STORE_KEY, clock, log, onFault: (code?: string) => told.push(code), ...more };
  const checkpoints = new Checkpoints(options);
  const stopping = new AbortController();
  const running = checkpoints.run(stopping.signal);
  const stop = () => {
    stopping.abort();
    return running;
  };
  t.teardown(stop);
  /** Lets time pass, and waits for what comes of it. */
  const after = async (ms: number) => {
    const before = told.length;
    await clock.leap(ms);
    await until(() => told.length > before);
  };
  // The first round is due ten minutes behind the first entry.
  await take(gateway, 1);
  await clock.leap(LONGEST_MS);
  if (isToWait) await until(() => told.length > 0);
  return { checkpoints, told, stop, after, options };
}

/** Takes some batches of one row, committed together as those of many kiosks are. */
async function take({ kiosk, take: give }: TestIngest, batches: number): Promise<void> {
  const start = await kiosk.start();
  await Promise.all(Array.from({ length: batches }, () => give(start.batch([start.seal(checkIn())]))));
}

const positionIn = (path: string, table: string, column: string): number => {
  const db = openLedgerFile(path, STORE_KEY);
  try {
    return Number(db.prepare(`SELECT ${column} FROM ${table}`).pluck().get() ?? 0);
  } finally {
    db.close();
  }
};

t.test('checkpoints: logs are moved after many entries, and after ten minutes at the latest', async (t) => {
  const gateway = await openTestIngest(t);
  await take(gateway, 3);
  const sizeOf = () => [gateway.path, gateway.segmentPath()].map((path) => statSync(path).size);
  const first = sizeOf();
  const { told, after } = await moving(t, gateway);
  const second = sizeOf();
  t.ok(
    second.every((size, at) => size > (first[at] ?? 0)),
    'what came before it, too, is in the files',
  );
  await take(gateway, 1);
  await gateway.clock.advance(5_000);
  t.equal(told.length, 1, 'little is not worth it');
  const log = () => statSync(`${gateway.segmentPath()}-wal`).size;
  await take(gateway, 250);
  const length = log();
  await after(1_000);
  t.strictSame(told, [undefined, undefined]);
  t.equal(gateway.log.of('ledger.checkpointed').at(-1)?.fields.isWhole, true);
  await gateway.clock.leap(LONGEST_MS);
  await gateway.clock.advance(1_000);
  t.equal(told.length, 2, 'nothing where nothing was written');
  await take(gateway, 30);
  t.equal(log(), length, 'the log is begun anew');
  t.equal(gateway.rows(), 285);
});

t.test('checkpoints: an index whose log a power cut takes is made again of entries that were synced before it', async (t) => {
  const gateway = await openTestIngest(t);
  const { after } = await moving(t, gateway);
  for (let round = 0; round < 3; round++) {
    await take(gateway, 2);
    await after(LONGEST_MS);
    // Entries and index move on behind the thread's back.
    await take(gateway, round);
    const dir = dirname(gateway.path);
    mkdirSync(join(dir, `${round}`, 'ledger'), { recursive: true });
    const [index, segment] = [join(dir, `${round}`, 'gateway.db'), join(dir, `${round}`, 'ledger', basename(gateway.segmentPath()))];
    copyFileSync(gateway.path, index);
    for (const end of ['', '-wal']) copyFileSync(gateway.segmentPath() + end, segment + end);
    const db = openLedgerFile(index, STORE_KEY);
    const applied = Number(db.prepare('SELECT position FROM applied').pluck().get());
    t.equal(applied, gateway.ledger.lastPosition - round, 'all that was committed when the thread came is in the file');
    const ledger = new Ledger(db, dirname(segment), STORE_KEY, gateway.clock);
    ledger.recover(() => {});
    const seen = 'SELECT epoch_no, window, entries FROM seen_windows ORDER BY 1, 2';
    t.strictSame(db.prepare(seen).all(), gateway.db.prepare(seen).all());
    t.equal(ledger.lastPosition, gateway.ledger.lastPosition);
    ledger.close();
    db.close();
  }
});

t.test('checkpoints: SQLite does it in a commit once a log is long, in the file of the next day, too', async (t) => {
  const gateway = await openTestIngest(t);
  await moving(t, gateway);
  await take(gateway, 1);
  await gateway.clock.leap(DAY_MS);
  await take(gateway, 1);
  const { newest } = gateway.ledger.segments;
  t.strictSame([gateway.db.pragma('wal_autocheckpoint'), newest?.db.pragma('wal_autocheckpoint')], [8_000, 8_000]);
});

for (const answers of ['answer(7_000)', "parentPort.postMessage({ frames: 0, isWhole: false, code: 'store.disk_full' })"])
  t.test(
    `checkpoints: a log that gets too long, or can not be moved, is told and tried again, until it is short: ${answers}`,
    async (t) => {
      const gateway = await openTestIngest(t);
      const program = threadOf(`globalThis.round = (globalThis.round ?? 0) + 1; if (round === 1) ${answers}; else answer(10);`);
      const { told, after } = await moving(t, gateway, { program });
      const [code] = told;
      t.match(code, /^store\./);
      t.match(gateway.log.of('checkpoint.failed'), [{ fields: { code } }]);
      await after(10_000);
      t.strictSame(told, [code, undefined]);
      t.equal(gateway.log.of('checkpoint.recovered').length, 1);
    },
  );

t.test('checkpoints: a log that was not begun anew is seen to again soon, once something was written', async (t) => {
  const gateway = await openTestIngest(t);
  const { told, after } = await moving(t, gateway, { program: threadOf('answer(2_500);') });
  await gateway.clock.advance(10_000);
  t.equal(told.length, 1);
  await take(gateway, 1);
  await after(100);
  t.strictSame(told, [undefined, undefined]);
});

t.test('checkpoints: a thread that fails is told, and another is asked after ten seconds; entries are taken meanwhile', async (t) => {
  const gateway = await openTestIngest(t);
  const channel = new BroadcastChannel('fails');
  t.teardown(() => channel.close());
  // The first one to ask whether it may go on may not.
  let asked = 0;
  channel.onmessage = ({ data }) => {
    if (data !== 'may I') return;
    asked += 1;
    channel.postMessage(asked > 1);
  };
  const program = threadOf(
    `const channel = new BroadcastChannel('fails');
     channel.onmessage = ({ data }) => { channel.close(); if (!data) throw new RangeError('a card'); answer(1); };
     channel.postMessage('may I');`,
  );
  const { told, after } = await moving(t, gateway, { program });
  t.strictSame(told, ['store.log_long']);
  t.match(gateway.log.of('checkpoint.thread_failed'), [{ fields: { bug: 'RangeError' } }]);
  t.notMatch(gateway.log.text, /a card/);
  await take(gateway, 2);
  t.equal(gateway.rows(), 3);
  await after(10_000);
  t.strictSame(told, ['store.log_long', undefined]);
});

t.test('checkpoints: stopped while it works, it ends once the thread has; stopped at once, too', async (t) => {
  const gateway = await openTestIngest(t);
  const channel = new BroadcastChannel('go');
  t.teardown(() => channel.close());
  const asked = new Promise<void>((resolve) => {
    channel.onmessage = () => resolve();
  });
  const program = threadOf(
    'const channel = new BroadcastChannel("go"); channel.postMessage("asked"); channel.onmessage = () => { channel.close(); answer(1); };',
  );
  const { checkpoints, stop, told } = await moving(t, gateway, { program, ledger: withNewest(gateway, undefined) }, false);
  await asked;
  let isAtRest = false;
  const resting = checkpoints.whenAtRest().then(() => {
    isAtRest = true;
  });
  const stopped = stop();
  await gateway.clock.advance(1_000);
  t.notOk(isAtRest, 'the log is being moved');
  channel.postMessage('go');
  await stopped;
  await resting;
  t.strictSame(told, [undefined]);
  const { stop: stopAtOnce } = await moving(t, gateway, {}, false);
  await stopAtOnce();
  await new Checkpoints({
    index: gateway.path,
    ledger: gateway.ledger,
    key: STORE_KEY,
    clock: gateway.clock,
    log: gateway.log,
    onFault() {},
  }).run(AbortSignal.abort());
  t.equal(STORE_KEY.length, 32, 'the key is still its owner’s');
});

const withNewest = ({ ledger }: TestIngest, newestPath: string | undefined) => ({
  get lastPosition() {
    return ledger.lastPosition;
  },
  boundLogs: () => {},
  segments: { newestPath },
});

t.test('checkpoints: a file that retention took away is no fault, and is not made again; one that can not be opened is', async (t) => {
  const gateway = await openTestIngest(t);
  const gone = join(dirname(gateway.path), '00000001.db');
  const { told, stop } = await moving(t, gateway, { ledger: withNewest(gateway, gone) });
  t.strictSame(told, [undefined]);
  t.notOk(existsSync(gone));
  await stop();
  mkdirSync(gone);
  const other = await moving(t, gateway, { ledger: withNewest(gateway, gone) });
  t.strictSame(other.told, ['store.failed']);
});

t.test('checkpoints: a reader keeps what it reads, and the log is whole in the file once it has gone', async (t) => {
  const gateway = await openTestIngest(t);
  await take(gateway, 2);
  const reader = openLedgerFile(gateway.path, STORE_KEY);
  t.teardown(() => reader.close());
  reader.prepare('BEGIN').run();
  const position = () => reader.prepare('SELECT position FROM applied').pluck().get();
  t.equal(position(), 2);
  await take(gateway, 2);
  t.match(checkpointDatabase(gateway.path, STORE_KEY), { isWhole: false });
  t.equal(position(), 2);
  reader.prepare('COMMIT').run();
  t.match(checkpointDatabase(gateway.path, STORE_KEY), { isWhole: true });
  const copy = join(dirname(gateway.path), 'copy.db');
  copyFileSync(gateway.path, copy);
  t.equal(positionIn(copy, 'applied', 'position'), 4);
  try {
    checkpointDatabase(gateway.path, new Uint8Array(32));
    t.fail('another key');
  } catch (error) {
    t.equal(codeOf(error), 'store.wrong_key');
  }
});

t.test('checkpoints: the state tells it, and that it is over', async (t) => {
  const { clock, log } = await openTestIngest(t);
  const board = new StateBoard(clock, log, () => ({
    isCloned: false,
    clonedRows: 0,
    missingRows: 0,
    quarantine: { items: 0, bytes: 0, reasons: {} },
  }));
  board.snapshot();
  board.checkpoints('store.log_long');
  t.ok(board.hasChanged);
  t.match(board.snapshot(), { state: 'up', checkpoints: 'store.log_long' });
  board.checkpoints(undefined);
  t.equal(board.snapshot().checkpoints, undefined);
  board.opening('ingest.thread_failed');
  t.ok(board.hasChanged);
  t.match(board.snapshot(), { state: 'up', opening: 'ingest.thread_failed' });
  board.opening(undefined);
  t.equal(board.snapshot().opening, undefined);
});
