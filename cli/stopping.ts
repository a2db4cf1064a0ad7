/** Turns the signals that ask a process to stop into one AbortSignal, and expected errors into an exit status and a sentence. */
import { ConfigError, ExpectedError, StoreError } from '../protocol/errors.ts';

/** EX_CONFIG of sysexits.h: a person has to correct something; systemd's RestartPreventExitStatus knows it. */
const EXIT_CONFIG = 78;

/**
 * @returns a signal that aborts at SIGINT, SIGTERM or SIGHUP. A second SIGINT ends the process at once, for someone who will not wait:
 * nothing that was promised depends on a clean stop.
 */
export function untilStopped(): AbortSignal {
  const controller = new AbortController();
  const stop = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted && signal === 'SIGINT') process.exit(130);
    controller.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  // A file at RLIMIT_FSIZE would end the process; heard, the write fails instead (setrlimit(2)), and the store says that it refuses.
  process.on('SIGXFSZ', () => {});
  return controller.signal;
}

/** A reader that has enough (`| head`) is no fault of the command's. What a command began is not broken off for it. */
function letReadersLeave(): void {
  const ignore = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') throw error;
  };
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignore);
}

/** Runs a command; an expected error is one line with its code on standard error, and a status that says whose turn it is. */
export async function reportErrors(run: () => Promise<void>): Promise<void> {
  letReadersLeave();
  try {
    await run();
  } catch (thrown) {
    const error = thrown instanceof ExpectedError ? thrown : fileFault(thrown);
    if (error === undefined) throw thrown;
    const advice = error.code === 'config.locked' ? ' (is Vestibule running already? Stop it, or give another --data)' : '';
    process.stderr.write(`vestibule: ${error.message}${advice} [${error.code}]\n`);
    process.exitCode = error.code.startsWith('config.') ? EXIT_CONFIG : 1;
  }
}

/** What the system says of a path that a person named or whose owner is another. Whatever else it says is a bug until it is known. */
const PATH_FAULTS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not read or write it',
  EPERM: 'this user may not read or write it',
  EEXIST: 'is there and is no directory',
  ENOTDIR: 'is no directory, or in none',
};
const DISK_FAULTS: Readonly<Record<string, 'store.disk_full' | 'store.read_only'>> = {
  ENOSPC: 'store.disk_full',
  EDQUOT: 'store.disk_full',
  EROFS: 'store.read_only',
};

function fileFault(thrown: unknown): ExpectedError | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const { code = '', path } = thrown as NodeJS.ErrnoException;
  if (path === undefined) return undefined;
  const pathFault = PATH_FAULTS[code];
  if (pathFault !== undefined) return new ConfigError('config.invalid', `${path}: ${pathFault}`, { cause: thrown });
  const diskFault = DISK_FAULTS[code];
  if (diskFault === undefined) return undefined;
  return new StoreError(diskFault, `${path}: the disk is ${code === 'EROFS' ? 'read-only' : 'full'}`, { cause: thrown });
}
