/**
 * Who can open a backup: its head, and in it the content key, locked once for each passphrase and each key. The head says nothing of what
 * is in the backup, nor when or where it was made.
 * Source: docs/decisions/0026-backup-and-restore.md, "The file"; RFC 7914 (scrypt), RFC 5869 (HKDF), RFC 9180 (HPKE).
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, scryptSync } from 'node:crypto';
import { decodeCbor, encodeCbor } from '../../protocol/cbor.ts';
import { readArray, readBytes, readInteger } from '../../protocol/cbor-read.ts';
import { BackupError, codeOf } from '../../protocol/errors.ts';
import { ENCAPSULATED_BYTES, openFrom, RECIPIENT_ID_BYTES, type Recipient, recipientOf, sealTo } from '../../protocol/hpke.ts';

/** What a backup is made for: one of these opens it. */
export type Locking =
  | { readonly kind: 'passphrase'; readonly passphrase: string }
  | { readonly kind: 'key'; readonly recipient: Recipient };

/** What a backup is opened with. */
export type Opening =
  | { readonly kind: 'passphrase'; readonly passphrase: string }
  /** 32 bytes, X25519: the private half of what it was made for. */
  | { readonly kind: 'key'; readonly privateKey: Uint8Array };

export const MAGIC = Buffer.from('vestibule-backup', 'ascii');
export const VERSION = 1;
/** Magic, version, and two bytes of the locks' length. */
export const FIXED_BYTES = MAGIC.length + 3;
export const LONGEST_LOCKS_BYTES = 2_048;
export const MOST_LOCKS = 8;
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const SALT_BYTES = 16;
const WRAPPED_BYTES = KEY_BYTES + TAG_BYTES;

const PASSPHRASE = 0;
const KEY = 1;

/** Of scrypt: 128 MiB and about half a second. OWASP, Password Storage Cheat Sheet: N = 2^17, r = 8, p = 1. */
const SCRYPT = { log2N: 17, r: 8, p: 1 } as const;
/** What a foreign head may ask for at most: 256 MiB. */
const MOST_LOG2_N = 18;
const LEAST_LOG2_N = 14;
const SHORTEST_PASSPHRASE = 12;
const LONGEST_PASSPHRASE_BYTES = 1_024;
const INFO = encodeCbor(['vestibule-backup-1']);
/** Each wrapping key wraps one content key: it is made of a salt of its own. */
const NO_IV = new Uint8Array(12);

/** A content key, and the head of a file that is sealed under it. */
export interface Head {
  readonly bytes: Uint8Array;
  /** 32 bytes: of this head and its content key, so that one altered byte in the head is another key. */
  readonly chunkKey: Uint8Array;
}

/** @throws BackupError `backup.weak_passphrase` for one of fewer than 12 characters. */
export function checkPassphrase(passphrase: string): void {
  if ([...passphrase].length < SHORTEST_PASSPHRASE || Buffer.byteLength(passphrase) > LONGEST_PASSPHRASE_BYTES)
    throw new BackupError('backup.weak_passphrase', `passphrase: ${SHORTEST_PASSPHRASE} characters or more, 1,024 bytes at most`);
}

/** Makes a content key and locks it. @param lockings 1 to 8. @throws BackupError `backup.weak_passphrase`; SealError for a key that is none. */
export async function makeHead(lockings: readonly Locking[]): Promise<Head> {
  const contentKey = randomBytes(KEY_BYTES);
  const locks = await Promise.all(lockings.map((locking) => lock(locking, contentKey)));
  const encoded = encodeCbor(locks);
  const fixed = Buffer.alloc(FIXED_BYTES);
  MAGIC.copy(fixed);
  fixed[MAGIC.length] = VERSION;
  fixed.writeUInt16BE(encoded.length, MAGIC.length + 1);
  const bytes = Buffer.concat([fixed, encoded]);
  return { bytes, chunkKey: chunkKeyOf(bytes, contentKey) };
}

/** @param bytes the first of a file, FIXED_BYTES. @returns how long the whole head is. @throws BackupError `backup.not_one`, `backup.version`, `backup.truncated`. */
export function headLengthOf(bytes: Uint8Array): number {
  const known = Buffer.from(bytes.subarray(0, MAGIC.length));
  if (!known.equals(MAGIC.subarray(0, known.length)) || known.length === 0)
    throw new BackupError('backup.not_one', 'backup: the file does not begin as a backup does');
  if (bytes.length < FIXED_BYTES) throw new BackupError('backup.truncated', `backup: ${bytes.length} bytes`);
  const version = bytes[MAGIC.length];
  if (version !== VERSION) throw new BackupError('backup.version', `backup: of version ${version}, and this program reads ${VERSION}`);
  const length = Buffer.from(bytes).readUInt16BE(MAGIC.length + 1);
  if (length > LONGEST_LOCKS_BYTES)
    throw new BackupError('backup.altered', `backup: a head of ${length} of at most ${LONGEST_LOCKS_BYTES} bytes`);
  return FIXED_BYTES + length;
}

/** @param bytes the whole head. @throws BackupError `backup.wrong_key` when nothing of it opens, `backup.altered` when it is no head. */
export async function openHead(bytes: Uint8Array, opening: Opening): Promise<Head> {
  const locks = readLocks(bytes.subarray(FIXED_BYTES));
  for (const one of locks) {
    const contentKey = await unlock(one, opening);
    if (contentKey !== undefined) return { bytes, chunkKey: chunkKeyOf(bytes, contentKey) };
  }
  const what = opening.kind === 'key' ? 'key' : 'passphrase';
  throw new BackupError('backup.wrong_key', `backup: does not open with this ${what} (or its first bytes were altered)`);
}

type Lock =
  | { readonly kind: 'passphrase'; readonly salt: Uint8Array; readonly log2N: number; readonly wrapped: Uint8Array }
  | { readonly kind: 'key'; readonly id: Uint8Array; readonly enc: Uint8Array; readonly wrapped: Uint8Array };

function readLocks(bytes: Uint8Array): Lock[] {
  try {
    return readArray(decodeCbor(bytes, 'backup', LONGEST_LOCKS_BYTES), 'backup locks', 1, MOST_LOCKS).map((each): Lock => {
      const [kind, first, second, wrapped] = readArray(each, 'backup lock', 4);
      if (readInteger(kind, 'backup lock', PASSPHRASE, KEY) === PASSPHRASE)
        return {
          kind: 'passphrase',
          salt: readBytes(first, 'backup salt', SALT_BYTES),
          log2N: readInteger(second, 'backup scrypt', LEAST_LOG2_N, MOST_LOG2_N),
          wrapped: readBytes(wrapped, 'backup key', WRAPPED_BYTES),
        };
      return {
        kind: 'key',
        id: readBytes(first, 'backup recipient', RECIPIENT_ID_BYTES),
        enc: readBytes(second, 'backup recipient', ENCAPSULATED_BYTES),
        wrapped: readBytes(wrapped, 'backup key', WRAPPED_BYTES),
      };
    });
  } catch (cause) {
    if (codeOf(cause) === undefined) throw cause;
    throw new BackupError('backup.altered', 'backup: its head is not as it was written', { cause });
  }
}

async function lock(locking: Locking, contentKey: Uint8Array) {
  if (locking.kind === 'key') {
    const { enc, ciphertext } = await sealTo(locking.recipient.publicKey, INFO, contentKey);
    return [KEY, locking.recipient.id, enc, ciphertext] as const;
  }
  checkPassphrase(locking.passphrase);
  const salt = new Uint8Array(randomBytes(SALT_BYTES));
  const cipher = createCipheriv('aes-256-gcm', stretched(locking.passphrase, salt, SCRYPT.log2N), NO_IV);
  const wrapped = Buffer.concat([cipher.update(contentKey), cipher.final(), cipher.getAuthTag()]);
  return [PASSPHRASE, salt, SCRYPT.log2N, new Uint8Array(wrapped)] as const;
}

async function unlock(one: Lock, opening: Opening): Promise<Uint8Array | undefined> {
  if (one.kind === 'key' && opening.kind === 'key') {
    const { id } = await recipientOf(opening.privateKey);
    if (Buffer.compare(id, one.id) !== 0) return undefined;
    return await openFrom(opening.privateKey, INFO, one.enc, one.wrapped).catch((error: unknown) => {
      if (codeOf(error) === undefined) throw error;
      return undefined;
    });
  }
  if (one.kind !== 'passphrase' || opening.kind !== 'passphrase') return undefined;
  const decipher = createDecipheriv('aes-256-gcm', stretched(opening.passphrase, one.salt, one.log2N), NO_IV);
  decipher.setAuthTag(one.wrapped.subarray(KEY_BYTES));
  const contentKey = decipher.update(one.wrapped.subarray(0, KEY_BYTES));
  try {
    decipher.final();
    return contentKey;
  } catch {
    // Only the tag can be wrong here.
    return undefined;
  }
}

/** Typed on another keyboard, the same letters may be other code points: normalised as RFC 8265 does. */
const stretched = (passphrase: string, salt: Uint8Array, log2N: number): Uint8Array =>
  scryptSync(passphrase.normalize('NFC'), salt, KEY_BYTES, { N: 2 ** log2N, r: SCRYPT.r, p: SCRYPT.p, maxmem: 2 ** 29 });

const chunkKeyOf = (head: Uint8Array, contentKey: Uint8Array): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', contentKey, head, 'vestibule-backup-1 chunks', KEY_BYTES));
