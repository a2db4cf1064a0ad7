/**
 * What is in a backup: what it is of, then files one after the other, then how many they were. Nothing that is read is believed before it is
 * checked: a name leads nowhere but into the three directories of a data directory.
 *
 *     record: length of its head, 2 bytes; head, CBOR; of a file, its bytes
 *     head:   [0, created at ms, deployment]  |  [1, name, length]  |  [2, files, bytes]
 */
import { type CborValue, decodeCbor, encodeCbor } from '../../protocol/cbor.ts';
import { readArray, readInteger, readText } from '../../protocol/cbor-read.ts';
import { BackupError, codeOf } from '../../protocol/errors.ts';
import type { DeploymentId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import type { SealedReader, SealedWriter } from './sealed-file.ts';

export interface About {
  readonly createdAtMs: EpochMillis;
  readonly deployment: DeploymentId;
}

export interface Contents extends About {
  readonly files: number;
  readonly bytes: number;
}

/** Takes a file's bytes as they are read. */
export interface FileTaker {
  take(bytes: Uint8Array): void;
  end(): void;
}

const ABOUT = 0;
const FILE = 1;
const END = 2;
const LONGEST_HEAD_BYTES = 512;
const MOST_FILES = 10_000;
const LATEST_MS = 253_402_300_799_999;
const PLACE_ID = /^[0-9a-hjkmnp-tv-z]{16}$/;
/** A directory of a data directory, and at most two names below it; no name begins with a dot. */
const NAME = /^(?:settings\.json|(?:gateway|core|issuer)(?:\/[A-Za-z0-9][A-Za-z0-9._-]{0,63}){1,2})$/;

export const isArchiveName = (name: string): boolean => NAME.test(name);

export class ArchiveWriter {
  readonly #writer: SealedWriter;
  #files = 0;
  #bytes = 0;

  constructor(writer: SealedWriter, { createdAtMs, deployment }: About) {
    this.#writer = writer;
    this.#head([ABOUT, createdAtMs, deployment]);
  }

  /** @param parts the file's bytes, `length` in all. */
  add(name: string, length: number, parts: Iterable<Uint8Array>): void {
    if (!isArchiveName(name)) throw new TypeError(`backup: a file named ${name}`);
    this.#head([FILE, name, length]);
    let written = 0;
    for (const part of parts) {
      this.#writer.write(part);
      written += part.length;
    }
    if (written !== length) throw new TypeError(`backup: ${name} has ${written} of ${length} bytes`);
    this.#files += 1;
    this.#bytes += length;
  }

  end(): Pick<Contents, 'files' | 'bytes'> {
    this.#head([END, this.#files, this.#bytes]);
    this.#writer.end();
    return { files: this.#files, bytes: this.#bytes };
  }

  #head(fields: readonly CborValue[]): void {
    const encoded = encodeCbor(fields);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(encoded.length);
    this.#writer.write(length);
    this.#writer.write(encoded);
  }
}

/**
 * Reads all of it, to the last byte.
 * @param open is asked for each file; what it returns gets the bytes. @throws BackupError `backup.altered`, `backup.truncated`, and what `open` throws.
 */
export function readArchive(reader: SealedReader, open: (name: string, length: number) => FileTaker): Contents {
  const about = readAbout(readRecord(reader));
  const names = new Set<string>();
  let bytes = 0;
  for (;;) {
    const fields = readRecord(reader);
    if (fields[0] === END) {
      const [, files, total] = inForm(() => readArray(fields, 'backup end', 3));
      if (files !== names.size || total !== bytes) throw new BackupError('backup.altered', 'backup: not all that it says to hold');
      reader.end();
      return { ...about, files: names.size, bytes };
    }
    const { name, length } = readFileHead(fields);
    if (names.has(name) || names.size >= MOST_FILES)
      throw new BackupError('backup.altered', 'backup: a file comes twice, or they are too many');
    names.add(name);
    const taker = open(name, length);
    for (let left = length; left > 0; ) {
      const some = reader.read(left);
      taker.take(some);
      left -= some.length;
    }
    taker.end();
    bytes += length;
  }
}

function readRecord(reader: SealedReader): readonly CborValue[] {
  const length = Buffer.from(reader.readExactly(2)).readUInt16BE();
  if (length < 1 || length > LONGEST_HEAD_BYTES) throw new BackupError('backup.altered', `backup: a record's head of ${length} bytes`);
  const encoded = reader.readExactly(length);
  return inForm(() => readArray(decodeCbor(encoded, 'backup record', LONGEST_HEAD_BYTES), 'backup record', 3));
}

function readAbout(fields: readonly CborValue[]): About {
  return inForm(() => {
    const [kind, createdAtMs, deployment] = fields;
    readInteger(kind, 'backup record', ABOUT, ABOUT);
    return {
      createdAtMs: readInteger(createdAtMs, 'backup time', 0, LATEST_MS) as EpochMillis,
      deployment: readText(deployment, 'backup deployment', PLACE_ID) as DeploymentId,
    };
  });
}

function readFileHead(fields: readonly CborValue[]): { readonly name: string; readonly length: number } {
  return inForm(() => {
    const [kind, name, length] = fields;
    readInteger(kind, 'backup record', FILE, FILE);
    return { name: readText(name, 'backup file name', NAME), length: readInteger(length, 'backup file', 0, Number.MAX_SAFE_INTEGER) };
  });
}

/** What was sealed by us is in form; what is not was sealed by another who had the key. */
function inForm<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (codeOf(cause) === undefined) throw cause;
    throw new BackupError('backup.altered', 'backup: holds what no backup holds', { cause });
  }
}
