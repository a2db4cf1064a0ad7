/**
 * The archive that the firmware loads beside the kernel: a shell, one script, and what is needed to reach the card.
 * Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst (cpio "newc").
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { PARTITIONS } from './layout.ts';
import type { Module } from './modules.ts';

interface Entry {
  readonly path: string;
  readonly mode: number;
  readonly content: Uint8Array;
}

const DIRECTORY = 0o040755;
const PROGRAM = 0o100755;
const FILE = 0o100644;
const LINK = 0o120777;

/** Of the root's beginning, in bytes: squashfs's superblock, which has the place of everything else in it, and what follows. */
export const ROOT_BEGINS_BYTES = 4_096;

/** @param busybox a statically linked one. @param root the packed root of the same release; its beginning is what it is known by. */
export function makeInitrd(busybox: Uint8Array, modules: readonly Module[], root: Uint8Array): Buffer {
  const begins = createHash('sha256').update(root.subarray(0, ROOT_BEGINS_BYTES)).digest('hex');
  const entries: Entry[] = [
    ...['bin', 'modules'].map((path) => ({ path, mode: DIRECTORY, content: new Uint8Array() })),
    { path: 'init', mode: PROGRAM, content: readFileSync(join(import.meta.dirname, 'initrd/init')) },
    { path: 'bin/busybox', mode: PROGRAM, content: busybox },
    { path: 'bin/sh', mode: LINK, content: Buffer.from('busybox') },
    { path: 'partitions', mode: FILE, content: Buffer.from(PARTITIONS.map(({ name, number }) => `${name} ${number}\n`).join('')) },
    { path: 'root-begins', mode: FILE, content: Buffer.from(`${begins}\n`) },
    { path: 'modules/order', mode: FILE, content: Buffer.from(modules.map(({ name }) => `${name}\n`).join('')) },
    ...modules.map(({ name, content }) => ({ path: `modules/${name}`, mode: FILE, content })),
  ];
  const archive = Buffer.concat([...entries.map(archived), archived({ path: 'TRAILER!!!', mode: 0, content: new Uint8Array() })]);
  return gzipSync(archive, { level: 9 });
}

function archived({ path, mode, content }: Entry, at = 0): Buffer {
  const fields = [at + 1, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, path.length + 1, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${path}\0`;
  return Buffer.concat([toFours(Buffer.from(header)), toFours(content)]);
}

const toFours = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
