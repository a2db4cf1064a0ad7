/**
 * What a gateway says to one kiosk of releases: which revisions of the wire it speaks, and which bundle to take, if any. Signed with its receipt
 * key and retained. It only points: what is in a bundle another key has signed. Source: docs/protocol.md, "Releases".
 */
import type { KeyObject } from 'node:crypto';
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { readArray, readBytes, readInteger, readMap } from './cbor-read.ts';
import { signSign1, verifySign1 } from './cose.ts';
import { DecodeError } from './errors.ts';
import type { DeploymentId, KioskId } from './ids.ts';
import { GREATEST_VERSION_NUMBER, type ReleaseVersion } from './release-version.ts';
import { topicOf } from './topics.ts';
import type { EpochMillis } from './units.ts';
import type { WireRevisions } from './wire-revision.ts';

export const LONGEST_RELEASE_WORD_BYTES = 1_024;
const GREATEST_WORD = 2 ** 32 - 1;
const GREATEST_REVISION = 65_535;
/** 8,192 chunks of 1 MiB and a head. */
const LARGEST_BUNDLE_BYTES = 2 ** 34;
const LATEST_MS = 253_402_300_799_999;

export interface OfferedRelease {
  /** SHA-256 of the bundle's head. */
  readonly digest: Uint8Array;
  /** Of the whole bundle. */
  readonly lengthBytes: number;
  readonly version: ReleaseVersion;
}

export interface ReleaseWord {
  /** 1 to 2^32 - 1; a later word of the same gateway has a greater one. */
  readonly number: number;
  readonly issuedAtMs: EpochMillis;
  readonly expiresAtMs: EpochMillis;
  readonly wire: WireRevisions;
  /** `undefined`: nothing is to be taken, and what is being taken is to be left. */
  readonly offered: OfferedRelease | undefined;
}

interface WordPlace {
  readonly deployment: DeploymentId;
  readonly kiosk: KioskId;
}

const KEY = { number: 0, issuedAt: 1, expiresAt: 2, wire: 3, offered: 4 } as const;
const KNOWN: ReadonlySet<number> = new Set(Object.values(KEY));
const FIRST_PASSABLE_KEY = 64;

/** @returns the signed word. @throws DecodeError as `openReleaseWord` for one that would not be read. */
export function encodeReleaseWord(word: ReleaseWord, place: WordPlace, signingKey: KeyObject): Uint8Array {
  const { number, issuedAtMs, expiresAtMs, wire, offered } = word;
  const payload = encodeCbor(
    new Map<number, CborValue>([
      [KEY.number, number],
      [KEY.issuedAt, issuedAtMs],
      [KEY.expiresAt, expiresAtMs],
      [KEY.wire, [wire.least, wire.greatest]],
      ...(offered === undefined ? [] : ([[KEY.offered, [offered.digest, offered.lengthBytes, offered.version]]] as const)),
    ]),
  );
  decodePayload(payload);
  return signSign1(payload, externalAadOf(place), signingKey);
}

/**
 * Reads a word; whether it is newer than the last, and still good, is the caller's to say.
 * @param signer.publicKey the gateway's receipt key.
 * @throws SealError `seal.signature` for one that another signed, or that is for another kiosk or deployment; DecodeError when it is none.
 */
export function openReleaseWord(bytes: Uint8Array, signer: WordPlace & { readonly publicKey: KeyObject }): ReleaseWord {
  const { publicKey } = signer;
  return decodePayload(
    verifySign1(bytes, {
      externalAad: externalAadOf(signer),
      publicKey,
      subject: 'release word',
      longestBytes: LONGEST_RELEASE_WORD_BYTES,
    }),
  );
}

function decodePayload(payload: Uint8Array): ReleaseWord {
  const fields = readMap(decodeCbor(payload, 'release word', LONGEST_RELEASE_WORD_BYTES), 'release word');
  for (const key of fields.keys())
    if (!KNOWN.has(key) && key < FIRST_PASSABLE_KEY)
      throw new DecodeError('decode.unsupported', `release word: field ${key} is not known to this version`);
  const issuedAtMs = readInteger(fields.get(KEY.issuedAt), 'release word issue', 0, LATEST_MS) as EpochMillis;
  const expiresAtMs = readInteger(fields.get(KEY.expiresAt), 'release word expiry', 0, LATEST_MS) as EpochMillis;
  if (expiresAtMs <= issuedAtMs) throw new DecodeError('decode.malformed', 'release word: expires before it is issued');
  const [from, to] = readArray(fields.get(KEY.wire), 'release word wire', 2);
  const wire = {
    least: readInteger(from, 'release word wire', 1, GREATEST_REVISION),
    greatest: readInteger(to, 'release word wire', 1, GREATEST_REVISION),
  };
  if (wire.greatest < wire.least) throw new DecodeError('decode.malformed', 'release word: its revisions do not ascend');
  const number = readInteger(fields.get(KEY.number), 'release word number', 1, GREATEST_WORD);
  const offered = fields.get(KEY.offered);
  return { number, issuedAtMs, expiresAtMs, wire, offered: offered === undefined ? undefined : readOffered(offered) };
}

function readOffered(value: CborValue): OfferedRelease {
  const [digest, length, version] = readArray(value, 'offered release', 3);
  const numbers = readArray(version, 'offered version', 3);
  const [major, minor, patch] = [0, 1, 2].map((at) => readInteger(numbers[at], 'offered version', 0, GREATEST_VERSION_NUMBER));
  return {
    digest: readBytes(digest, 'offered digest', 32),
    lengthBytes: readInteger(length, 'offered length', 1, LARGEST_BUNDLE_BYTES),
    version: [major ?? 0, minor ?? 0, patch ?? 0],
  };
}

const externalAadOf = ({ deployment, kiosk }: WordPlace): Uint8Array =>
  encodeCbor(['vestibule-release-word-1', deployment, topicOf(kiosk, 'release')]);
