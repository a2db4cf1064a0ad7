/** Files that are whole or as they were, also after a power cut. Source: fsync(2), rename(2), link(2). */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { onDisk, systemCodeOf } from './faults.ts';

/** What the name of a draft ends in. */
export const DRAFT = '.draft';

/**
 * Writes a file that is either as it was or whole; a power cut may bring back the one before. For what may change, never for a key.
 * @param mode of the file, such as 0o600. @throws StoreError as `onDisk`; the file is then as it was.
 */
export function replaceFile(path: string, content: Uint8Array, mode: number): void {
  onDisk(path, () => drafted(path, content, mode, (draft) => renameSync(draft, path)));
}

/** As `replaceFile`, and when this returns a power cut can not bring the one before back. @throws what the system says, as it says it. */
export function writeWhole(path: string, content: Uint8Array, mode: number): void {
  drafted(path, content, mode, (draft) => renameSync(draft, path));
  syncDirectory(dirname(path));
}

/** Writes a file that either is not there or is whole. One that is there is left as it is. @throws StoreError as `onDisk`. */
export function writeOnce(path: string, content: Uint8Array, mode: number): void {
  onDisk(path, () => {
    drafted(path, content, mode, (draft) => {
      try {
        // A link fails when the name is taken; a rename would write over it.
        linkSync(draft, path);
      } catch (error) {
        if (systemCodeOf(error) !== 'EEXIST') throw error;
      }
    });
    syncDirectory(dirname(path));
  });
}

/**
 * Writes a draft beside a file, has it take its place, and leaves no draft behind.
 * @param publish gives it its name. @throws what the system says, as it says it.
 */
export function drafted(path: string, content: Uint8Array, mode: number, publish: (draft: string) => void): void {
  const draft = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}${DRAFT}`);
  try {
    writeSynced(draft, content, mode);
    publish(draft);
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * Takes the drafts away that a kill left beside the files they had become: a secret whose file is erased later would lie on under that name. One that
 * somebody else writes just now stays. @throws StoreError as `onDisk`.
 */
export function removeLinkedDrafts(directory: string): void {
  onDisk(directory, () => {
    for (const name of readdirSync(directory).filter((one) => one.endsWith(DRAFT))) {
      const path = join(directory, name);
      if ((statSync(path, { throwIfNoEntry: false })?.nlink ?? 0) > 1) rmSync(path, { force: true });
    }
  });
}

/** Writes a file that must not be there yet. When this returns, a power cut can not lose what is in it; its name, only once its directory is synced. */
export function writeSynced(path: string, content: Uint8Array, mode: number): void {
  const file = openSync(path, 'wx', mode);
  try {
    // One call of write(2) may take a part and say so: a disk that is nearly full does.
    writeFileSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** What was linked, made or renamed in it outlasts a power cut. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
