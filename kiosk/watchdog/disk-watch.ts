/**
 * Whether the disk answers, asked beside the loop: one that froze is met before a scan waits for it, which nothing could end any more. What
 * is asked writes nothing: a sync of a directory in which nothing changed has the disk empty its cache (ext4: fsync(2) sends a flush).
 */
import { open } from 'node:fs/promises';
import type { Log } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';

/** Resolves once the disk below that directory has answered, well or badly. */
export type AskDisk = (dir: string) => Promise<void>;

export interface DiskWatchOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Nobody is asked when left out. */
  readonly ask: AskDisk | undefined;
  readonly recorder: {
    /** Rows kept so far: each was an answer. */
    readonly appended: number;
    frozen(isFrozen: boolean): void;
  };
}

const ASK_EVERY_MS = 5_000;
/** A worn card takes seconds to tidy itself up. */
export const FROZEN_MS = 10_000;

/** Never twice at once: what does not come back holds a thread. */
export const askDisk: AskDisk = async (dir) => {
  try {
    const directory = await open(dir, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } catch {
    // A disk that fails has answered: what that means is met where something is to be kept.
  }
};

/** Until abort; what was asked last is not waited for then: it may never come back. */
export async function watchDisk(options: DiskWatchOptions, signal: AbortSignal): Promise<void> {
  const { dir, clock, log, ask, recorder } = options;
  if (ask === undefined) return;
  let keptRows = recorder.appended;
  while (!signal.aborted) {
    await clock.sleep(ASK_EVERY_MS, signal);
    const isAnswered = recorder.appended !== keptRows;
    keptRows = recorder.appended;
    if (isAnswered || signal.aborted) continue;
    let isFrozen = false;
    const cancel = clock.after(FROZEN_MS, () => {
      isFrozen = true;
      log.error('disk.frozen');
      recorder.frozen(true);
    });
    await orAborted(ask(dir), signal);
    cancel();
    if (!isFrozen || signal.aborted) continue;
    log.info('disk.answers');
    recorder.frozen(false);
  }
}

/** Resolves with the answer, or at abort; nothing of either stays with the other. */
const orAborted = (answer: Promise<void>, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const end = () => {
      signal.removeEventListener('abort', end);
      resolve();
    };
    signal.addEventListener('abort', end, { once: true });
    answer.then(end, end);
  });
