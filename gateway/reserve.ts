/**
 * Room that is kept for forgetting: a full disk takes no transaction, and so not the one that would drop what is past its time. The file is
 * given up for that one transaction and made again from what it freed.
 */
import { closeSync, fsyncSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { codeOf } from '../protocol/errors.ts';

/** Four times what a step with FEW_AT_ONCE of the longest messages writes; the rest is for a log that is long already. */
const RESERVE_BYTES = 4 * 1_048_576;
/** Real bytes, whatever the file system makes of holes. */
const CHUNK = new Uint8Array(65_536).fill(0x5a);

export class Reserve {
  readonly #path: string;
  #isHeld = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Whether there is room to forget on a full disk. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Makes the file where it is missing or short. Where the disk has no room for it nothing of it stays. @returns whether it is there. */
  hold(): boolean {
    this.#isHeld = (statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0) >= RESERVE_BYTES || this.#make();
    return this.#isHeld;
  }

  /**
   * Runs `step`, and once more with the reserve given up where the disk was full. Nothing else of this process runs between.
   * @param step told whether it is to get along with the reserve.
   * @throws what the last try throws.
   */
  lendTo<T>(step: (isScant: boolean) => T): T {
    try {
      return step(false);
    } catch (error) {
      if (codeOf(error) !== 'store.disk_full' || !this.#isHeld) throw error;
      rmSync(this.#path, { force: true });
      this.#isHeld = false;
      try {
        return step(true);
      } finally {
        this.hold();
      }
    }
  }

  #make(): boolean {
    try {
      const file = openSync(this.#path, 'w', 0o600);
      try {
        for (let bytes = 0; bytes < RESERVE_BYTES; bytes += CHUNK.length)
          if (writeSync(file, CHUNK) < CHUNK.length) throw new Error('full');
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      return true;
    } catch {
      // Full or read-only: the state says so, and what came of it is of use to somebody.
      rmSync(this.#path, { force: true });
      return false;
    }
  }
}
