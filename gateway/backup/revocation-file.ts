/**
 * The copy of the revocation log that is kept apart from the gateway's disk: a text file, a sealed line for each change. It is made longer
 * and never shorter: one that goes further than the log stays, one that has parted from it is left as it is, under another name.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { diskCodeOf, systemCodeOf } from '../../disk/faults.ts';
import { replaceFile } from '../../disk/files.ts';
import { BackupError, ConfigError, StoreError } from '../../protocol/errors.ts';
import { LONGEST_LINE, RevocationLog, readChanges } from './revocation-log.ts';

const NAME = 'vestibule-revocations.log';
/** Of a copy that is read: a hundred thousand changes. */
const MOST_BYTES = 64 * 1_048_576;

/** Where the second place is written down: a path, alone. */
const settingPath = (directory: string): string => join(directory, 'second-place');

/** @returns the directory that copies go to; `undefined` where none was named. */
export function secondPlace(directory: string): string | undefined {
  const path = settingPath(directory);
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
}

/** @param place an absolute path of a directory, on another disk than the gateway's. @throws StoreError. */
export const setSecondPlace = (directory: string, place: string): void =>
  replaceFile(settingPath(directory), Buffer.from(`${place}\n`), 0o600);

/** @returns the copy that lies in the second place that a gateway's files name; `undefined` where there is none. */
export function copyInSecondPlace(directory: string): string | undefined {
  const place = secondPlace(directory);
  const path = place === undefined ? undefined : join(place, NAME);
  return path !== undefined && existsSync(path) ? path : undefined;
}

/** @param path a copy. @returns those beside it that it did not go on from: what they say and it does not is in no other place. */
export const copiesBeside = (path: string): string[] =>
  readdirSync(dirname(path))
    .filter((name) => name.startsWith(`${basename(path)}.`) && /^\.\d+$/.test(name.slice(basename(path).length)))
    .sort()
    .map((name) => join(dirname(path), name));

/**
 * Brings the copy up to the log. @returns its path; `undefined` where no second place was named.
 * @throws StoreError `store.disk_full`, `store.read_only`, `store.failed` when that can not be written now.
 */
export async function copyRevocations(directory: string, storeKey: Uint8Array): Promise<string | undefined> {
  const place = secondPlace(directory);
  if (place === undefined) return undefined;
  const log = new RevocationLog(directory, storeKey);
  const lines = readAndClose(log);
  const path = join(place, NAME);
  try {
    await mkdir(place, { recursive: true, mode: 0o700 });
    const present = await readIfThere(path);
    const text = lines.map((line) => `${line}\n`).join('');
    // Longer than the log: this gateway was restored without it. It may be asked for yet.
    if (present?.startsWith(text)) return path;
    if (present !== undefined && !text.startsWith(present)) await rename(path, await freeName(path));
    await writeWhole(place, path, text);
    return path;
  } catch (cause) {
    const code = diskCodeOf(cause);
    if (code === undefined) throw cause;
    throw new StoreError(code, `${path}: ${systemCodeOf(cause)}`, { cause });
  }
}

/**
 * @param path a copy. @param log of the restored gateway: the copy must go on from it.
 * @returns the lines beyond it. @throws ConfigError `config.invalid` when it can not be read; BackupError `backup.altered` when it is another
 * gateway's, was altered, or ends before the backup was made.
 */
export function linesBeyond(path: string, log: RevocationLog, storeKey: Uint8Array): string[] {
  const lines = linesIn(path);
  readChanges(lines, storeKey);
  const known = log.lines();
  if (known.some((line, at) => lines[at] !== line))
    throw new BackupError('backup.altered', `${path}: ${lines.length} lines that do not go on from the ${known.length} in the backup`);
  return lines.slice(known.length);
}

function linesIn(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch (cause) {
    throw new ConfigError('config.invalid', `${path}: can not be read`, { cause });
  }
  if (text.length > MOST_BYTES) throw new BackupError('backup.altered', `${path}: longer than any such log`);
  // What has no end of line was being written.
  const lines = text.split('\n').slice(0, -1);
  if (lines.some((line) => line.length > LONGEST_LINE)) throw new BackupError('backup.altered', `${path}: is no log of revocations`);
  return lines;
}

function readAndClose(log: RevocationLog): string[] {
  try {
    return log.lines();
  } finally {
    log.close();
  }
}

async function writeWhole(place: string, path: string, text: string): Promise<void> {
  const draft = join(place, `.${NAME}.${randomBytes(6).toString('hex')}.draft`);
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(text, 'latin1');
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function freeName(path: string): Promise<string> {
  for (let number = 1; ; number++) {
    const name = `${path}.${number}`;
    if ((await readIfThere(name)) === undefined) return name;
  }
}
