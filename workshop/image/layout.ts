/**
 * Where everything lies on a kiosk's card: what the firmware reads first, a boot and a root partition for each of two slots, and the one partition
 * that is written while a kiosk serves. The rest of a card is left to its controller, which wears it level.
 * Source: Raspberry Pi documentation, "Boot sequence" and "autoboot.txt" (an MBR is what every model reads; `boot_partition` may be 1 to 4, so both
 * boot partitions are primary ones); extended boot records as Linux reads them (block/partitions/msdos.c).
 */

export type Slot = 'a' | 'b';
export type PartitionName = 'config' | 'boot-a' | 'boot-b' | 'root-a' | 'root-b' | 'data';

export interface Partition {
  readonly name: PartitionName;
  /** As Linux numbers it: 1 to 3 are primary, from 5 on logical. */
  readonly number: number;
  /** Of the partition table: 0x0e FAT16, 0x0c FAT32, 0x83 Linux; both FAT with logical block addresses. */
  readonly type: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
}

export const SECTOR_BYTES = 512;
const MIB = 1_048_576;
/** Partitions begin on what cards erase at once. */
const ALIGN_BYTES = 4 * MIB;

/** Tells a kiosk's card from other disks that are plugged in, at 440 of its first sector; the same on each, since cards are to be the same. */
export const DISK_ID = 0x54534556;

const EXTENDED = 0x0f;

const SIZES: readonly (Omit<Partition, 'startBytes' | 'sizeBytes'> & { readonly sizeMib: number })[] = [
  { name: 'config', number: 1, type: 0x0e, sizeMib: 16 },
  { name: 'boot-a', number: 2, type: 0x0c, sizeMib: 128 },
  { name: 'boot-b', number: 3, type: 0x0c, sizeMib: 128 },
  { name: 'root-a', number: 5, type: 0x83, sizeMib: 768 },
  { name: 'root-b', number: 6, type: 0x83, sizeMib: 768 },
  { name: 'data', number: 7, type: 0x83, sizeMib: 1_024 },
];

/** In the order in which they lie; before each logical one there is room for its record. */
export const PARTITIONS: readonly Partition[] = (() => {
  let at = ALIGN_BYTES;
  return SIZES.map(({ sizeMib, ...partition }) => {
    if (partition.number > 4) at += ALIGN_BYTES;
    const placed = { ...partition, startBytes: at, sizeBytes: sizeMib * MIB };
    at += placed.sizeBytes;
    return placed;
  });
})();

export function partitionNamed(name: PartitionName): Partition {
  const found = PARTITIONS.find((partition) => partition.name === name);
  if (found === undefined) throw new Error(`no partition ${name}`);
  return found;
}

/** A whole card needs at least this much. */
export const IMAGE_BYTES = PARTITIONS.reduce((end, { startBytes, sizeBytes }) => Math.max(end, startBytes + sizeBytes), 0);

export interface Block {
  readonly offsetBytes: number;
  readonly bytes: Uint8Array;
}

/** @returns the partition table: the master boot record, and a record before each logical partition. */
export function partitionTable(): Block[] {
  const primary = PARTITIONS.filter(({ number }) => number <= 4);
  const logical = PARTITIONS.filter(({ number }) => number > 4);
  const recordOf = ({ startBytes }: Partition): number => startBytes - ALIGN_BYTES;
  const [first] = logical;
  if (first === undefined) throw new Error('no logical partition');
  const extended = { type: EXTENDED, startBytes: recordOf(first), sizeBytes: IMAGE_BYTES - recordOf(first) };
  const master = record([...primary.map((partition) => entryOf(partition, 0)), entryOf(extended, 0)]);
  new DataView(master.buffer).setUint32(440, DISK_ID, true);
  const records = logical.map((partition, at) => {
    const next = logical[at + 1];
    const link = next && entryOf({ type: 0x05, startBytes: recordOf(next), sizeBytes: ALIGN_BYTES + next.sizeBytes }, extended.startBytes);
    return { offsetBytes: recordOf(partition), bytes: record([entryOf(partition, recordOf(partition)), ...(link ? [link] : [])]) };
  });
  return [{ offsetBytes: 0, bytes: master }, ...records];
}

/** One of four: no cylinders, heads and sectors, as where a disk has none. @param baseBytes what its start is counted from. */
function entryOf({ type, startBytes, sizeBytes }: Pick<Partition, 'type' | 'startBytes' | 'sizeBytes'>, baseBytes: number): Uint8Array {
  const entry = new Uint8Array(16);
  entry.set([0x00, 0xfe, 0xff, 0xff, type, 0xfe, 0xff, 0xff]);
  const view = new DataView(entry.buffer);
  view.setUint32(8, (startBytes - baseBytes) / SECTOR_BYTES, true);
  view.setUint32(12, sizeBytes / SECTOR_BYTES, true);
  return entry;
}

function record(entries: readonly Uint8Array[]): Uint8Array {
  const sector = new Uint8Array(SECTOR_BYTES);
  for (const [at, entry] of entries.entries()) sector.set(entry, 446 + 16 * at);
  sector.set([0x55, 0xaa], 510);
  return sector;
}
