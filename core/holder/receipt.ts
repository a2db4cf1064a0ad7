/**
 * The receipt of a revocation: what was erased in which tier and when, and what is still pending, signed by the core. It names no card; its
 * number is random. A JWS, so that anybody can verify it without a program of ours.
 * Source: RFC 7515 (JWS, compact serialization), RFC 8037 (EdDSA), RFC 7517 (JWK).
 */
import { hkdfSync, type KeyObject } from 'node:crypto';
import { privateKeyFromSeed, rawPublicKey, SEED_BYTES, signBytes } from '../../protocol/ed25519.ts';
import type { Revocation, StoredTier } from './revocations.ts';

export type TierState =
  | { readonly tier: string; readonly state: 'done'; readonly atMs: number; readonly done?: number; readonly of?: number }
  | { readonly tier: string; readonly state: 'pending'; readonly done?: number; readonly of?: number; readonly untilMs?: number };

export interface HolderReceipt {
  readonly version: 1;
  /** The core's id, hexadecimal. */
  readonly core: string;
  /** 16 hexadecimal digits. */
  readonly receipt: string;
  readonly revokedAtMs: number;
  /** When this was said. */
  readonly asOfMs: number;
  readonly tiers: readonly TierState[];
}

const INFO = 'vestibule-holder-receipt-1';

/** @param storeKey of the core, 32 bytes. @returns the key that receipts are signed with. */
export function receiptKeyOf(storeKey: Uint8Array): KeyObject {
  const seed = new Uint8Array(hkdfSync('sha256', storeKey, new Uint8Array(), INFO, SEED_BYTES));
  const key = privateKeyFromSeed(seed);
  seed.fill(0);
  return key;
}

/**
 * @param tiers what others said. @param now.backupsUntilMs until when a backup from before may be kept.
 * @returns what the receipt says now.
 */
export function receiptOf(
  { receipt, revokedAtMs, erasedAtMs }: Revocation,
  tiers: readonly StoredTier[],
  now: { readonly core: Uint8Array; readonly nowMs: number; readonly backupsUntilMs: number },
): HolderReceipt {
  const own: TierState = erasedAtMs === undefined ? { tier: 'core', state: 'pending' } : { tier: 'core', state: 'done', atMs: erasedAtMs };
  const others = (['gateway', 'kiosks', 'sinks'] as const).map((tier): TierState => {
    const told = tiers.find((other) => other.tier === tier);
    if (told === undefined) return { tier, state: 'pending' };
    const { done, of, doneAtMs } = told;
    return doneAtMs === undefined ? { tier, state: 'pending', done, of } : { tier, state: 'done', atMs: doneAtMs, done, of };
  });
  const { core, nowMs, backupsUntilMs } = now;
  const backups: TierState =
    nowMs < backupsUntilMs
      ? { tier: 'backups', state: 'pending', untilMs: backupsUntilMs }
      : { tier: 'backups', state: 'done', atMs: backupsUntilMs };
  return {
    version: 1,
    core: hexOf(core),
    receipt: hexOf(receipt),
    revokedAtMs,
    asOfMs: nowMs,
    tiers: [own, ...others, backups],
  };
}

/** @returns a JWS in compact form, with the public key in its header. */
export function signReceipt(receipt: HolderReceipt, key: KeyObject): string {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(rawPublicKey(key)).toString('base64url') };
  const said = [{ alg: 'EdDSA', typ: 'vestibule-receipt+jws', jwk }, receipt];
  const text = said.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${Buffer.from(signBytes(Buffer.from(text, 'latin1'), key)).toString('base64url')}`;
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
