/** Makes a release bundle of the images of its parts. The same parts, version and key give the same bytes. */
import { createHash, type KeyObject, randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DRAFT, syncDirectory } from '../../disk/files.ts';
import { ConfigError } from '../../protocol/errors.ts';
import { bundleStart, encodeReleaseHead, type ReleaseManifest, type ReleasePart, releaseDigest } from '../../protocol/release.ts';
import { packChunk } from '../../protocol/release-chunk.ts';

/** One piece of a fetch, and half a second of a slow card. */
export const USUAL_CHUNK_BYTES = 262_144;

export interface BundleOrder extends Pick<ReleaseManifest, 'version' | 'board' | 'wire'> {
  readonly chunkBytes?: number;
  /** In this order; each a file with the image of a partition. */
  readonly parts: readonly { readonly name: string; readonly path: string }[];
}

export interface MadeBundle {
  /** SHA-256 of the head. */
  readonly digest: Uint8Array;
  readonly lengthBytes: number;
}

/** @returns once the bundle lies whole under `path`. @throws ConfigError `config.invalid` for an empty part; DecodeError as `encodeReleaseHead`. */
export async function makeBundle(order: BundleOrder, signingKey: KeyObject, path: string): Promise<MadeBundle> {
  const { version, board, wire, chunkBytes = USUAL_CHUNK_BYTES } = order;
  const draft = `${path}.${randomBytes(6).toString('hex')}${DRAFT}`;
  // The head, which comes first, tells of all that follows: the chunks wait in a file of their own.
  const waiting = `${draft}.chunks`;
  try {
    const parts = await withFile(waiting, 'wx', async (chunks) => {
      const packed: ReleasePart[] = [];
      for (const { name, path: image } of order.parts) packed.push(await packPart(name, image, chunkBytes, chunks));
      return packed;
    });
    const head = encodeReleaseHead({ version, board, wire, chunkBytes, parts }, signingKey);
    const lengthBytes = await withFile(draft, 'wx', async (bundle) => {
      await writeAll(bundle, bundleStart(head));
      await writeAll(bundle, head);
      await withFile(waiting, 'r', async (chunks) => {
        for await (const piece of piecesOf(chunks, chunkBytes)) await writeAll(bundle, piece);
      });
      await bundle.sync();
      return (await bundle.stat()).size;
    });
    await rename(draft, path);
    syncDirectory(dirname(path));
    return { digest: releaseDigest(head), lengthBytes };
  } finally {
    await rm(waiting, { force: true });
    await rm(draft, { force: true });
  }
}

async function packPart(name: string, image: string, chunkBytes: number, into: FileHandle): Promise<ReleasePart> {
  return await withFile(image, 'r', async (file) => {
    const whole = createHash('sha256');
    const chunks: ReleasePart['chunks'][number][] = [];
    let sizeBytes = 0;
    for await (const plain of piecesOf(file, chunkBytes)) {
      const { stored, chunk } = packChunk(plain);
      whole.update(plain);
      sizeBytes += plain.length;
      chunks.push(chunk);
      await writeAll(into, stored);
    }
    if (sizeBytes === 0) throw new ConfigError('config.invalid', `${image}: is empty`);
    return { name, sizeBytes, digest: new Uint8Array(whole.digest()), chunks };
  });
}

/** All pieces have the length but the last. */
async function* piecesOf(file: FileHandle, lengthBytes: number): AsyncGenerator<Uint8Array, void> {
  for (;;) {
    const piece = new Uint8Array(lengthBytes);
    let filled = 0;
    while (filled < lengthBytes) {
      const { bytesRead } = await file.read(piece, filled, lengthBytes - filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    if (filled > 0) yield piece.subarray(0, filled);
    if (filled < lengthBytes) return;
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
}

async function withFile<T>(path: string, flags: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, flags, 0o644);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}
