/**
 * A command to one kiosk: send again what you still have of the rows that I lack. A gateway that was brought back from a backup gives it,
 * signed with its receipt key and retained; the kiosk takes the settling of those rows back. A row that comes twice counts once.
 * Source: docs/protocol.md, "Commands".
 */
import type { KeyObject } from 'node:crypto';
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { readArray, readBytes, readInteger, readMap } from './cbor-read.ts';
import { signSign1, verifySign1 } from './cose.ts';
import { DecodeError } from './errors.ts';
import type { DeploymentId, KeyId, KioskId, Seq } from './ids.ts';
import { topicOf } from './topics.ts';
import type { EpochMillis } from './units.ts';

export const LONGEST_COMMAND_BYTES = 32_768;
/** Content keys of one kiosk, and ranges under one key: what is left out is sent again for nothing. */
export const MOST_KEYS = 64;
export const MOST_RANGES = 16;
export const GREATEST_COMMAND_VERSION = 2 ** 32 - 1;
const KEY_ID_BYTES = 8;
const LATEST_MS = 253_402_300_799_999;

/** Sequence numbers, both ends included. */
export interface SeqRange {
  readonly from: Seq;
  /** Not below `from`. */
  readonly to: Seq;
}

/** The rows under one content key that the gateway has. */
export interface Had {
  readonly keyId: KeyId;
  /** Up to 16, ascending, without overlap. */
  readonly ranges: readonly SeqRange[];
}

export interface SendAgain {
  /** 1 to 2^32 - 1: the second of the restore, or later. A kiosk carries out each version once, and none that is not greater than the last. */
  readonly version: number;
  readonly issuedAtMs: EpochMillis;
  readonly expiresAtMs: EpochMillis;
  /** Up to 64, each key id once. Rows under every other key are lacking. */
  readonly had: readonly Had[];
}

interface CommandPlace {
  readonly deployment: DeploymentId;
  readonly kiosk: KioskId;
}

const KEY = { kind: 0, version: 1, issuedAt: 2, expiresAt: 3, had: 4 } as const;
/** What a kiosk need not know: it passes over keys from here on, and refuses a command with any other that it does not know. */
const FIRST_PASSABLE_KEY = 64;
const KNOWN: ReadonlySet<number> = new Set(Object.values(KEY));
const SEND_AGAIN = 1;

/** @returns the signed command. @throws DecodeError as `openSendAgain` for one that would not be read. */
export function encodeSendAgain(command: SendAgain, place: CommandPlace, signingKey: KeyObject): Uint8Array {
  const payload = encodeCbor(
    new Map<number, CborValue>([
      [KEY.kind, SEND_AGAIN],
      [KEY.version, command.version],
      [KEY.issuedAt, command.issuedAtMs],
      [KEY.expiresAt, command.expiresAtMs],
      [KEY.had, command.had.map(({ keyId, ranges }) => [keyId, ranges.map(({ from, to }) => [from, to])])],
    ]),
  );
  decodePayload(payload);
  return signSign1(payload, externalAadOf(place), signingKey);
}

/**
 * Reads a command; whether it is newer than the last, and still good, is the caller's to say.
 * @param signer.publicKey the gateway's receipt key.
 * @throws SealError `seal.signature` for one that another signed, or that is for another kiosk or deployment; DecodeError
 * `decode.unsupported` for another command, and others when it is none.
 */
export function openSendAgain(bytes: Uint8Array, signer: CommandPlace & { readonly publicKey: KeyObject }): SendAgain {
  const { publicKey } = signer;
  return decodePayload(
    verifySign1(bytes, { externalAad: externalAadOf(signer), publicKey, subject: 'command', longestBytes: LONGEST_COMMAND_BYTES }),
  );
}

function decodePayload(payload: Uint8Array): SendAgain {
  const fields = readMap(decodeCbor(payload, 'command', LONGEST_COMMAND_BYTES), 'command');
  if (readInteger(fields.get(KEY.kind), 'command kind', 0, Number.MAX_SAFE_INTEGER) !== SEND_AGAIN)
    throw new DecodeError('decode.unsupported', 'command: of a kind that is not known to this version');
  for (const key of fields.keys())
    if (!KNOWN.has(key) && key < FIRST_PASSABLE_KEY)
      throw new DecodeError('decode.unsupported', `command: field ${key} is not known to this version`);
  const issuedAtMs = readInteger(fields.get(KEY.issuedAt), 'command issue', 0, LATEST_MS) as EpochMillis;
  const expiresAtMs = readInteger(fields.get(KEY.expiresAt), 'command expiry', 0, LATEST_MS) as EpochMillis;
  if (expiresAtMs <= issuedAtMs) throw new DecodeError('decode.malformed', 'command: expires before it is issued');
  const had = readArray(fields.get(KEY.had), 'command keys', 0, MOST_KEYS).map(readHad);
  if (new Set(had.map(({ keyId }) => Buffer.from(keyId).toString('hex'))).size !== had.length)
    throw new DecodeError('decode.malformed', 'command: a key comes twice');
  return { version: readInteger(fields.get(KEY.version), 'command version', 1, GREATEST_COMMAND_VERSION), issuedAtMs, expiresAtMs, had };
}

function readHad(value: CborValue): Had {
  const [keyId, list] = readArray(value, 'command key', 2);
  let last = 0;
  const ranges = readArray(list, 'command ranges', 0, MOST_RANGES).map((entry) => {
    const [first, final] = readArray(entry, 'command range', 2);
    const from = readInteger(first, 'command range', 1, Number.MAX_SAFE_INTEGER) as Seq;
    const to = readInteger(final, 'command range', 1, Number.MAX_SAFE_INTEGER) as Seq;
    if (from <= last || to < from) throw new DecodeError('decode.malformed', 'command: ranges do not ascend');
    last = to;
    return { from, to };
  });
  return { keyId: readBytes(keyId, 'command key', KEY_ID_BYTES) as KeyId, ranges };
}

const externalAadOf = ({ deployment, kiosk }: CommandPlace): Uint8Array =>
  encodeCbor(['vestibule-command-1', deployment, topicOf(kiosk, 'command')]);
