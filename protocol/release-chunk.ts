/**
 * The chunks of a release bundle: where each lies, and how it is opened. What is not the very bytes that were signed never meets the
 * decompressor. Source: docs/protocol.md, "Releases"; RFC 8878 (zstd).
 */
import { createHash } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { ReleaseError } from './errors.ts';
import { plainBytesOf, type ReleaseManifest, START_BYTES, type StoredChunk } from './release.ts';

/** Nine tenths of what the slowest saves, in a tenth of its time: docs/decisions/0042-updates.md. */
const LEVEL = 9;

export interface PlacedChunk extends StoredChunk {
  readonly part: string;
  /** In the part, unpacked. */
  readonly offset: number;
  readonly plainBytes: number;
  /** In the bundle. */
  readonly at: number;
}

/** @param headBytes of the bundle's head. @returns every chunk, as they follow each other, and how long the bundle is. */
export function layoutOf(
  manifest: ReleaseManifest,
  headBytes: number,
): { readonly chunks: readonly PlacedChunk[]; readonly lengthBytes: number } {
  let at = START_BYTES + headBytes;
  const chunks = manifest.parts.flatMap(({ name, sizeBytes, chunks: stored }) =>
    stored.map((chunk, index): PlacedChunk => {
      const placed = {
        ...chunk,
        part: name,
        offset: index * manifest.chunkBytes,
        plainBytes: plainBytesOf(index, sizeBytes, manifest.chunkBytes),
        at,
      };
      at += chunk.storedBytes;
      return placed;
    }),
  );
  return { chunks, lengthBytes: at };
}

/** @returns the chunk as it lies in a bundle: packed, unless that does not make it shorter. The same bytes for the same bytes. */
export function packChunk(plain: Uint8Array): { readonly stored: Uint8Array; readonly chunk: StoredChunk } {
  const packed = zstdCompressSync(plain, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } });
  const stored = packed.length < plain.length ? new Uint8Array(packed) : plain;
  return { stored, chunk: { storedBytes: stored.length, digest: digestOf(stored) } };
}

/** @param stored as it lies in the bundle. @returns the chunk. @throws ReleaseError `release.altered` unless it is the one that was signed. */
export function openChunk(stored: Uint8Array, { digest, storedBytes, plainBytes }: PlacedChunk): Uint8Array {
  if (stored.length !== storedBytes || Buffer.compare(digestOf(stored), digest) !== 0)
    throw new ReleaseError('release.altered', 'release: a chunk is not the one that was signed');
  if (storedBytes === plainBytes) return stored;
  const plain = unpacked(stored, plainBytes);
  if (plain?.length !== plainBytes) throw new ReleaseError('release.altered', 'release: a chunk does not unpack to its length');
  return plain;
}

function unpacked(stored: Uint8Array, plainBytes: number): Uint8Array | undefined {
  try {
    return new Uint8Array(zstdDecompressSync(stored, { maxOutputLength: plainBytes }));
  } catch {
    return undefined;
  }
}

const digestOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());
