/**
 * Cards and stickers that an issuer signs, so that a kiosk can refuse a forged one without asking anybody.
 * Signed (Ed25519): "vestibule-card-1", NUL, the kind letter, the deployment's 16 characters, and the code's payload before the
 * signature. The deployment is in no card's text, only its issuer's short id is: under an issuer that serves two deployments, a card
 * of the other one is forged.
 */
import { createHash, type KeyObject } from 'node:crypto';
import {
  type Code,
  type GroupCode,
  letterOfKind,
  type SignedCode,
  type StaffCardCode,
  type StaffCommand,
  type StickerCode,
  type VisitorCode,
} from './code.ts';
import { encodePayload, ISSUER_ID_BYTES } from './code-payload.ts';
import { isSignedByRaw, publicKeyFromRaw, rawPublicKey, SIGNATURE_BYTES, signBytes } from './ed25519.ts';
import { CodeError } from './errors.ts';
import type { DeploymentId, VisitorUuid } from './ids.ts';

export interface Issuer {
  /** 4 bytes: SHA-256 of the raw public key, cut. Short, so two issuers may share it; the signature decides. */
  readonly id: Uint8Array;
  /** Raw, 32 bytes. */
  readonly publicKey: Uint8Array;
}

export interface CardTrust {
  readonly deployment: DeploymentId;
  readonly issuers: readonly Issuer[];
  /** Whether the venue's policy takes cards that nobody signed. */
  readonly mayTakeUnsigned: boolean;
}

export interface ReadCard {
  readonly card: VisitorUuid;
  /** 1 to 99 people. */
  readonly groupSize: number;
  readonly isSigned: boolean;
}

const CONTEXT = 'vestibule-card-1\0';
const UNSIGNED = new Uint8Array(SIGNATURE_BYTES);

/** @param raw 32 bytes. @throws DecodeError `decode.malformed` at any other length. */
export function issuerOf(raw: Uint8Array): Issuer {
  return { id: issuerId(raw), publicKey: rawPublicKey(publicKeyFromRaw(raw)) };
}

/** @throws CodeError `code.malformed` unless `card` is a version 8 UUID. */
export function signCard(card: VisitorUuid, deployment: DeploymentId, privateKey: KeyObject): VisitorCode {
  return signed({ kind: 'visitor', issuer: issuerId(rawPublicKey(privateKey)), card, signature: UNSIGNED }, deployment, privateKey);
}

/** @param size 2 to 99 people. @throws CodeError `code.malformed` outside of that. */
export function signGroupCard(card: VisitorUuid, size: number, deployment: DeploymentId, privateKey: KeyObject): GroupCode {
  return signed({ kind: 'group', issuer: issuerId(rawPublicKey(privateKey)), card, size, signature: UNSIGNED }, deployment, privateKey);
}

/** @param sticker 16 random bytes. @throws CodeError `code.malformed` at any other length. */
export function signSticker(sticker: Uint8Array, deployment: DeploymentId, privateKey: KeyObject): StickerCode {
  return signed({ kind: 'sticker', issuer: issuerId(rawPublicKey(privateKey)), sticker, signature: UNSIGNED }, deployment, privateKey);
}

/** @throws CodeError `code.malformed` unless `card` is a version 8 UUID. */
export function signStaffCard(card: VisitorUuid, command: StaffCommand, deployment: DeploymentId, privateKey: KeyObject): StaffCardCode {
  const issuer = issuerId(rawPublicKey(privateKey));
  return signed({ kind: 'staff-card', issuer, card, command, signature: UNSIGNED }, deployment, privateKey);
}

/** Whether it was withdrawn is the caller's to ask. @throws CodeError `code.unknown_issuer`, `code.forged`. */
export function checkStaffCard(code: StaffCardCode, trust: Pick<CardTrust, 'deployment' | 'issuers'>): void {
  checkSignature(code, trust);
}

/**
 * @returns the card, once it may be believed.
 * @throws CodeError `code.kind` for a code that is no card; `code.unsigned` where the venue takes signed cards only;
 * `code.unknown_issuer`; `code.forged`, which a card of another deployment is, too.
 */
export function readCard(code: Code, trust: CardTrust): ReadCard {
  switch (code.kind) {
    case 'visitor':
      checkSignature(code, trust);
      return { card: code.card, groupSize: 1, isSigned: true };
    case 'group':
      checkSignature(code, trust);
      return { card: code.card, groupSize: code.size, isSigned: true };
    case 'unsigned':
      if (!trust.mayTakeUnsigned) throw new CodeError('code.unsigned', 'card: nobody signed it, and signed ones only are taken here');
      return { card: code.card, groupSize: 1, isSigned: false };
    default:
      throw new CodeError('code.kind', `card: a ${code.kind} code is none`);
  }
}

/** @returns the sticker's 16 bytes. @throws CodeError `code.kind`, `code.unknown_issuer`, `code.forged`. */
export function readSticker(code: Code, trust: Pick<CardTrust, 'deployment' | 'issuers'>): Uint8Array {
  if (code.kind !== 'sticker') throw new CodeError('code.kind', `sticker: a ${code.kind} code is none`);
  checkSignature(code, trust);
  return code.sticker;
}

function checkSignature(code: SignedCode, trust: Pick<CardTrust, 'deployment' | 'issuers'>): void {
  const candidates = trust.issuers.filter((issuer) => Buffer.compare(issuer.id, code.issuer) === 0);
  if (candidates.length === 0)
    throw new CodeError('code.unknown_issuer', `${code.kind} code: none of ${trust.issuers.length} issuers made it`);
  const message = signedBytes(code, trust.deployment);
  if (!candidates.some((issuer) => isSignedByRaw(message, code.signature, issuer.publicKey))) {
    throw new CodeError('code.forged', `${code.kind} code: the signature is not its issuer's, or for another deployment`);
  }
}

const signed = <Unsigned extends SignedCode>(code: Unsigned, deployment: DeploymentId, privateKey: KeyObject): Unsigned => ({
  ...code,
  signature: signBytes(signedBytes(code, deployment), privateKey),
});

const signedBytes = (code: SignedCode, deployment: DeploymentId): Uint8Array =>
  Buffer.concat([Buffer.from(CONTEXT + letterOfKind(code.kind) + deployment, 'latin1'), encodePayload(code).subarray(0, -SIGNATURE_BYTES)]);

const issuerId = (raw: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(raw).digest().subarray(0, ISSUER_ID_BYTES));
