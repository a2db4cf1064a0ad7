/** Turns the signals that ask a process to stop into one AbortSignal, and expected errors into an exit status and a sentence. */
import { ExpectedError } from '../protocol/errors.ts';

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

/** Runs a command; an expected error is one line with its code on standard error, and a status that says whose turn it is. */
export async function reportErrors(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof ExpectedError)) throw error;
    process.stderr.write(`vestibule: ${error.message} [${error.code}]\n`);
    process.exitCode = error.code.startsWith('config.') ? EXIT_CONFIG : 1;
  }
}
