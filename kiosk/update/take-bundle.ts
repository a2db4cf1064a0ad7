/**
 * Writes a checked bundle to the slot that does not run, chunk by chunk: each is checked as it lies in the bundle, unpacked, written, and on the
 * medium before it is counted. Goes on where the memory says.
 */
import { createHash } from 'node:crypto';
import { ReleaseError } from '../../protocol/errors.ts';
import type { Log } from '../../protocol/log.ts';
import { openChunk } from '../../protocol/release-chunk.ts';
import { versionText } from '../../protocol/release-version.ts';
import type { BundleSource } from './bundle-source.ts';
import type { OpenBundle } from './open-bundle.ts';
import type { SlotBytes, SlotName } from './slots.ts';
import type { UpdateMemory, Work } from './update-state.ts';

export interface TakeDoors {
  readonly memory: UpdateMemory;
  readonly slots: SlotBytes;
  readonly to: SlotName;
  readonly from: Work['from'];
  /** Before each chunk: lets all go first that is more urgent. */
  readonly giveWay: (bytes: number, signal: AbortSignal) => Promise<void>;
  readonly onProgress: () => void;
  readonly log: Log;
}

/** The memory is written so seldom: it is two more syncs. */
const CHUNKS_BETWEEN_NOTES = 16;

/**
 * When it resolves, the release lies sealed in the slot and the memory says `ready`; on abort it may not be done.
 * @throws ReleaseError `release.altered`, `release.no_room`; StoreError; what the source throws. What was written stays and is gone on from, but
 * after `release.altered` nothing of it counts.
 */
export async function takeBundle(bundle: OpenBundle, source: BundleSource, doors: TakeDoors, signal: AbortSignal): Promise<void> {
  const { memory, slots, to, from, giveWay, onProgress, log } = doors;
  const { digest, manifest, chunks } = bundle;
  const release = { digest, version: versionText(manifest.version), from, to };
  const note = (done: number) => {
    memory.set({ work: { phase: 'taking', ...release, chunks: done } });
    onProgress();
  };
  try {
    await slots.begin(manifest.parts);
    const before = memory.now.work;
    let done = before?.phase === 'taking' && before.digest === digest && before.to === to ? Math.min(before.chunks, chunks.length) : 0;
    note(done);
    for (const chunk of chunks.slice(done)) {
      await giveWay(chunk.storedBytes, signal);
      if (signal.aborted) return;
      const plain = openChunk(await source.read(chunk.at, chunk.storedBytes, signal), chunk);
      await slots.write(chunk.part, chunk.offset, plain);
      log.debug('update.chunk_written', () => ({ part: chunk.part }));
      await slots.sync();
      done += 1;
      if (done % CHUNKS_BETWEEN_NOTES === 0) note(done);
    }
    note(done);
    log.debug('update.all_written', () => ({ chunks: done }));
    await readBack(bundle, slots, signal);
    if (signal.aborted) return;
    await slots.seal();
    log.debug('update.sealed', () => ({}));
    memory.set({ work: { phase: 'ready', ...release, tries: 0 } });
    log.debug('update.ready', () => ({}));
    onProgress();
  } catch (error) {
    if (error instanceof ReleaseError && error.code === 'release.altered') memory.set({ work: undefined });
    throw error;
  }
}

/** @throws ReleaseError `release.altered` when a part is not what was signed: the card takes what it is given and keeps something else. */
async function readBack({ manifest }: OpenBundle, slots: SlotBytes, signal: AbortSignal): Promise<void> {
  for (const { name, sizeBytes, digest } of manifest.parts) {
    const hash = createHash('sha256');
    for (let at = 0; at < sizeBytes; at += manifest.chunkBytes) {
      if (signal.aborted) return;
      hash.update(await slots.read(name, at, Math.min(manifest.chunkBytes, sizeBytes - at)));
    }
    if (Buffer.compare(hash.digest(), digest) !== 0)
      throw new ReleaseError('release.altered', `slot: the part ${name} does not read back as it was written`);
  }
}
