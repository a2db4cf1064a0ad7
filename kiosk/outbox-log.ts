/**
 * The write-ahead log of an outbox, looked at before SQLite does. SQLite ends a log where a checksum first fails, which is right for what
 * a power cut tore and wrong for a damaged medium: there the rows behind would be gone without a word, and their numbers given again.
 * Source: sqlite.org/fileformat2.html, section 4 (header of 32 bytes, frames of 24 bytes and a page, running checksums).
 */
import { closeSync, existsSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { StoreError } from '../protocol/errors.ts';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const PAGE_BYTES = 4096;
const FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES;
/** Its last bit says in which byte order the words under the checksums are. */
const MAGIC = 0x377f0682;
const FORMAT = 3_007_000;
const CHECKED_HEADER_BYTES = 24;
const CHECKED_FRAME_HEADER_BYTES = 8;
/** A power cut tears the transaction that was being written; where more than that one is behind, the medium is damaged. */
const MOST_TORN = 1;

type Checksum = readonly [number, number];

interface Header {
  /** `undefined` when the header is damaged. */
  readonly sound: { readonly isBigEndian: boolean; readonly checksum: Checksum } | undefined;
  readonly salts: Buffer;
}

/** @returns whether this log has lost more than a power cut takes. No log, and an empty one, has lost nothing. @throws StoreError. */
export function isLogDamaged(path: string): boolean {
  return withLog(path, 'r', false, (file, frames) => {
    const { sound, salts } = readHeader(file, frames);
    if (sound === undefined) return true;
    let checksum = sound.checksum;
    for (let at = 0; at < frames; at++) {
      const frame = readFrame(file, at);
      checksum = frameChecksum(frame, checksum, sound.isBigEndian);
      if (hasSalts(frame, salts) && isChecksum(frame.subarray(16, 24), checksum)) continue;
      return commitsFrom(file, at, frames, salts) > MOST_TORN;
    }
    return false;
  });
}

/**
 * Makes salts and checksums of a damaged log anew, so that SQLite reads on past the damage. No page is touched: what is wrong in one
 * stays wrong, and is met by whoever reads it. @throws StoreError.
 */
export function mendLog(path: string): void {
  withLog(path, 'r+', undefined, (file, frames) => {
    const { sound, salts } = readHeader(file, frames);
    const isBigEndian = sound?.isBigEndian ?? false;
    const header = newHeader(salts, isBigEndian);
    writeSync(file, header, 0, HEADER_BYTES, 0);
    let checksum: Checksum = [header.readUInt32BE(24), header.readUInt32BE(28)];
    for (let at = 0, end = liveFrames(file, frames, salts); at < end; at++) {
      const frame = readFrame(file, at);
      salts.copy(frame, 8);
      checksum = frameChecksum(frame, checksum, isBigEndian);
      writeChecksum(frame, 16, checksum);
      writeSync(file, frame, 0, FRAME_HEADER_BYTES, offsetOf(at));
    }
  });
}

function withLog<T>(path: string, flags: 'r' | 'r+', none: T, work: (file: number, frames: number) => T): T {
  if (!existsSync(path)) return none;
  const file = openSync(path, flags);
  try {
    const { size } = fstatSync(file);
    return size < HEADER_BYTES ? none : work(file, Math.floor((size - HEADER_BYTES) / FRAME_BYTES));
  } catch (error) {
    throw error instanceof Error && 'syscall' in error ? new StoreError('store.failed', 'outbox: its log', { cause: error }) : error;
  } finally {
    closeSync(file);
  }
}

function readHeader(file: number, frames: number): Header {
  const header = Buffer.alloc(HEADER_BYTES);
  readSync(file, header, 0, HEADER_BYTES, 0);
  const isBigEndian = header.readUInt32BE(0) === MAGIC + 1;
  const checksum = sum(header.subarray(0, CHECKED_HEADER_BYTES), [0, 0], isBigEndian);
  const isSound = (header.readUInt32BE(0) === MAGIC || isBigEndian) && isChecksum(header.subarray(24, 32), checksum);
  return isSound
    ? { sound: { isBigEndian, checksum }, salts: header.subarray(16, 24) }
    : { sound: undefined, salts: saltsByMostOf(file, Math.min(frames, 3)) };
}

/** Each frame repeats the salts of the header. */
function saltsByMostOf(file: number, frames: number): Buffer {
  const all = Array.from({ length: frames }, (_, at) => Buffer.from(readFrame(file, at).subarray(8, 16)));
  return all.find((salts, at) => all.some((other, otherAt) => otherAt !== at && other.equals(salts))) ?? all[0] ?? Buffer.alloc(8);
}

function newHeader(salts: Buffer, isBigEndian: boolean): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(isBigEndian ? MAGIC + 1 : MAGIC, 0);
  header.writeUInt32BE(FORMAT, 4);
  header.writeUInt32BE(PAGE_BYTES, 8);
  salts.copy(header, 16);
  writeChecksum(header, 24, sum(header.subarray(0, CHECKED_HEADER_BYTES), [0, 0], isBigEndian));
  return header;
}

/** @returns how many transactions end in the frame `from`, which does not check, or behind it. What an earlier use of the file left does not count. */
function commitsFrom(file: number, from: number, frames: number, salts: Buffer): number {
  const end = liveFrames(file, frames, salts);
  let commits = 0;
  for (let at = from; at < end; at++) {
    const frame = readFrame(file, at);
    // Of a frame with damaged salts nothing is known: it may have ended one.
    if (frame.readUInt32BE(4) !== 0 || !hasSalts(frame, salts)) commits += 1;
  }
  return commits;
}

/** @returns how many frames there are up to the last one of this use of the file. */
function liveFrames(file: number, frames: number, salts: Buffer): number {
  for (let end = frames; end > 0; end--) if (hasSalts(readFrame(file, end - 1), salts)) return end;
  return 0;
}

const offsetOf = (at: number): number => HEADER_BYTES + at * FRAME_BYTES;

function readFrame(file: number, at: number): Buffer {
  const frame = Buffer.alloc(FRAME_BYTES);
  readSync(file, frame, 0, FRAME_BYTES, offsetOf(at));
  return frame;
}

const hasSalts = (frame: Buffer, salts: Buffer): boolean => frame.subarray(8, 16).equals(salts);

const isChecksum = (bytes: Buffer, [first, second]: Checksum): boolean =>
  bytes.readUInt32BE(0) === first && bytes.readUInt32BE(4) === second;

function writeChecksum(into: Buffer, at: number, [first, second]: Checksum): void {
  into.writeUInt32BE(first, at);
  into.writeUInt32BE(second, at + 4);
}

const frameChecksum = (frame: Buffer, before: Checksum, isBigEndian: boolean): Checksum =>
  sum(frame.subarray(FRAME_HEADER_BYTES), sum(frame.subarray(0, CHECKED_FRAME_HEADER_BYTES), before, isBigEndian), isBigEndian);

/** Section 4.2: over pairs of 32-bit words. */
function sum(bytes: Buffer, [first, second]: Checksum, isBigEndian: boolean): Checksum {
  let s0 = first;
  let s1 = second;
  for (let at = 0; at < bytes.length; at += 8) {
    s0 = (s0 + (isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)) + s1) >>> 0;
    s1 = (s1 + (isBigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)) + s0) >>> 0;
  }
  return [s0, s1];
}
