/**
 * An image file as a stream of bytes, packed or not: what it is, its first bytes say. gzip is Node's own; the others are unpacked by the programs of
 * their names: Node's Zstandard ends in silence after the first of several frames, which pzstd and `cat` make. Nothing is written anywhere.
 * Source of the first bytes: RFC 1952; RFC 8878, section 3.1.1; The .xz File Format 1.2.1, section 2.1.1.1; APPNOTE.TXT 6.3.10, section 4.3.7.
 */
import { spawn } from 'node:child_process';
import { closeSync, createReadStream, openSync, readSync, statSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { systemCodeOf } from '../../disk/faults.ts';
import { FlashError } from '../../protocol/errors.ts';

export type Packing = 'raw' | 'gzip' | 'zstd' | 'xz' | 'zip';

const MAGIC: readonly (readonly [Packing, string])[] = [
  ['gzip', '1f8b'],
  ['zstd', '28b52ffd'],
  ['xz', 'fd377a585a00'],
  ['zip', '504b0304'],
];
const CHUNK_BYTES = 1_048_576;

export interface ImageFile {
  readonly path: string;
  readonly packing: Packing;
  /** Of the file as it is. */
  readonly fileBytes: number;
  /**
   * @param onRead told how many of the file's bytes have been read; for what is raw or gzip only.
   * @returns the image's bytes from the beginning, each time it is called. Ends early on abort.
   * @throws FlashError `flash.bad_image` where it is damaged or gone, `flash.no_tool` where the program for its packing is missing.
   */
  open(signal: AbortSignal, onRead?: (bytes: number) => void): AsyncIterable<Uint8Array>;
}

/** @throws FlashError `flash.bad_image` for what is no file or an empty one. */
export function imageFile(path: string): ImageFile {
  let fileBytes: number;
  let packing: Packing;
  try {
    const stat = statSync(path);
    if (!stat.isFile() || stat.size === 0) throw new FlashError('flash.bad_image', `${path}: is no file with an image in it`);
    fileBytes = stat.size;
    packing = packingOf(path);
  } catch (cause) {
    throw translated(path, cause);
  }
  return { path, packing, fileBytes, open: (signal, onRead) => unpacked(path, packing, signal, onRead) };
}

function packingOf(path: string): Packing {
  const file = openSync(path, 'r');
  try {
    const first = Buffer.alloc(6);
    readSync(file, first, 0, first.length, 0);
    const hex = first.toString('hex');
    return MAGIC.find(([, magic]) => hex.startsWith(magic))?.[0] ?? 'raw';
  } finally {
    closeSync(file);
  }
}

/** What unpacks to standard output, and the Debian package it is in. */
const PROGRAMS: Readonly<Record<Exclude<Packing, 'raw' | 'gzip'>, readonly [string, readonly string[], string]>> = {
  zstd: ['zstd', ['--decompress', '--stdout', '--quiet'], 'zstd'],
  xz: ['xz', ['--decompress', '--stdout'], 'xz-utils'],
  zip: ['unzip', ['-p'], 'unzip'],
};

async function* unpacked(
  path: string,
  packing: Packing,
  signal: AbortSignal,
  onRead?: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  try {
    if (packing === 'raw' || packing === 'gzip') yield* inProcess(path, packing, signal, onRead);
    else yield* programOutput(PROGRAMS[packing], path, signal);
  } catch (cause) {
    if (!signal.aborted) throw translated(path, cause);
  }
}

async function* inProcess(
  path: string,
  packing: 'raw' | 'gzip',
  signal: AbortSignal,
  onRead?: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES, signal });
  const unpacker = packing === 'gzip' ? createGunzip({ chunkSize: CHUNK_BYTES }) : undefined;
  if (unpacker !== undefined) file.on('error', (error) => unpacker.destroy(error)).pipe(unpacker);
  try {
    for await (const chunk of unpacker ?? file) {
      onRead?.(file.bytesRead);
      yield chunk;
    }
  } finally {
    file.destroy();
    unpacker?.destroy();
  }
}

async function* programOutput(
  [program, args, debianPackage]: (typeof PROGRAMS)['xz'],
  path: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const child = spawn(program, [...args, path], { stdio: ['ignore', 'pipe', 'ignore'], signal });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve).once('error', (cause) => {
      const isMissing = systemCodeOf(cause) === 'ENOENT';
      reject(isMissing ? new FlashError('flash.no_tool', `${program}: is not installed (apt install ${debianPackage})`, { cause }) : cause);
    });
  });
  ended.catch(() => {});
  try {
    yield* child.stdout;
    if ((await ended) !== 0) throw new FlashError('flash.bad_image', `${path}: is damaged or cut off, says ${program}`);
  } finally {
    child.kill();
  }
}

function translated(path: string, cause: unknown): unknown {
  if (cause instanceof FlashError) return cause;
  const system = systemCodeOf(cause);
  if (system === 'ENOENT') return new FlashError('flash.bad_image', `${path}: is not there`, { cause });
  if (system !== undefined) return new FlashError('flash.bad_image', `${path}: can not be read (${system})`, { cause });
  const isPacked = cause instanceof Error && 'code' in cause && /^(Z|ERR_)/.test(String(cause.code));
  return isPacked ? new FlashError('flash.bad_image', `${path}: is damaged or cut off`, { cause }) : cause;
}
