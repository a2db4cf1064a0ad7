/** Makes a database file its owner's alone before SQLite opens it: SQLite would make it readable for all; its -wal and -shm take its mode. */
import { chmodSync, closeSync, openSync, statSync } from 'node:fs';
import { systemCodeOf } from './faults.ts';

/**
 * Afterwards the file is there, and neither it nor what lies beside it is open to others, also where an earlier release left it so. One that is
 * there is not opened: closing any handle of a file lets go of every POSIX lock that this process has on it (sqlite.org/howtocorrupt.html,
 * section 2.2). What can not be done is left to SQLite, which says in a moment why it can not use the file.
 */
export function makePrivateDatabase(path: string): void {
  for (const file of [path, `${path}-wal`, `${path}-shm`]) closeToOthers(file);
  try {
    // Refused where the file is there, as SQLite takes it.
    closeSync(openSync(path, 'ax', 0o600));
  } catch (error) {
    if (systemCodeOf(error) === undefined) throw error;
  }
}

function closeToOthers(file: string): void {
  try {
    if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600);
  } catch (error) {
    if (systemCodeOf(error) === undefined) throw error;
  }
}
