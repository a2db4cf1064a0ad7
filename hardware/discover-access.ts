/** Who may open a device's file. Reads names of users and groups from the system's own files; asks no directory service. */
import { access, constants, readFile, stat } from 'node:fs/promises';

export interface Access {
  /** Names, or numbers where the system's files have none. */
  readonly owner: string;
  readonly group: string;
  /** Whether the group may read and write. */
  readonly mayGroup: boolean;
  /** Whether anybody may. */
  readonly mayAll: boolean;
  /** Whether this process may read and write: the kernel's own answer, access lists and root's powers included. */
  readonly mayThis: boolean;
}

const READ_WRITE = constants.R_OK | constants.W_OK;

/** @returns `undefined` when there is no such file. */
export async function accessOf(path: string, etcDir = '/etc'): Promise<Access | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  const [owner, group, mayThis] = await Promise.all([
    nameIn(`${etcDir}/passwd`, found.uid),
    nameIn(`${etcDir}/group`, found.gid),
    access(path, READ_WRITE).then(
      () => true,
      () => false,
    ),
  ]);
  return { owner, group, mayGroup: (found.mode & 0o060) === 0o060, mayAll: (found.mode & 0o006) === 0o006, mayThis };
}

/** passwd(5), group(5): name, password, number. */
async function nameIn(path: string, id: number): Promise<string> {
  const lines = (await readFile(path, 'utf8').catch(() => '')).split('\n').map((line) => line.split(':'));
  return lines.find(([, , number]) => number === String(id))?.[0] ?? String(id);
}
