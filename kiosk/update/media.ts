/** Bundles on media that somebody plugged in, and one that a person named. */
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { onDisk, systemCodeOf } from '../../disk/faults.ts';
import { writeWhole } from '../../disk/files.ts';

/** What a bundle's name ends in. */
export const BUNDLE_ENDING = '.vrelease';
/** In the data directory: the path of a bundle that a person wants to be taken. */
const ASKED = 'update.asked';
/** A stick lies one level below, and where users have directories of their own two. */
const DEEPEST = 2;
/** Bundles, and directories, of one directory. A stick's photographs are not counted: a bundle may lie behind them. */
const MOST_OF_A_KIND = 1_000;

export interface FoundBundle {
  readonly path: string;
  /** Another one when another bundle lies there. */
  readonly mark: string;
  /** A person named it, and is to be told whatever becomes of it. */
  readonly isAsked: boolean;
}

/** @returns the bundle that a person named first, then those on `media`. What can not be read is not there. */
export async function findBundles(dir: string, media: readonly string[]): Promise<FoundBundle[]> {
  const asked = await askedIn(dir);
  const paths = [...(asked === undefined ? [] : [asked])];
  for (const place of media) paths.push(...(await bundlesIn(place, DEEPEST)));
  const found: FoundBundle[] = [];
  for (const path of new Set(paths)) {
    const known = await stat(path).catch(() => undefined);
    if (known?.isFile() === true) found.push({ path, mark: `${path} ${known.size} ${known.mtimeMs}`, isAsked: path === asked });
  }
  return found;
}

/** Has the kiosk that runs here, or the next that starts, take a bundle. @throws StoreError. */
export const askFor = (dir: string, path: string): void => onDisk(ASKED, () => writeWhole(join(dir, ASKED), Buffer.from(path), 0o600));

/** A bundle that was named is done with, whatever became of it. */
export async function forgetAsked(dir: string, path: string): Promise<void> {
  if ((await askedIn(dir)) === path) await rm(join(dir, ASKED), { force: true });
}

async function askedIn(dir: string): Promise<string | undefined> {
  return await readFile(join(dir, ASKED), 'utf8').catch(() => undefined);
}

async function bundlesIn(place: string, deep: number): Promise<string[]> {
  try {
    const entries = await readdir(place, { withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith(BUNDLE_ENDING)).slice(0, MOST_OF_A_KIND);
    const below = deep === 0 ? [] : entries.filter((entry) => entry.isDirectory()).slice(0, MOST_OF_A_KIND);
    const nested: string[] = [];
    for (const { name } of below) nested.push(...(await bundlesIn(join(place, name), deep - 1)));
    return [...files.map(({ name }) => join(place, name)), ...nested];
  } catch (error) {
    if (systemCodeOf(error) === undefined) throw error;
    return [];
  }
}
