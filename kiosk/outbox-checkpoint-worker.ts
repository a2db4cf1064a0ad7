/**
 * The thread that moves the outbox's write-ahead log into its file: a checkpoint costs two fsyncs and more, and the thread that
 * serves the door is not to wait for them.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { codeOf } from '../protocol/errors.ts';
import type { CheckpointAnswer, CheckpointRequest } from './outbox-checkpoint.ts';
import { openSqlite, translated } from './sqlite.ts';

/** 64 MiB of log: a kiosk that is never idle long enough is made to wait once. */
const MOST_FRAMES = 16_384;

interface WalState {
  readonly log: number;
  readonly checkpointed: number;
}

const { path, maxPages } = workerData as { path: string; maxPages: number };

const checkpoint = (): CheckpointAnswer => {
  try {
    const db = openSqlite(path, { synchronous: 'NORMAL', maxPages });
    try {
      return translated(path, () => {
        const [state] = db.pragma('wal_checkpoint(PASSIVE)') as WalState[];
        const frames = state?.log ?? 0;
        if (frames > MOST_FRAMES) db.pragma('wal_checkpoint(RESTART)');
        // The first write after a whole checkpoint starts the log anew and syncs its header: here, so that no scan pays for it.
        if (frames > 0 && (frames === state?.checkpointed || frames > MOST_FRAMES))
          db.exec('UPDATE meta SET wal_restarts = wal_restarts + 1');
        return { frames, code: undefined };
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
  else parentPort?.postMessage(checkpoint());
});
