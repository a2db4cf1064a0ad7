/**
 * A card, opened past the page cache and for nobody else: what is read back comes from the card, what was written is on it, and a disk of which
 * anything is mounted, swapped to, or part of a volume is refused by the kernel itself, also when that came after we looked.
 * Source: open(2), O_DIRECT and O_EXCL ("in use by the system … fails with EBUSY").
 */
import { constants, existsSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { systemCodeOf } from '../../disk/faults.ts';
import { type ErrorCode, FlashError } from '../../protocol/errors.ts';

/** The byte door to a card. Each buffer is one of `pages`; each place a multiple of a sector. */
export interface Card {
  /** Fills `into`. @throws FlashError `flash.disk_gone`, `flash.disk_failed`. */
  read(into: Uint8Array, atBytes: number): Promise<void>;
  /** When it resolves the card has it, but for its own cache. @throws FlashError as `read`, and `flash.too_small`, `flash.read_only`. */
  write(from: Uint8Array, atBytes: number): Promise<void>;
  /** The card's own cache, too. @throws as `write`. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** WebAssembly's memory begins on a page; Node's own buffers begin wherever malloc(3) puts them, and O_DIRECT refuses them. */
const PAGE_BYTES = 65_536;
declare const WebAssembly: {
  readonly Memory: new (size: { readonly initial: number; readonly maximum: number }) => { readonly buffer: ArrayBuffer };
};

/** @returns zeros that may be read into and written from past the page cache. */
export function pages(bytes: number): Uint8Array {
  const count = Math.ceil(bytes / PAGE_BYTES);
  const { buffer } = new WebAssembly.Memory({ initial: count, maximum: count });
  return new Uint8Array(buffer, 0, bytes);
}

/** @param path of a disk. @throws FlashError `flash.in_use`, `flash.not_allowed`, `flash.read_only`, `flash.disk_gone`. */
export async function openCard(path: string, mode: 'write' | 'read'): Promise<Card> {
  const access = mode === 'write' ? constants.O_RDWR | constants.O_EXCL : constants.O_RDONLY;
  const file = await at(path, () => open(path, access | constants.O_DIRECT));
  return {
    read: (into, atBytes) => at(path, () => whole(into, (part, done) => readPart(file, part, atBytes + done))),
    write: (from, atBytes) =>
      at(path, () => whole(from, async (part, done) => (await file.write(part, 0, part.length, atBytes + done)).bytesWritten)),
    flush: () => at(path, () => file.sync()),
    close: () => file.close(),
  };
}

async function readPart(file: FileHandle, part: Uint8Array, position: number): Promise<number> {
  return (await file.read(part, 0, part.length, position)).bytesRead;
}

/** One call may do a part. None of it means that the disk ends there. */
async function whole(bytes: Uint8Array, step: (part: Uint8Array, done: number) => Promise<number>): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const count = await step(bytes.subarray(done), done);
    if (count === 0) throw Object.assign(new Error('the disk ends'), { syscall: 'write', code: 'ENOSPC' });
    done += count;
  }
}

const FAULTS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  EBUSY: ['flash.in_use', 'is in use: a partition of it is mounted, or it belongs to a volume'],
  EACCES: ['flash.not_allowed', 'may not be opened by this user (sudo, or the group disk)'],
  EPERM: ['flash.not_allowed', 'may not be opened by this user (sudo, or the group disk)'],
  EROFS: ['flash.read_only', 'is write-protected'],
  ENOENT: ['flash.disk_gone', 'was taken out'],
  ENODEV: ['flash.disk_gone', 'was taken out'],
  ENXIO: ['flash.disk_gone', 'was taken out'],
  ENOMEDIUM: ['flash.disk_gone', 'was taken out'],
  ENOSPC: ['flash.too_small', 'ends before the image does'],
};

async function at<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    const system = systemCodeOf(cause);
    if (system === undefined) throw cause;
    // A stick that is pulled out in the middle of a write answers EIO before its name goes.
    const [code, words] =
      FAULTS[existsSync(path) ? system : 'ENODEV'] ?? (['flash.disk_failed', `does not take or give bytes (${system})`] as const);
    throw new FlashError(code, `${path}: ${words}`, { cause });
  }
}
