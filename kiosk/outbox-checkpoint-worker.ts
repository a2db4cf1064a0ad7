/**
 * The thread that moves the outbox's write-ahead log into its file: a checkpoint costs two fsyncs and more, and the thread that
 * serves the door is not to wait for them.
 */
import { statSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { codeOf, StoreError } from '../protocol/errors.ts';
import type { CheckpointAnswer, CheckpointRequest } from './outbox-checkpoint.ts';
import { openSqlite, type Sqlite, translated } from './sqlite.ts';

/** What is written between two checkpoints, and more: 2 MiB. */
const LAID_OUT_FRAMES = 512;
const FRAME_BYTES = 4_120;
/** 64 MiB of log: a kiosk that is never idle long enough is made to wait once. */
const MOST_FRAMES = 16_384;

const EMPTY_BUSY_MS = 100;

interface WalState {
  readonly busy: number;
  readonly log: number;
  readonly checkpointed: number;
}

const { path, maxPages } = workerData as { path: string; maxPages: number };

const CHANGE = 'UPDATE meta SET wal_restarts = wal_restarts + 1';

let isLaidOut = false;

/**
 * Makes the log as long as it will be, once: from then on it is written over. A file that grows costs each fsync the file system's journal,
 * too, and somebody waits for it at the door. Where there is no room for that, the log grows as it is written.
 */
function layOut(db: Sqlite): void {
  if (isLaidOut) return;
  isLaidOut = true;
  try {
    translated(path, () => {
      const missing = LAID_OUT_FRAMES - Math.floor(logBytes() / FRAME_BYTES);
      const change = db.prepare(CHANGE);
      for (let frame = 0; frame < missing; frame++) change.run();
    });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
}

/** Bytes of the log; of one that can not be looked at, none: what writes next says what is wrong with it. */
function logBytes(): number {
  try {
    return statSync(`${path}-wal`).size;
  } catch {
    return 0;
  }
}

/** @returns whether nothing is left of the log: not so while another reads it. */
function emptied(db: Sqlite): boolean {
  return translated(path, () => {
    db.pragma('wal_checkpoint(PASSIVE)');
    // Few frames are left, and a scan waits for those alone; nor does it wait while this waits for a reader.
    db.pragma(`busy_timeout = ${EMPTY_BUSY_MS}`);
    const [state] = db.pragma('wal_checkpoint(TRUNCATE)') as WalState[];
    const isEmpty = state?.busy === 0;
    if (isEmpty) isLaidOut = false;
    return isEmpty;
  });
}

const checkpoint = (isToEmpty: boolean): CheckpointAnswer => {
  try {
    const db = openSqlite(path, { synchronous: 'NORMAL', maxPages });
    try {
      const isEmpty = isToEmpty && emptied(db);
      layOut(db);
      return translated(path, () => {
        const [state] = db.pragma('wal_checkpoint(PASSIVE)') as WalState[];
        const frames = state?.log ?? 0;
        if (frames > MOST_FRAMES) db.pragma('wal_checkpoint(RESTART)');
        // The first write after a whole checkpoint starts the log anew and syncs its header: here, so that no scan pays for it.
        if (frames > 0 && (frames === state?.checkpointed || frames > MOST_FRAMES)) db.exec(CHANGE);
        return { frames, isEmpty, code: undefined };
      });
    } finally {
      db.close();
    }
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    return { frames: 0, code };
  }
};

parentPort?.on('message', (request: CheckpointRequest) => {
  if (request === 'end') parentPort?.close();
  else parentPort?.postMessage(checkpoint(request === 'empty'));
});
