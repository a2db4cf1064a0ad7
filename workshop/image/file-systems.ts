/** Packs trees into the file systems of a card, so that the same tree gives the same bytes. */
import { mkdirSync, mkdtempSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Partition } from './layout.ts';
import { type Programs, runProgram } from './program.ts';
import { writeTar } from './tar.ts';
import type { Tree } from './tree.ts';

export interface Packing {
  readonly programs: Programs;
  /** Of every file, in seconds. */
  readonly epochS: number;
  /** A directory of our own. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

/** Read-only, root's, with modes as the tree has them. @param path is made. */
export async function packSquashfs(tree: Tree, path: string, { programs, epochS, signal }: Packing): Promise<void> {
  rmSync(path, { force: true });
  const compression = ['-comp', 'zstd', '-b', '128K', '-no-xattrs', '-no-progress', '-quiet'];
  const time = ['-mkfs-time', `${epochS}`, '-all-time', `${epochS}`];
  // The archive has no entry for the root itself, which would be open to everybody, and belong to whoever builds. All else is root's anyway.
  const top = ['-root-mode', '0755', '-all-root'];
  await runProgram(programs.sqfstar, [...compression, ...time, ...top, '-reproducible', path], {
    input: writeTar(tree.entries(), epochS),
    signal,
  });
}

/** @param path is made, as long as the partition. @param serial of the volume: eight hexadecimal digits. */
export async function packFat(tree: Tree, path: string, partition: Partition, serial: string, packing: Packing): Promise<void> {
  const { programs, epochS, scratch, signal } = packing;
  const env = { SOURCE_DATE_EPOCH: `${epochS}`, MTOOLS_SKIP_CHECK: '1' };
  const stage = mkdtempSync(join(scratch, 'fat-'));
  rmSync(path, { force: true });
  writeFileSync(path, '');
  truncateSync(path, partition.sizeBytes);
  const label = partition.name.replace(/-[ab]$/, '').toUpperCase();
  const width = partition.type === 0x0c ? ['-F'] : [];
  await runProgram(programs.mformat, ['-i', path, ...width, '-N', serial, '-v', label, '::'], { env, signal });
  for (const { path: name, type, content } of tree.entries()) {
    if (type === 'directory') {
      await runProgram(programs.mmd, ['-i', path, `::/${name}`], { env, signal });
      continue;
    }
    const file = join(stage, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    utimesSync(file, epochS, epochS);
    await runProgram(programs.mcopy, ['-i', path, '-m', file, `::/${name}`], { env, signal });
  }
  rmSync(stage, { recursive: true });
}

/** An empty file system for what a kiosk keeps. @param path is made, as long as the partition. */
export async function packData(path: string, { sizeBytes }: Partition, { programs, epochS, signal }: Packing): Promise<void> {
  rmSync(path, { force: true });
  const id = '56455354-4942-4c45-8000-000000000007';
  const extended = `lazy_itable_init=0,lazy_journal_init=0,hash_seed=${id},root_owner=0:0`;
  // Where the medium fails nothing more is written, and the kiosk says so; and a power cut finds no file longer than what was written into it.
  const args = ['-q', '-F', '-t', 'ext4', '-L', 'data', '-U', id, '-E', extended, '-e', 'remount-ro', '-m', '1', '-J', 'size=16'];
  await runProgram(programs.mke2fs, [...args, path, `${sizeBytes / 1_024}k`], {
    env: { E2FSPROGS_FAKE_TIME: `${epochS}`, SOURCE_DATE_EPOCH: `${epochS}` },
    signal,
  });
}
