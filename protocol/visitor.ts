/**
 * From the key code on a stub to the visitor's identity. The card carries the UUID alone: the way goes down, never up.
 *
 *     key code -> HKDF-SHA256 -> Ed25519 seed -> public key -> SHA-256, cut -> version 8 UUID
 *
 * So the UUID stands for the public key, and whoever holds the key code can prove that the UUID is theirs.
 * Source: RFC 5869 (HKDF), RFC 8032 (Ed25519), RFC 9562, section 5.8 (UUID version 8).
 */
import { createHash, hkdfSync, type KeyObject } from 'node:crypto';
import { privateKeyFromSeed, rawPublicKey, SEED_BYTES } from './ed25519.ts';
import { CodeError } from './errors.ts';
import type { VisitorUuid } from './ids.ts';
import { KEY_CODE_BYTES } from './key-code.ts';

export interface Visitor {
  readonly card: VisitorUuid;
  /** Raw Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly privateKey: KeyObject;
}

const INFO = 'vestibule visitor 1';
const UUID_BYTES = 16;

/** @param keyCode 16 bytes; not kept. @throws CodeError `code.malformed` at any other length. */
export function deriveVisitor(keyCode: Uint8Array): Visitor {
  if (keyCode.length !== KEY_CODE_BYTES) throw new CodeError('code.malformed', `key code: ${keyCode.length} of ${KEY_CODE_BYTES} bytes`);
  const seed = new Uint8Array(hkdfSync('sha256', keyCode, new Uint8Array(0), INFO, SEED_BYTES));
  const privateKey = privateKeyFromSeed(seed);
  seed.fill(0);
  const publicKey = rawPublicKey(privateKey);
  return { card: uuidOfPublicKey(publicKey), publicKey, privateKey };
}

/** @param publicKey raw Ed25519, 32 bytes. @returns the UUID that stands for it. */
export function uuidOfPublicKey(publicKey: Uint8Array): VisitorUuid {
  const uuid = new Uint8Array(createHash('sha256').update(publicKey).digest().subarray(0, UUID_BYTES));
  uuid[6] = ((uuid[6] ?? 0) & 0x0f) | 0x80;
  uuid[8] = ((uuid[8] ?? 0) & 0x3f) | 0x80;
  return uuid as VisitorUuid;
}
