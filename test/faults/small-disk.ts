/**
 * A disk of its own for one directory, that a test can fill, make read-only and break: ext4 on a loop device for root, tmpfs for anybody
 * else. Only to be used where mounts are this process's own (disks.test.ts), so that nothing stays mounted however a test ends.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

/** Below this mkfs.ext4 makes a file system that is all tables. */
const SIZE_MIB = 24;
const FILLER = 'filler';
const CHUNK = new Uint8Array(65_536);

interface Test {
  teardown(run: () => void): void;
}

/** A directory for mounts: t.testdir would be removed before they are. */
export function mountableRoot(t: Test): string {
  const root = mkdtempSync(join(tmpdir(), 'vestibule-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

export class SmallDisk {
  readonly kind: 'ext4' | 'tmpfs';
  readonly #directory: string;
  readonly #image: string;

  /** Mounts an empty disk on `directory`, which is made, until the test's end. @throws Error when neither kind can be mounted. */
  constructor(t: Test, directory: string) {
    this.#directory = directory;
    this.#image = `${directory}.image`;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.kind = this.#mountExt4(true) ? 'ext4' : 'tmpfs';
    if (this.kind === 'tmpfs') run('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_MIB}M`, 'tmpfs', directory]);
    chmodSync(directory, 0o700);
    // Teardowns run in the opposite order: after all that uses it has closed, before the root is removed.
    t.teardown(() => void run('umount', ['--lazy', directory]));
  }

  /** Takes every free byte: nothing can be written any more. */
  fill(): void {
    const file = openSync(join(this.#directory, FILLER), 'a');
    try {
      for (let length = CHUNK.length; length >= 1; length >>= 1) while (wasWritten(file, CHUNK.subarray(0, length)));
    } finally {
      closeSync(file);
    }
  }

  /** Gives back what `fill` took. */
  empty(): void {
    rmSync(join(this.#directory, FILLER), { force: true });
  }

  /** Only while no file on it is open for writing. */
  mayWrite(may: boolean): void {
    run('mount', ['-o', `remount,${may ? 'rw' : 'ro'}`, this.#directory]);
  }

  /** The kernel meets an error on it and lets nothing be written any more, under the hands of whoever has files open. */
  breakDown(): void {
    if (this.kind !== 'ext4') throw new Error('a disk that breaks down needs ext4 on a loop device, and that needs root');
    const device = run('findmnt', ['-no', 'SOURCE', this.#directory]).trim();
    writeFileSync(`/sys/fs/ext4/${basename(device)}/trigger_fs_error`, '1');
  }

  /** As a technician would: taken out, checked, put back. Nobody may have a file open on it. */
  repair(): void {
    run('umount', [this.#directory]);
    spawnSync('e2fsck', ['-fy', this.#image]);
    if (!this.#mountExt4(false)) throw new Error('the repaired disk can not be mounted');
  }

  #mountExt4(isNew: boolean): boolean {
    if (isNew) {
      writeFileSync(this.#image, '');
      run('truncate', ['-s', `${SIZE_MIB}M`, this.#image]);
      // None of it for root alone, or a full disk would not be full for a test that is root.
      run('mkfs.ext4', ['-q', '-m', '0', this.#image]);
    }
    return spawnSync('mount', ['-o', 'loop,errors=remount-ro', this.#image, this.#directory]).status === 0;
  }
}

function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (error !== undefined) throw new Error(`${command}: ${error.message} (e2fsprogs and util-linux have it)`);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

function wasWritten(file: number, bytes: Uint8Array): boolean {
  try {
    return writeSync(file, bytes) > 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    return false;
  }
}
