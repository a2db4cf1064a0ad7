/** Where a release bundle is read from, a piece at a time. */
import { open } from 'node:fs/promises';
import { ReleaseError } from '../../protocol/errors.ts';

export interface BundleSource {
  /** Of the whole bundle. */
  readonly lengthBytes: number;
  /**
   * @returns exactly so many bytes. @throws ReleaseError `release.truncated` where the bundle ends before; LinkError, or what the system says of a
   * file, where it can not be read now.
   */
  read(offset: number, lengthBytes: number, signal: AbortSignal): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A bundle that lies on a medium. @throws what the system says. */
export async function openFileSource(path: string): Promise<BundleSource> {
  const file = await open(path, 'r');
  const { size } = await file.stat();
  return {
    lengthBytes: size,
    async read(offset, lengthBytes) {
      const bytes = new Uint8Array(lengthBytes);
      for (let at = 0; at < lengthBytes; ) {
        const { bytesRead } = await file.read(bytes, at, lengthBytes - at, offset + at);
        if (bytesRead === 0) throw new ReleaseError('release.truncated', `release: ends after ${offset + at} bytes`);
        at += bytesRead;
      }
      return bytes;
    },
    close: () => file.close(),
  };
}
