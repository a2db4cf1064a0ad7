/** slow-fsync.c as a library for child processes: what it needs in their environment, and what it counted. */
import { execFileSync } from 'node:child_process';
import { openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface FsyncCounts {
  /** Of the main thread: what a scan, or a batch, waits for. */
  readonly main: number;
  readonly otherThreads: number;
  /** fdatasync of any thread: SQLite is built to call fsync, so these are the floor's. */
  readonly fdatasyncs: number;
}

/** Compiles it into `dir`. @returns what the children's runs need. @throws where there is no C compiler. */
export function buildFsyncLibrary(dir: string): string {
  const library = join(dir, 'slow-fsync.so');
  execFileSync('cc', ['-shared', '-fPIC', '-O2', join(import.meta.dirname, 'slow-fsync.c'), '-o', library, '-ldl']);
  return library;
}

/** Reads, in the child itself, how long its main thread has spent in fsync and fdatasync so far. @returns milliseconds. */
export function spentReader(countFile: string): () => number {
  const file = openSync(countFile, 'r');
  const spent = Buffer.alloc(8);
  return () => {
    readSync(file, spent, 0, 8, 32);
    return Number(spent.readBigUInt64LE()) / 1e6;
  };
}

/** One child's: its environment, and its counters, which may be read while it runs. */
export class FsyncWatch {
  readonly env: Readonly<Record<string, string>>;
  readonly #countFile: string;

  /** @param extraUs added to each fsync and fdatasync. */
  constructor(library: string, countFile: string, extraUs: number) {
    this.#countFile = countFile;
    writeFileSync(countFile, new Uint8Array(40));
    this.env = { LD_PRELOAD: library, FSYNC_COUNT_FILE: countFile, FSYNC_EXTRA_US: String(extraUs) };
  }

  counts(): FsyncCounts {
    const bytes = readFileSync(this.#countFile);
    const [main, otherThreads, mainData, otherData] = [0, 8, 16, 24].map((at) => Number(bytes.readBigUInt64LE(at))) as [
      number,
      number,
      number,
      number,
    ];
    return { main, otherThreads, fdatasyncs: mainData + otherData };
  }
}
