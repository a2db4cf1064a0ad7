/**
 * One look at the whole image before the first card is touched: how large it is, a digest of each MiB of it, and where its settings go. So that an
 * image that is damaged at its end costs no card, and what is read back from a card is compared with what was read here.
 */
import { createHash } from 'node:crypto';
import { FlashError } from '../../protocol/errors.ts';
import { BLOCK_BYTES, blocksOf, lay, type Patch } from './blocks.ts';
import { fileIn } from './fat.ts';
import type { ImageFile } from './image.ts';

export interface Plan {
  readonly image: ImageFile;
  readonly sizeBytes: number;
  /** SHA-256 of each MiB as it is to lie on a card. */
  readonly digests: readonly Buffer[];
  /** The settings of this batch, and where they go. */
  readonly patch: Patch | undefined;
  /** Where an image keeps settings, whether or not there are any: what may differ on a card that was flashed with others. */
  readonly settingsAt: { readonly atBytes: number; readonly lengthBytes: number } | undefined;
}

/** Root directory and file lie in the config partition; an image of ours has no larger one. */
const LONGEST_HEAD_BYTES = 80 * BLOCK_BYTES;
/** The short name that FAT gives `wifi.conf`. */
export const SETTINGS_FILE = 'WIFI~1.CON';
const SIGNATURE_AT = 510;

/**
 * @param settings what replaces the whole content of the image's settings file. @param onBlock told how far it is: in bytes of the file and of how many, or of the image
 * where nobody knows how many there are.
 * @returns undefined when aborted.
 * @throws FlashError `flash.bad_image`, `flash.no_settings`, `flash.no_tool`.
 */
export async function examine(
  image: ImageFile,
  settings: Uint8Array | undefined,
  onBlock: (doneBytes: number, totalBytes: number | undefined) => void,
  signal: AbortSignal,
): Promise<Plan | undefined> {
  const digests: Buffer[] = [];
  const head: Uint8Array[] = [];
  let sizeBytes = 0;
  let readBytes = 0;
  for await (const { index, atBytes, bytes } of blocksOf(image.open(signal, (fileBytes) => (readBytes = fileBytes)))) {
    if (index === 0) refuseNoDisk(image.path, bytes);
    if (atBytes < LONGEST_HEAD_BYTES) head.push(bytes.slice());
    digests.push(digestOf(bytes));
    sizeBytes = atBytes + bytes.length;
    if (readBytes > 0) onBlock(readBytes, image.fileBytes);
    else onBlock(sizeBytes, undefined);
  }
  if (signal.aborted) return undefined;
  const found = fileIn(Buffer.concat(head), SETTINGS_FILE);
  if (settings === undefined) return { image, sizeBytes, digests, patch: undefined, settingsAt: found };
  if (found === undefined || found.lengthBytes !== settings.length)
    throw new FlashError(
      'flash.no_settings',
      `${image.path}: has no wifi.conf of ${settings.length} bytes that Wi-Fi and country could be written into`,
    );
  const patch = { atBytes: found.atBytes, bytes: settings };
  for (const [index, bytes] of head.entries()) {
    lay(patch, bytes, index * BLOCK_BYTES);
    digests[index] = digestOf(bytes);
  }
  return { image, sizeBytes, digests, patch, settingsAt: found };
}

export const digestOf = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** A boot record, which a disk with GPT has too. */
function refuseNoDisk(path: string, first: Uint8Array): void {
  if (first.length > SIGNATURE_AT + 1 && first[SIGNATURE_AT] === 0x55 && first[SIGNATURE_AT + 1] === 0xaa) return;
  throw new FlashError('flash.bad_image', `${path}: is no image of a disk (no boot record at its beginning)`);
}
