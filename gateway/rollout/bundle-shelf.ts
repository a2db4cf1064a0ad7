/** The bundles that a gateway hands out, as files named by their digest. What is in one it does not judge: kiosks do. */
import { closeSync, copyFileSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { diskCodeOf, onDisk, systemCodeOf } from '../../disk/faults.ts';
import { DRAFT, syncDirectory } from '../../disk/files.ts';
import { StoreError } from '../../protocol/errors.ts';

const ENDING = '.vrelease';

export interface BundlePiece {
  readonly bytes: Uint8Array;
  /** Of the whole bundle. */
  readonly lengthBytes: number;
}

export class BundleShelf {
  readonly #dir: string;

  /** @param dir made when it is needed. */
  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Takes a copy, and the others away: one is handed out at a time. @param digest in hexadecimal. @throws StoreError. */
  put(digest: string, path: string): void {
    onDisk('releases', () => {
      mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
      const draft = join(this.#dir, `${digest}${DRAFT}`);
      try {
        copyFileSync(path, draft);
        sync(draft);
        renameSync(draft, this.#pathOf(digest));
      } finally {
        rmSync(draft, { force: true });
      }
      for (const name of readdirSync(this.#dir)) if (name !== `${digest}${ENDING}`) rmSync(join(this.#dir, name), { force: true });
      syncDirectory(this.#dir);
    });
  }

  /**
   * @param first, last both included; it ends where the bundle does.
   * @returns `undefined` where no such bundle is here; no bytes behind its end. @throws StoreError.
   */
  async piece(digest: string, first: number, last: number): Promise<BundlePiece | undefined> {
    const path = this.#pathOf(digest);
    try {
      const { size } = await stat(path);
      const bytes = new Uint8Array(Math.max(0, Math.min(last + 1, size) - first));
      const file = await open(path, 'r');
      try {
        let filled = 0;
        while (filled < bytes.length) {
          const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, first + filled);
          if (bytesRead === 0) break;
          filled += bytesRead;
        }
        return { bytes: bytes.subarray(0, filled), lengthBytes: size };
      } finally {
        await file.close();
      }
    } catch (error) {
      const system = systemCodeOf(error);
      if (system === 'ENOENT') return undefined;
      const code = diskCodeOf(error);
      if (code === undefined) throw error;
      throw new StoreError(code, `releases: ${system}`, { cause: error });
    }
  }

  #pathOf(digest: string): string {
    return join(this.#dir, `${digest}${ENDING}`);
  }
}

/** A name that lasts longer than what is under it would be handed out cut off. */
function sync(path: string): void {
  const file = openSync(path, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
