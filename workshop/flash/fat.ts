/**
 * Where a file of the first FAT partition lies, in the first bytes of a disk's image: by its MBR, its boot sector and its root directory. Only FAT16 with a
 * file in one piece, which is what the image builder makes; reads, and never writes.
 * Source: Microsoft, FAT32 File System Specification 1.03 (which describes FAT12 and FAT16, too), "Boot Sector and BPB" and "FAT Directory Structure".
 */

const ENTRIES_AT = 446;
const ENTRY_BYTES = 16;
const FAT16 = new Set([0x04, 0x06, 0x0e]);
const SECTOR_BYTES = 512;
const DIRECTORY_ENTRY_BYTES = 32;
const LONG_NAME_OR_LABEL = 0x08;
const LAST_CLUSTER = 0xfff8;

export interface Place {
  readonly atBytes: number;
  readonly lengthBytes: number;
}

/** @param name of eight letters, a dot and three at most, upper case. @returns `undefined` where it is not there, or not in one piece, or beyond `disk`. */
export function fileIn(disk: Buffer, name: string): Place | undefined {
  const start = firstFat(disk);
  if (start === undefined || start + SECTOR_BYTES > disk.length) return undefined;
  const sectorBytes = disk.readUInt16LE(start + 11);
  const clusterBytes = disk.readUInt8(start + 13) * sectorBytes;
  if (sectorBytes === 0 || clusterBytes === 0) return undefined;
  const fatAt = start + disk.readUInt16LE(start + 14) * sectorBytes;
  const fatBytes = disk.readUInt16LE(start + 22) * sectorBytes;
  const rootAt = fatAt + disk.readUInt8(start + 16) * fatBytes;
  const entries = disk.readUInt16LE(start + 17);
  const filesAt = rootAt + Math.ceil((entries * DIRECTORY_ENTRY_BYTES) / sectorBytes) * sectorBytes;
  if (fatBytes === 0 || filesAt > disk.length) return undefined;
  const wanted = shortName(name);
  for (let entry = 0; entry < entries; entry++) {
    const at = rootAt + entry * DIRECTORY_ENTRY_BYTES;
    if (disk.toString('latin1', at, at + 11) !== wanted || (disk.readUInt8(at + 11) & LONG_NAME_OR_LABEL) !== 0) continue;
    const cluster = disk.readUInt16LE(at + 26);
    const lengthBytes = disk.readUInt32LE(at + 28);
    const atBytes = filesAt + (cluster - 2) * clusterBytes;
    const clusters = Math.ceil(lengthBytes / clusterBytes);
    const isWhole = cluster >= 2 && atBytes + lengthBytes <= disk.length && isInOnePiece(disk, fatAt, fatBytes, cluster, clusters);
    return isWhole ? { atBytes, lengthBytes } : undefined;
  }
  return undefined;
}

function firstFat(disk: Buffer): number | undefined {
  for (let entry = 0; entry < 4; entry++) {
    const at = ENTRIES_AT + entry * ENTRY_BYTES;
    if (disk.length >= at + ENTRY_BYTES && FAT16.has(disk.readUInt8(at + 4))) return disk.readUInt32LE(at + 8) * SECTOR_BYTES;
  }
  return undefined;
}

function isInOnePiece(disk: Buffer, fatAt: number, fatBytes: number, first: number, clusters: number): boolean {
  for (let step = 0; step < clusters; step++) {
    const cluster = first + step;
    if (2 * cluster + 2 > fatBytes) return false;
    const next = disk.readUInt16LE(fatAt + 2 * cluster);
    if (step === clusters - 1 ? next < LAST_CLUSTER : next !== cluster + 1) return false;
  }
  return clusters > 0;
}

function shortName(name: string): string {
  const [stem = '', ending = ''] = name.split('.');
  return stem.padEnd(8) + ending.padEnd(3);
}
