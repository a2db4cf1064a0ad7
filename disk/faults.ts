/** What a file system says, as the code of whoever has to act. Source: errno(3). */
import { codeOf, type ErrorCode, StoreError } from '../protocol/errors.ts';

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'store.disk_full',
  EDQUOT: 'store.disk_full',
  EFBIG: 'store.disk_full',
  EROFS: 'store.read_only',
  EACCES: 'store.read_only',
  EPERM: 'store.read_only',
};

/** @returns the name of a system call's failure, `ENOSPC` for example; `undefined` for anything else. */
export const systemCodeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'syscall' in error && 'code' in error ? String(error.code) : undefined;

/** @returns `store.disk_full`, `store.read_only` or `store.failed` for what a file system said; `undefined` for anything else. */
export function diskCodeOf(error: unknown): ErrorCode | undefined {
  const system = systemCodeOf(error);
  return system === undefined ? undefined : (CODES[system] ?? 'store.failed');
}

/**
 * Runs something that touches files. @param subject begins the message.
 * @throws StoreError `store.disk_full`, `store.read_only` or `store.failed` for what a file system said; anything else as it is.
 */
export function onDisk<T>(subject: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    const code = codeOf(cause) === undefined ? diskCodeOf(cause) : undefined;
    if (code === undefined) throw cause;
    throw new StoreError(code, `${subject}: ${systemCodeOf(cause)}`, { cause });
  }
}
