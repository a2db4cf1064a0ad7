/** A stream of bytes as blocks of one MiB that lie on pages, each good until some blocks later. Pure but for its memory. */
import { pages } from './card.ts';

export const BLOCK_BYTES = 1_048_576;
/** One that is filled, one that is written, one that somebody looks at. */
const RING = 4;

export interface Block {
  readonly index: number;
  readonly atBytes: number;
  /** All of them BLOCK_BYTES but the last. Good until the third block after it. */
  readonly bytes: Uint8Array;
}

/** What takes the place of a part of the image, on its way to a card. */
export interface Patch {
  readonly atBytes: number;
  readonly bytes: Uint8Array;
}

/** @param patch must lie within the image. */
export async function* blocksOf(stream: AsyncIterable<Uint8Array>, patch?: Patch): AsyncGenerator<Block> {
  const memory = pages(RING * BLOCK_BYTES);
  const ring = Array.from({ length: RING }, (_, at) => memory.subarray(at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES));
  let index = 0;
  let filled = 0;
  const block = (): Block => {
    const bytes = (ring[index % RING] ?? new Uint8Array()).subarray(0, filled);
    const atBytes = index * BLOCK_BYTES;
    if (patch !== undefined) lay(patch, bytes, atBytes);
    return { index, atBytes, bytes };
  };
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + BLOCK_BYTES - filled);
      ring[index % RING]?.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < BLOCK_BYTES) continue;
      yield block();
      index += 1;
      filled = 0;
    }
  }
  if (filled > 0) yield block();
}

/** Lays what of a patch falls into some bytes over them. @param atBytes where they begin. */
export function lay(patch: Patch, bytes: Uint8Array, atBytes: number): void {
  const from = Math.max(patch.atBytes, atBytes);
  const to = Math.min(patch.atBytes + patch.bytes.length, atBytes + bytes.length);
  if (from < to) bytes.set(patch.bytes.subarray(from - patch.atBytes, to - patch.atBytes), from - atBytes);
}
