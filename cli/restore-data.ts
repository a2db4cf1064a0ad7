/** Restores a data directory from a backup, or only tries whether it could be. */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { inspectCore } from '../core/backup.ts';
import { readCoreKeys } from '../core/keys.ts';
import { syncDirectory } from '../disk/files.ts';
import type { Contents } from '../gateway/backup/archive.ts';
import { onDisk, unpack } from '../gateway/backup/backup-file.ts';
import { type GatewayCounts, inspectGateway } from '../gateway/backup/inspect.ts';
import type { Opening } from '../gateway/backup/locks.ts';
import { markRestored, type Replayed } from '../gateway/backup/mark-restored.ts';
import { openIdentity } from '../gateway/identity.ts';
import { BackupError, ConfigError } from '../protocol/errors.ts';
import type { Clock } from '../protocol/time.ts';
import { type DataPaths, dataPaths } from './data-paths.ts';

export interface Inspected {
  readonly contents: Contents;
  readonly gateway: GatewayCounts;
  /** Day files of the core, and the scans and readings in them. */
  readonly core: { readonly days: number; readonly rows: number };
}

/**
 * Unpacks a backup into a directory of its own among the system's temporary ones, opens every store, counts, and takes it away again.
 * @throws BackupError, StoreError, ConfigError for whatever would stand in a restore's way.
 */
export async function verifyBackup(from: string, opening: Opening): Promise<Inspected> {
  const trial = draftBeside(join(tmpdir(), 'vestibule'));
  try {
    return await unpackAndInspect(from, opening, trial);
  } finally {
    rmSync(trial, { recursive: true, force: true });
  }
}

/**
 * Restores a backup: afterwards `directory` is a whole data directory, or as it was.
 * @param directory not there, or empty. @param after.revocations the copy of the log that was kept apart. @throws BackupError `backup.not_empty` and as unpack; ConfigError; StoreError.
 */
export async function restoreData(
  from: string,
  opening: Opening,
  directory: string,
  { revocations, clock }: { readonly revocations?: string; readonly clock: Clock },
): Promise<Inspected & { readonly replayed: Replayed }> {
  const to = resolve(directory);
  refuseUsed(to);
  removeDrafts(to);
  const draft = draftBeside(to);
  try {
    const inspected = await unpackAndInspect(from, opening, draft);
    const backupAtMs = inspected.contents.createdAtMs;
    const replayed = await markRestored(dataPaths(draft).gateway, { backupAtMs, revocations, clock });
    refuseUsed(to);
    onDisk(to, () => {
      // The one step that counts: an empty directory is replaced, any other refused by the system itself.
      renameInto(draft, to);
      syncDirectory(dirname(to));
    });
    return { ...inspected, replayed };
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

async function unpackAndInspect(from: string, opening: Opening, draft: string): Promise<Inspected> {
  const contents = await unpack(from, opening, draft);
  const paths = dataPaths(draft);
  await refuseOther(paths, contents);
  const { storeKey } = await readCoreKeys(paths.coreKeys);
  return { contents, gateway: await inspectGateway(paths.gateway), core: inspectCore(paths.core, storeKey) };
}

/** What says of itself to be of one deployment and holds another's keys was put together by hand. */
async function refuseOther(paths: DataPaths, { deployment }: Contents): Promise<void> {
  const keys = join(paths.gateway, 'keys', 'deployment');
  if (!existsSync(keys) || (await openIdentity(paths.gateway)).deployment !== deployment)
    throw new BackupError('backup.altered', 'backup: its keys are not of the deployment that it says to be of');
}

function refuseUsed(directory: string): void {
  if (existsSync(directory) && readdirSync(directory).length > 0)
    throw new BackupError('backup.not_empty', `${directory}: is not empty (restore into another, or move away what is there)`);
}

/** On the same file system, so that it can be renamed. */
const draftBeside = (path: string): string => join(dirname(path), `.${basename(path)}-${randomBytes(6).toString('hex')}.restoring`);

/** What a restore into the same place left that was killed: keys are in it. */
function removeDrafts(path: string): void {
  const begins = `.${basename(path)}-`;
  const names = existsSync(dirname(path)) ? readdirSync(dirname(path)) : [];
  for (const name of names)
    if (name.startsWith(begins) && /^[0-9a-f]{12}\.restoring$/.test(name.slice(begins.length)))
      rmSync(join(dirname(path), name), { recursive: true, force: true });
}

function renameInto(draft: string, to: string): void {
  try {
    renameSync(draft, to);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOTEMPTY') throw new BackupError('backup.not_empty', `${to}: is not empty`, { cause });
    if (code === 'EBUSY' || code === 'EXDEV')
      throw new ConfigError('config.invalid', `${to}: is where a disk is mounted (restore into a directory in it)`, { cause });
    throw cause;
  }
}
