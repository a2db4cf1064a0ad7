/**
 * A guest's first file system: a shell, a script, and the modules without which it finds no other. Written by ourselves, so that it needs
 * no program and no root. Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst (cpio "newc").
 */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { filesOfModules, type Kernel } from './kernel.ts';

interface Entry {
  readonly path: string;
  readonly mode: number;
  readonly content: Buffer;
}

const DIRECTORY = 0o040755;
const FILE = 0o100755;
const LINK = 0o120777;

/** Finds the root by 9p, which takes a virtio device, and speaks to the host and finds randomness by others. */
const FIRST_MODULES = ['virtio_pci', '9pnet_virtio', '9p', 'overlay', 'virtio_console', 'virtio_rng'];

/** @param busybox a statically linked one. @returns the archive, not compressed: a guest on an emulated processor unpacks slowly. */
export function makeInitrd(kernel: Kernel, busybox: string, moreModules: readonly string[]): Buffer {
  const modules = filesOfModules(kernel, [...FIRST_MODULES, ...moreModules]);
  const entries: Entry[] = [
    ...['bin', 'dev', 'proc', 'sys', 'host', 'root', 'writes', 'modules'].map((path) => ({
      path,
      mode: DIRECTORY,
      content: Buffer.alloc(0),
    })),
    { path: 'init', mode: FILE, content: readFileSync(join(import.meta.dirname, 'init.sh')) },
    { path: 'bin/busybox', mode: FILE, content: readFileSync(busybox) },
    { path: 'bin/sh', mode: LINK, content: Buffer.from('busybox') },
    { path: 'modules/order', mode: FILE, content: Buffer.from(modules.map((file) => `/modules/${basename(file)}\n`).join('')) },
    ...modules.map((file) => ({ path: `modules/${basename(file)}`, mode: FILE, content: readFileSync(file) })),
  ];
  return Buffer.concat([...entries.map(archived), archived({ path: 'TRAILER!!!', mode: 0, content: Buffer.alloc(0) })]);
}

function archived({ path, mode, content }: Entry, at = 0): Buffer {
  const fields = [at + 1, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, path.length + 1, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${path}\0`;
  return Buffer.concat([toFours(Buffer.from(header)), toFours(content)]);
}

const toFours = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
