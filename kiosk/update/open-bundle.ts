/** Checks a bundle before anything of it is unpacked: length, key, signature, board, version, revisions. */
import { DecodeError, ReleaseError } from '../../protocol/errors.ts';
import {
  judgeRelease,
  openReleaseHead,
  type ReleaseManifest,
  type ReleasePlace,
  readBundleStart,
  releaseDigest,
  START_BYTES,
} from '../../protocol/release.ts';
import { layoutOf, type PlacedChunk } from '../../protocol/release-chunk.ts';
import type { BundleSource } from './bundle-source.ts';

export interface OpenBundle {
  /** SHA-256 of the head, in hexadecimal: names the bundle everywhere. */
  readonly digest: string;
  readonly manifest: ReleaseManifest;
  readonly chunks: readonly PlacedChunk[];
}

export interface BundleRules extends ReleasePlace {
  /** Raw Ed25519: whose releases are taken. */
  readonly keys: readonly Uint8Array[];
}

/**
 * @throws ReleaseError `release.truncated`, `release.unknown_key`, and as `judgeRelease`; SealError `seal.signature`; DecodeError for what is no
 * bundle, or goes on after its end; whatever the source throws.
 */
export async function openBundle(source: BundleSource, rules: BundleRules, signal: AbortSignal): Promise<OpenBundle> {
  const { lengthBytes } = source;
  const startBytes = Math.min(START_BYTES, lengthBytes);
  const headBytes = readBundleStart(startBytes === 0 ? new Uint8Array() : await source.read(0, startBytes, signal));
  if (lengthBytes < START_BYTES + headBytes) throw truncated(lengthBytes, START_BYTES + headBytes);
  const head = await source.read(START_BYTES, headBytes, signal);
  const manifest = openReleaseHead(head, rules.keys);
  judgeRelease(manifest, rules);
  const layout = layoutOf(manifest, headBytes);
  if (lengthBytes < layout.lengthBytes) throw truncated(lengthBytes, layout.lengthBytes);
  if (lengthBytes > layout.lengthBytes)
    throw new DecodeError('decode.malformed', `release: ${lengthBytes - layout.lengthBytes} bytes after its end`);
  return { digest: Buffer.from(releaseDigest(head)).toString('hex'), manifest, chunks: layout.chunks };
}

const truncated = (has: number, wants: number): ReleaseError => new ReleaseError('release.truncated', `release: ${has} of ${wants} bytes`);
