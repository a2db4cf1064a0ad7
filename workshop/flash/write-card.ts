/**
 * Writes an image to a card and reads it back. The first MiB, in which partition table and boot record lie, is blank from the first moment and
 * written last, when all the rest has been read back: a card on which anything went wrong, or whose writer was killed, boots nothing.
 */
import { FlashError } from '../../protocol/errors.ts';
import { BLOCK_BYTES, type Block, blocksOf } from './blocks.ts';
import { type Card, pages } from './card.ts';
import type { Disk } from './disks.ts';
import { digestOf, type Plan } from './examine.ts';

export type Stage = 'writing' | 'verifying';

/** @param doneBytes of `totalBytes` of this stage. */
export type OnProgress = (stage: Stage, doneBytes: number, totalBytes: number) => void;

/**
 * When it resolves to true, every byte of the image was read back from the card as it should be. Resolves to false when aborted: the card is blank at
 * its beginning then.
 * @throws FlashError `flash.differs` with the first byte that does; `flash.bad_image` when the image file is not what it was; as `Card`.
 */
export async function writeCard(card: Card, disk: Disk, plan: Plan, onProgress: OnProgress, signal: AbortSignal): Promise<boolean> {
  await blank(card, disk, plan);
  const first = await writeRest(card, disk, plan, onProgress, signal);
  if (first === undefined) return false;
  await card.flush();
  if (!(await verifyCard(card, disk, plan, { from: 1 }, onProgress, signal))) return false;
  try {
    await card.write(first, 0);
    await card.flush();
    // A moment, and not to be cut off: it is done then, or boots nothing.
    return await verifyCard(card, disk, plan, { to: 1 }, () => {}, new AbortController().signal);
  } catch (error) {
    await blankAgain(card, first.length);
    throw error;
  }
}

/** A card that does not take this either is told of by what went wrong before. */
async function blankAgain(card: Card, lengthBytes: number): Promise<void> {
  try {
    await card.write(pages(lengthBytes), 0);
    await card.flush();
  } catch (error) {
    if (!(error instanceof FlashError)) throw error;
  }
}

/** Also the end, where a GPT keeps its second table. */
async function blank(card: Card, disk: Disk, plan: Plan): Promise<void> {
  const zeros = pages(Math.min(BLOCK_BYTES, disk.sizeBytes));
  await card.write(zeros, 0);
  const endAt = disk.sizeBytes - zeros.length;
  if (endAt >= padded(plan.sizeBytes, disk)) await card.write(zeros, endAt);
  await card.flush();
}

/** @returns the first block, which is not written yet; undefined when aborted. */
async function writeRest(card: Card, disk: Disk, plan: Plan, onProgress: OnProgress, signal: AbortSignal): Promise<Uint8Array | undefined> {
  let first: Uint8Array | undefined;
  let count = 0;
  let writing: Promise<void> = Promise.resolve();
  onProgress('writing', 0, plan.sizeBytes);
  try {
    for await (const block of blocksOf(plan.image.open(signal), plan.patch)) {
      // Aborted, the image ends early, within a block.
      if (signal.aborted) return undefined;
      if (plan.digests[block.index]?.equals(digestOf(block.bytes)) !== true) throw changed(plan);
      const bytes = onSectors(block, disk);
      count += 1;
      if (block.index === 0) first = pageCopy(bytes);
      else {
        // The next block is unpacked while this one is written.
        await writing;
        writing = card.write(bytes, block.atBytes);
        writing.catch(() => {});
      }
      onProgress('writing', block.atBytes, plan.sizeBytes);
      if (signal.aborted) return undefined;
    }
  } finally {
    await writing;
  }
  if (signal.aborted) return undefined;
  if (count !== plan.digests.length) throw changed(plan);
  return first;
}

const changed = ({ image }: Plan): FlashError => new FlashError('flash.bad_image', `${image.path}: was changed while cards were written`);

export interface Range {
  /** Blocks, counted from 0; `to` is not among them. */
  readonly from?: number;
  readonly to?: number;
  /** Settings of another batch may lie on the card. */
  readonly mayHaveSettings?: boolean;
}

/** @returns true when each block is on the card, false when aborted. @throws FlashError `flash.differs`; as `Card` and `ImageFile`. */
export async function verifyCard(
  card: Card,
  disk: Disk,
  plan: Plan,
  { from = 0, to = plan.digests.length, mayHaveSettings = false }: Range,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<boolean> {
  const memory = pages(2 * BLOCK_BYTES);
  const lengthOf = (index: number): number => Math.min(BLOCK_BYTES, plan.sizeBytes - index * BLOCK_BYTES);
  const read = async (index: number): Promise<Uint8Array> => {
    const buffer = memory.subarray((index % 2) * BLOCK_BYTES, ((index % 2) + 1) * BLOCK_BYTES);
    await card.read(buffer.subarray(0, padded(lengthOf(index), disk)), index * BLOCK_BYTES);
    return buffer.subarray(0, lengthOf(index));
  };
  onProgress('verifying', from * BLOCK_BYTES, plan.sizeBytes);
  let reading = from < to ? read(from) : undefined;
  for (let index = from; reading !== undefined; index++) {
    const bytes = await reading;
    // The next one comes while this one is digested.
    reading = index + 1 < to ? read(index + 1) : undefined;
    reading?.catch(() => {});
    if (plan.digests[index]?.equals(digestOf(bytes)) !== true) {
      const there = bytes.slice();
      await reading;
      await tellDifference(there, index, disk, plan, mayHaveSettings, signal);
    }
    onProgress('verifying', index * BLOCK_BYTES + bytes.length, plan.sizeBytes);
    if (signal.aborted) {
      await reading;
      return false;
    }
  }
  return true;
}

/** Unpacks the image again up to the block, to name the byte. @throws FlashError `flash.differs`, unless all that differs are settings that may. */
async function tellDifference(
  there: Uint8Array,
  index: number,
  disk: Disk,
  plan: Plan,
  mayHaveSettings: boolean,
  signal: AbortSignal,
): Promise<void> {
  for await (const block of blocksOf(plan.image.open(signal), plan.patch)) {
    if (block.index !== index) continue;
    const settings = mayHaveSettings ? plan.settingsAt : undefined;
    const isSetting = (at: number): boolean =>
      settings !== undefined && at >= settings.atBytes && at < settings.atBytes + settings.lengthBytes;
    const wrong = Array.from(block.bytes.keys()).filter((at) => block.bytes[at] !== there[at] && !isSetting(block.atBytes + at));
    const [first] = wrong;
    if (first === undefined) return;
    const at = block.atBytes + first;
    throw new FlashError(
      'flash.differs',
      `${disk.path}: differs from the image at byte ${at} (0x${at.toString(16)})${wrong.length === 1 ? '' : `, and at ${wrong.length - 1} more of the same MiB`}`,
    );
  }
}

const padded = (bytes: number, { sectorBytes }: Disk): number => Math.ceil(bytes / sectorBytes) * sectorBytes;

/** The last block of an image may end within a sector: zeros follow. Blocks are views of whole MiB. */
function onSectors({ bytes }: Block, disk: Disk): Uint8Array {
  const length = padded(bytes.length, disk);
  if (length === bytes.length) return bytes;
  const copy = pages(length);
  copy.set(bytes);
  return copy;
}

function pageCopy(bytes: Uint8Array): Uint8Array {
  const copy = pages(bytes.length);
  copy.set(bytes);
  return copy;
}
