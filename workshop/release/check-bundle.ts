/** Reads a bundle as a kiosk would: head first, and every chunk, but writes nothing anywhere. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { DecodeError, ReleaseError } from '../../protocol/errors.ts';
import { openReleaseHead, type ReleaseManifest, readBundleStart, releaseDigest, START_BYTES } from '../../protocol/release.ts';
import { layoutOf, openChunk } from '../../protocol/release-chunk.ts';

export interface CheckedBundle {
  readonly manifest: ReleaseManifest;
  /** SHA-256 of the head. */
  readonly digest: Uint8Array;
  readonly lengthBytes: number;
}

/**
 * @param keys raw Ed25519. @returns what is in it, when all of it is what was signed.
 * @throws ReleaseError `release.truncated`, `release.altered`, `release.unknown_key`; SealError; DecodeError for what is no bundle.
 */
export async function checkBundle(path: string, keys: readonly Uint8Array[]): Promise<CheckedBundle> {
  const file = await open(path, 'r');
  try {
    const headBytes = readBundleStart(await readUpTo(file, 0, START_BYTES));
    const head = await readUpTo(file, START_BYTES, headBytes);
    const { size } = await file.stat();
    if (head.length < headBytes) throw truncated(size, START_BYTES + headBytes);
    const manifest = openReleaseHead(head, keys);
    const { chunks, lengthBytes } = layoutOf(manifest, headBytes);
    if (size < lengthBytes) throw truncated(size, lengthBytes);
    if (size > lengthBytes) throw new DecodeError('decode.malformed', `release: ${size - lengthBytes} bytes after its end`);
    for (const { name, digest } of manifest.parts) {
      const whole = createHash('sha256');
      for (const chunk of chunks.filter(({ part }) => part === name))
        whole.update(openChunk(await readUpTo(file, chunk.at, chunk.storedBytes), chunk));
      if (Buffer.compare(whole.digest(), digest) !== 0)
        throw new ReleaseError('release.altered', `release: the part ${name} is not the one that was signed`);
    }
    return { manifest, digest: releaseDigest(head), lengthBytes };
  } finally {
    await file.close();
  }
}

async function readUpTo(file: FileHandle, at: number, lengthBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(lengthBytes);
  let filled = 0;
  while (filled < lengthBytes) {
    const { bytesRead } = await file.read(bytes, filled, lengthBytes - filled, at + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

const truncated = (has: number, wants: number): ReleaseError => new ReleaseError('release.truncated', `release: ${has} of ${wants} bytes`);
