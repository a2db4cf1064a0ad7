/** The key that signs releases, as two files: one that stays off line, and one that every image has. */

import type { KeyObject } from 'node:crypto';
import { createPrivateKey } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { writeOnce } from '../../disk/files.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { ConfigError } from '../../protocol/errors.ts';
import { formatReleaseKey, readReleaseKey } from '../../protocol/release-key.ts';

export const PRIVATE_NAME = 'release.key';
export const PUBLIC_NAME = 'release.pub';
/** Of group and others. */
const OPEN_BITS = 0o077;

/**
 * Makes a key in a directory that is there. @returns its public half, raw Ed25519.
 * @throws ConfigError `config.invalid` where there is one already: whoever replaces it strands every kiosk that knows the old one.
 */
export function makeReleaseKey(dir: string): Uint8Array {
  const path = join(dir, PRIVATE_NAME);
  // Also where the private half was taken elsewhere: the public one that stayed would be of another key.
  for (const there of [path, join(dir, PUBLIC_NAME)])
    if (existsSync(there)) throw new ConfigError('config.invalid', `${there}: is there already, and is not written over`);
  const key = generateSigningKey();
  const publicKey = rawPublicKey(key);
  writeOnce(path, Buffer.from(key.export({ format: 'pem', type: 'pkcs8' })), 0o600);
  writeOnce(join(dir, PUBLIC_NAME), Buffer.from(formatReleaseKey(publicKey)), 0o644);
  return publicKey;
}

/** @throws ConfigError `config.invalid` for what is no such key, and for a file that others than its owner can read. */
export function openReleaseKey(path: string): KeyObject {
  if (!existsSync(path)) throw new ConfigError('config.invalid', `${path}: is not there (vestibule release key makes one)`);
  if ((statSync(path).mode & OPEN_BITS) !== 0)
    throw new ConfigError('config.invalid', `${path}: others than its owner can read it (chmod 600)`);
  try {
    const key = createPrivateKey(readFileSync(path, 'utf8'));
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {}
  throw new ConfigError('config.invalid', `${path}: no private Ed25519 key in PEM`);
}

/** @returns raw Ed25519. @throws ConfigError `config.invalid`. */
export function openPublicKey(path: string): Uint8Array {
  if (!existsSync(path)) throw new ConfigError('config.invalid', `${path}: is not there`);
  try {
    return readReleaseKey(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new ConfigError('config.invalid', `${path}: no public Ed25519 key in PEM`, { cause });
  }
}
