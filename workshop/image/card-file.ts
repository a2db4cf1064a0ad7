/** A card as a file: as long as a card, and holding only what was written into it. */
import { closeSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { type Block, IMAGE_BYTES, type Partition, partitionTable } from './layout.ts';

/** At once, of a file that is copied. */
const CHUNK_BYTES = 1_048_576;

/** Writes each block where it belongs. @param path a file, or a disk, that is there. */
export function writeBlocks(path: string, blocks: readonly Block[]): void {
  const file = openSync(path, 'r+');
  try {
    for (const { offsetBytes, bytes } of blocks) writeSync(file, bytes, 0, bytes.length, offsetBytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Makes an empty card with its partition table. What was there is gone. */
export function makeCard(path: string): void {
  const file = openSync(path, 'w');
  ftruncateSync(file, IMAGE_BYTES);
  closeSync(file);
  writeBlocks(path, partitionTable());
}

/**
 * Puts a file system into its partition; blocks of zeros stay holes.
 * @throws Error when it is longer than the partition.
 */
export function fillPartition(card: string, { name, startBytes, sizeBytes }: Partition, content: string): void {
  const from = openSync(content, 'r');
  const to = openSync(card, 'r+');
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    const zeros = Buffer.alloc(CHUNK_BYTES);
    for (let at = 0; ; ) {
      const readBytes = readSync(from, chunk, 0, CHUNK_BYTES, at);
      if (readBytes === 0) break;
      if (at + readBytes > sizeBytes) throw new Error(`${name}: longer than its ${sizeBytes} bytes`);
      const bytes = chunk.subarray(0, readBytes);
      if (!zeros.subarray(0, readBytes).equals(bytes)) writeSync(to, bytes, 0, readBytes, startBytes + at);
      at += readBytes;
    }
    fsyncSync(to);
  } finally {
    closeSync(from);
    closeSync(to);
  }
}
