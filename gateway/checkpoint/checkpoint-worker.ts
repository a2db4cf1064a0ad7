/**
 * The thread that moves the ledger's write-ahead logs into their files: that reads, decrypts, encrypts and writes every page and syncs twice,
 * and the thread that answers kiosks is not to wait for it. Files are opened for each request: retention may drop one at any time.
 */
import { workerData } from 'node:worker_threads';
import { answerRequests } from '../../disk/thread.ts';
import { codeOf } from '../../protocol/errors.ts';
import { checkpointDatabase } from '../database.ts';
import type { CheckpointAnswer, CheckpointRequest } from './checkpoints.ts';

const { key } = workerData as { key: Uint8Array };

const checkpoint = (path: string): CheckpointAnswer => {
  try {
    return { ...checkpointDatabase(path, key), code: undefined };
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    return { frames: 0, isWhole: false, code };
  }
};

answerRequests<CheckpointRequest>(
  ({ path }, give) => give(checkpoint(path)),
  () => key.fill(0),
);
