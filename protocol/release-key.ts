/** The public half of a release key as a file: PEM, SubjectPublicKeyInfo. Source: RFC 7468, section 13; RFC 8410, section 4. */
import { createPublicKey } from 'node:crypto';
import { publicKeyFromRaw, rawPublicKey } from './ed25519.ts';
import { DecodeError } from './errors.ts';

/** @param publicKey raw Ed25519, 32 bytes. @returns PEM. */
export const formatReleaseKey = (publicKey: Uint8Array): string =>
  publicKeyFromRaw(publicKey).export({ format: 'pem', type: 'spki' }).toString();

/** @returns raw Ed25519, 32 bytes. @throws DecodeError `decode.malformed`; also for a private key, which has no business where kiosks are. */
export function readReleaseKey(pem: string): Uint8Array {
  try {
    if (!pem.includes('PRIVATE')) {
      const key = createPublicKey(pem);
      if (key.asymmetricKeyType === 'ed25519') return rawPublicKey(key);
    }
  } catch {}
  throw new DecodeError('decode.malformed', 'release key: no public Ed25519 key in PEM');
}
