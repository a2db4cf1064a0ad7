/**
 * A long file sealed in chunks, each authenticated with its place and whether it is the last: none can be altered, left out, put in another
 * order, or cut from the end. Written once, from front to end; read the same way.
 *
 *     head (locks.ts) | chunk … | last chunk          chunk: length, 4 bytes; ciphertext, 1 to 262,144; tag, 16
 *
 * Nonce: 3 zero bytes, the chunk's number (8 bytes, from 0), 1 for the last and else 0. The key is this file's alone.
 * Source: V. T. Hoang et al., "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", the STREAM construction.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { readSync, writeSync } from 'node:fs';
import { BackupError } from '../../protocol/errors.ts';
import { FIXED_BYTES, type Head, headLengthOf, type Opening, openHead } from './locks.ts';

export const CHUNK_BYTES = 262_144;
const TAG_BYTES = 16;
const LENGTH_BYTES = 4;

export class SealedWriter {
  readonly #file: number;
  readonly #key: Uint8Array;
  #held = Buffer.allocUnsafe(CHUNK_BYTES);
  #heldBytes = 0;
  #number = 0;

  /** Writes the head. @param file open for writing, empty. */
  constructor(file: number, head: Head) {
    this.#file = file;
    this.#key = head.chunkKey;
    writeAll(file, head.bytes);
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      // Only what is known not to be the last is written here.
      if (this.#heldBytes === CHUNK_BYTES) this.#seal(false);
      const some = bytes.subarray(at, at + CHUNK_BYTES - this.#heldBytes);
      this.#held.set(some, this.#heldBytes);
      this.#heldBytes += some.length;
      at += some.length;
    }
  }

  /** Writes the last chunk. To be called once, after something was written. */
  end(): void {
    this.#seal(true);
  }

  #seal(isLast: boolean): void {
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonceOf(this.#number, isLast));
    const ciphertext = cipher.update(this.#held.subarray(0, this.#heldBytes));
    cipher.final();
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32BE(ciphertext.length);
    writeAll(this.#file, Buffer.concat([length, ciphertext, cipher.getAuthTag()]));
    this.#number += 1;
    this.#heldBytes = 0;
  }
}

export class SealedReader {
  readonly #file: number;
  readonly #key: Uint8Array;
  #chunk: Uint8Array = new Uint8Array();
  #at = 0;
  #number = 0;
  #isLast = false;

  /** @param file positioned behind the head. */
  constructor(file: number, head: Pick<Head, 'chunkKey'>) {
    this.#file = file;
    this.#key = head.chunkKey;
  }

  /** @returns the next bytes, at least one and at most `most`. @throws BackupError `backup.truncated`, `backup.altered`. */
  read(most: number): Uint8Array {
    if (this.#at === this.#chunk.length) this.#next();
    const some = this.#chunk.subarray(this.#at, this.#at + most);
    this.#at += some.length;
    return some;
  }

  /** @throws as `read`. */
  readExactly(length: number): Uint8Array {
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < length; ) {
      const some = this.read(length - at);
      bytes.set(some, at);
      at += some.length;
    }
    return bytes;
  }

  /** @throws BackupError `backup.altered` when there is more, in the seal or behind it. */
  end(): void {
    const isDone = this.#at === this.#chunk.length && this.#isLast;
    if (!isDone || readUpTo(this.#file, 1).length > 0) throw new BackupError('backup.altered', 'backup: there is more behind its end');
  }

  #next(): void {
    if (this.#isLast) throw new BackupError('backup.altered', 'backup: ends before what it holds does');
    const lengthBytes = readUpTo(this.#file, LENGTH_BYTES);
    if (lengthBytes.length < LENGTH_BYTES) throw new BackupError('backup.truncated', `backup: cut off behind chunk ${this.#number}`);
    const length = lengthBytes.readUInt32BE();
    if (length < 1 || length > CHUNK_BYTES) throw new BackupError('backup.altered', `backup: chunk ${this.#number} is altered`);
    const sealed = readUpTo(this.#file, length + TAG_BYTES);
    if (sealed.length < length + TAG_BYTES) throw new BackupError('backup.truncated', `backup: cut off within chunk ${this.#number}`);
    const opened = this.#open(sealed, false) ?? this.#open(sealed, true);
    if (opened === undefined) throw new BackupError('backup.altered', `backup: chunk ${this.#number} is altered`);
    this.#chunk = opened;
    this.#at = 0;
    this.#number += 1;
  }

  #open(sealed: Buffer, isLast: boolean): Uint8Array | undefined {
    const decipher = createDecipheriv('aes-256-gcm', this.#key, nonceOf(this.#number, isLast));
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    const opened = decipher.update(sealed.subarray(0, -TAG_BYTES));
    try {
      decipher.final();
    } catch {
      // Only the tag can be wrong here.
      return undefined;
    }
    this.#isLast = isLast;
    return opened;
  }
}

/** @param file open for reading, at its beginning; left behind the head. @throws BackupError as headLengthOf and openHead do. */
export async function readHead(file: number, opening: Opening): Promise<Head> {
  const fixed = readUpTo(file, FIXED_BYTES);
  const length = headLengthOf(fixed);
  const rest = readUpTo(file, length - FIXED_BYTES);
  if (rest.length < length - FIXED_BYTES) throw new BackupError('backup.truncated', 'backup: cut off within its head');
  return await openHead(Buffer.concat([fixed, rest]), opening);
}

function nonceOf(number: number, isLast: boolean): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(number), 3);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

/** @returns fewer only at the end of the file. */
function readUpTo(file: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let at = 0;
  while (at < length) {
    const read = readSync(file, bytes, at, length - at, null);
    if (read === 0) break;
    at += read;
  }
  return bytes.subarray(0, at);
}
