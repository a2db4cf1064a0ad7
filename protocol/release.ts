/**
 * The head of a release bundle: what is in it, for which board, and the digest of each chunk as it lies in the file, signed by a key that is
 * kept off line. All that is unpacked was checked against it before. Pure; files are others' business.
 *
 *   0        8            12            12 + n
 *   +--------+------------+-------------+--------+--------+----
 *   | magic  | n, uint32  | head        | chunk  | chunk  | …
 *   +--------+------------+-------------+--------+--------+----
 *
 * Source: docs/protocol.md, "Releases".
 */
import { createHash, type KeyObject } from 'node:crypto';
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { readArray, readBytes, readInteger, readMap, readText } from './cbor-read.ts';
import { signSign1, verifySign1 } from './cose.ts';
import { publicKeyFromRaw, rawPublicKey } from './ed25519.ts';
import { DecodeError, ReleaseError } from './errors.ts';
import { compareVersions, GREATEST_VERSION_NUMBER, type ReleaseVersion, versionText } from './release-version.ts';
import { commonRevision, type WireRevisions } from './wire-revision.ts';

/** In front of every bundle. */
const MAGIC = new TextEncoder().encode('vrelease');
/** Magic and the head's length. */
export const START_BYTES = MAGIC.length + 4;
/** 8,192 chunks of 37 bytes each, and the rest. */
export const LONGEST_HEAD_BYTES = 327_680;
const MOST_PARTS = 8;
const MOST_CHUNKS = 8_192;
export const CHUNK_BYTES = { least: 4_096, greatest: 1_048_576 } as const;
const KEY_ID_BYTES = 8;
const DIGEST_BYTES = 32;
export const BOARD_FORM = /^[a-z0-9-]{1,32}$/;
const PART_FORM = /^[a-z0-9-]{1,16}$/;
const GREATEST_REVISION = 65_535;

const KEY = { form: 0, version: 1, board: 2, wire: 3, chunkBytes: 4, parts: 5 } as const;
const FORM = 1;
/** As in a policy: what is below and not known must be obeyed, what is from here on may be passed over. */
const FIRST_PASSABLE_KEY = 64;
const KNOWN: ReadonlySet<number> = new Set(Object.values(KEY));
const EXTERNAL_AAD = encodeCbor(['vestibule-release-1']);

export interface StoredChunk {
  /** In the bundle; as many as the chunk itself has when it lies there as it is. */
  readonly storedBytes: number;
  /** SHA-256 of the bytes in the bundle. */
  readonly digest: Uint8Array;
}

export interface ReleasePart {
  /** Such as `boot` or `root`. */
  readonly name: string;
  /** Unpacked. */
  readonly sizeBytes: number;
  /** SHA-256 of all of it, unpacked. */
  readonly digest: Uint8Array;
  readonly chunks: readonly StoredChunk[];
}

export interface ReleaseManifest {
  readonly version: ReleaseVersion;
  /** What it runs on, such as `rpi-arm64`. */
  readonly board: string;
  /** What its software speaks. */
  readonly wire: WireRevisions;
  /** Of each chunk but the last of a part, unpacked. A power of 2. */
  readonly chunkBytes: number;
  readonly parts: readonly ReleasePart[];
}

/** @param publicKey raw Ed25519. @returns 8 bytes. */
export const releaseKeyId = (publicKey: Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(publicKey).digest().subarray(0, KEY_ID_BYTES));

/** @returns what names a bundle everywhere: SHA-256 of its head, which names all the rest. */
export const releaseDigest = (head: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(head).digest());

/** @param signingKey Ed25519. @returns the head. @throws DecodeError as `openReleaseHead` for one that would not be read. */
export function encodeReleaseHead(manifest: ReleaseManifest, signingKey: KeyObject): Uint8Array {
  const { version, board, wire, chunkBytes, parts } = manifest;
  const payload = encodeCbor(
    new Map<number, CborValue>([
      [KEY.form, FORM],
      [KEY.version, version],
      [KEY.board, board],
      [KEY.wire, [wire.least, wire.greatest]],
      [KEY.chunkBytes, chunkBytes],
      [KEY.parts, parts.map(encodePart)],
    ]),
  );
  decodeManifest(payload);
  return encodeCbor([releaseKeyId(rawPublicKey(signingKey)), signSign1(payload, EXTERNAL_AAD, signingKey)]);
}

/**
 * @param keys raw Ed25519: whose releases are taken.
 * @throws ReleaseError `release.unknown_key` when none of them has its key id; SealError `seal.signature`; DecodeError when it is no head.
 */
export function openReleaseHead(head: Uint8Array, keys: readonly Uint8Array[]): ReleaseManifest {
  const [id, signed] = readArray(decodeCbor(head, 'release', LONGEST_HEAD_BYTES), 'release', 2);
  const keyId = readBytes(id, 'release key id', KEY_ID_BYTES);
  const message = readBytes(signed, 'release manifest', 0, LONGEST_HEAD_BYTES);
  const key = keys.find((known) => Buffer.compare(releaseKeyId(known), keyId) === 0);
  if (key === undefined) throw new ReleaseError('release.unknown_key', 'release: signed by none of the keys that are known here');
  return decodeManifest(
    verifySign1(message, {
      externalAad: EXTERNAL_AAD,
      publicKey: publicKeyFromRaw(key),
      subject: 'release manifest',
      longestBytes: LONGEST_HEAD_BYTES,
    }),
  );
}

/** @returns magic and length, to stand before a head. */
export function bundleStart(head: Uint8Array): Uint8Array {
  const start = new Uint8Array(START_BYTES);
  start.set(MAGIC);
  new DataView(start.buffer).setUint32(MAGIC.length, head.length);
  return start;
}

/**
 * @param start the first 12 bytes of a bundle. @returns how long its head is.
 * @throws ReleaseError `release.truncated`; DecodeError `decode.malformed` when it is no bundle, `decode.overlong`.
 */
export function readBundleStart(start: Uint8Array): number {
  if (start.length < START_BYTES) throw new ReleaseError('release.truncated', `release: ${start.length} bytes are not even its start`);
  if (Buffer.compare(start.subarray(0, MAGIC.length), MAGIC) !== 0)
    throw new DecodeError('decode.malformed', 'release: this is no release bundle');
  const length = new DataView(start.buffer, start.byteOffset).getUint32(MAGIC.length);
  if (length > LONGEST_HEAD_BYTES) throw new DecodeError('decode.overlong', `release: a head of ${length} bytes`);
  return length;
}

/** What a machine is, and whom it works with. */
export interface ReleasePlace {
  readonly version: ReleaseVersion;
  readonly board: string;
  /** What the other end speaks. */
  readonly peer: WireRevisions;
}

/**
 * @throws ReleaseError `release.wrong_board`; `release.older` for one that is not above what runs here; `release.wire_old`, `release.wire_new`
 * for one that would not understand the other end, because it, or the other end, is the older.
 */
export function judgeRelease({ version, board, wire }: Pick<ReleaseManifest, 'version' | 'board' | 'wire'>, here: ReleasePlace): void {
  if (board !== here.board) throw new ReleaseError('release.wrong_board', `release: for ${board}, and this is ${here.board}`);
  if (compareVersions(version, here.version) <= 0)
    throw new ReleaseError('release.older', `release: ${versionText(version)}, and ${versionText(here.version)} runs here`);
  if (commonRevision(wire, here.peer) !== undefined) return;
  const isOld = wire.greatest < here.peer.least;
  throw new ReleaseError(
    isOld ? 'release.wire_old' : 'release.wire_new',
    `release: speaks revisions ${wire.least} to ${wire.greatest}, the gateway ${here.peer.least} to ${here.peer.greatest}`,
  );
}

const encodePart = ({ name, sizeBytes, digest, chunks }: ReleasePart): CborValue => [
  name,
  sizeBytes,
  digest,
  chunks.map(({ storedBytes }) => storedBytes),
  new Uint8Array(Buffer.concat(chunks.map((chunk) => chunk.digest))),
];

function decodeManifest(payload: Uint8Array): ReleaseManifest {
  const fields = readMap(decodeCbor(payload, 'release manifest', LONGEST_HEAD_BYTES), 'release manifest');
  if (readInteger(fields.get(KEY.form), 'release form', 0, Number.MAX_SAFE_INTEGER) !== FORM)
    throw new DecodeError('decode.unsupported', 'release: of a form that is not known to this version');
  for (const key of fields.keys())
    if (!KNOWN.has(key) && key < FIRST_PASSABLE_KEY)
      throw new DecodeError('decode.unsupported', `release: field ${key} is not known to this version`);
  const numbers = readArray(fields.get(KEY.version), 'release version', 3);
  const [major, minor, patch] = [0, 1, 2].map((at) => readInteger(numbers[at], 'release version', 0, GREATEST_VERSION_NUMBER));
  const [from, to] = readArray(fields.get(KEY.wire), 'release wire', 2);
  const wire = {
    least: readInteger(from, 'release wire', 1, GREATEST_REVISION),
    greatest: readInteger(to, 'release wire', 1, GREATEST_REVISION),
  };
  if (wire.greatest < wire.least) throw new DecodeError('decode.malformed', 'release: its revisions do not ascend');
  const chunkBytes = readInteger(fields.get(KEY.chunkBytes), 'release chunk', CHUNK_BYTES.least, CHUNK_BYTES.greatest);
  if (!Number.isInteger(Math.log2(chunkBytes))) throw new DecodeError('decode.out_of_range', 'release chunk: no power of 2');
  const parts = readArray(fields.get(KEY.parts), 'release parts', 1, MOST_PARTS).map((part) => decodePart(part, chunkBytes));
  if (new Set(parts.map(({ name }) => name)).size !== parts.length)
    throw new DecodeError('decode.malformed', 'release: a part comes twice');
  if (parts.reduce((sum, { chunks }) => sum + chunks.length, 0) > MOST_CHUNKS)
    throw new DecodeError('decode.malformed', `release: more than ${MOST_CHUNKS} chunks`);
  const board = readText(fields.get(KEY.board), 'release board', BOARD_FORM);
  return { version: [major ?? 0, minor ?? 0, patch ?? 0], board, wire, chunkBytes, parts };
}

function decodePart(value: CborValue, chunkBytes: number): ReleasePart {
  const [name, size, digest, lengths, digests] = readArray(value, 'release part', 5);
  const sizeBytes = readInteger(size, 'release part size', 1, MOST_CHUNKS * chunkBytes);
  const count = Math.ceil(sizeBytes / chunkBytes);
  const all = readBytes(digests, 'release digests', count * DIGEST_BYTES);
  const chunks = readArray(lengths, 'release chunks', count).map((length, at) => ({
    storedBytes: readInteger(length, 'release chunk', 1, plainBytesOf(at, sizeBytes, chunkBytes)),
    digest: all.slice(at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES),
  }));
  return {
    name: readText(name, 'release part', PART_FORM),
    sizeBytes,
    digest: readBytes(digest, 'release part digest', DIGEST_BYTES),
    chunks,
  };
}

/** @returns how long a chunk of a part is, unpacked. */
export const plainBytesOf = (at: number, sizeBytes: number, chunkBytes: number): number =>
  Math.min(chunkBytes, sizeBytes - at * chunkBytes);
