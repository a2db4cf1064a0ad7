/**
 * Whoever prints cards: an Ed25519 key that signs them, and the deployment that they are for.
 *
 *     issuer/               0700
 *       issuer.key          0600, the key's 32-byte seed: who has it can print cards that every kiosk takes
 *       issuer.json         public: { deployment, publicKey }
 *
 * Nothing else is kept here, above all no list of what was printed.
 */

import type { KeyObject } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { syncDirectory } from '../disk/files.ts';
import { generateSigningKey, privateKeyFromSeed, rawPublicKey, rawSeed, SEED_BYTES } from '../protocol/ed25519.ts';
import { ConfigError } from '../protocol/errors.ts';
import { type DeploymentId, isPlaceId, newPlaceId } from '../protocol/ids.ts';
import { systemCode, translated, writePrivateFile } from './private-file.ts';

export interface CardIssuer {
  readonly deployment: DeploymentId;
  /** Raw Ed25519, 32 bytes: what a gateway's trust document lists. */
  readonly publicKey: Uint8Array;
  readonly privateKey: KeyObject;
  /** Whether this call made it. */
  readonly isNew: boolean;
}

const KEY_FILE = 'issuer.key';
const PUBLIC_FILE = 'issuer.json';
const OPEN_TO_OTHERS = 0o077;
const MODE_BITS = 0o777;

const publicSchema = z.strictObject({
  deployment: z.string().refine(isPlaceId, 'expected 16 characters of lower-case Crockford base32'),
  publicKey: z.string(),
});

/**
 * Opens the issuer in `directory`, making it when there is none. Two processes that start together end with the same one.
 * @param wanted the deployment that cards shall be for; one made at random for a new issuer unless given.
 * @throws ConfigError `config.invalid` when the issuer is for another deployment, is damaged, half there, or readable by others;
 * StoreError `store.*` when it can not be kept.
 */
export function openIssuer(directory: string, { deployment }: { readonly deployment?: DeploymentId } = {}): CardIssuer {
  const path = resolve(directory);
  const isNew = !hasIssuer(path) && makeIssuer(path, deployment ?? newPlaceId<DeploymentId>());
  const issuer = { ...readIssuer(path), isNew };
  if (deployment !== undefined && issuer.deployment !== deployment)
    throw new ConfigError('config.invalid', `${path}: its cards are for deployment ${issuer.deployment}, not for ${deployment}`);
  return issuer;
}

const hasIssuer = (path: string): boolean => existsSync(join(path, KEY_FILE)) || existsSync(join(path, PUBLIC_FILE));

/** Both files appear at once, by renaming their directory. @returns whether they are ours: another process may have been first. */
function makeIssuer(path: string, deployment: DeploymentId): boolean {
  let draft: string | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    draft = mkdtempSync(`${path}.`);
    const privateKey = generateSigningKey();
    const seed = rawSeed(privateKey);
    writePrivateFile(join(draft, KEY_FILE), seed, false);
    seed.fill(0);
    const json = { deployment, publicKey: Buffer.from(rawPublicKey(privateKey)).toString('base64url') };
    writePrivateFile(join(draft, PUBLIC_FILE), Buffer.from(`${JSON.stringify(json, undefined, 2)}\n`), false);
    chmodSync(join(draft, PUBLIC_FILE), 0o644);
    syncDirectory(draft);
    // Takes the place of an empty directory; one with files in it stays as it is.
    renameSync(draft, path);
    syncDirectory(dirname(path));
    return true;
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes(systemCode(error))) throw translated(path, error);
    if (!hasIssuer(path)) throw new ConfigError('config.invalid', `${path}: holds other files and no issuer`, { cause: error });
    return false;
  } finally {
    if (draft !== undefined) rmSync(draft, { recursive: true, force: true });
  }
}

function readIssuer(path: string): Omit<CardIssuer, 'isNew'> {
  const seed = readKeyFile(join(path, KEY_FILE));
  const privateKey = privateKeyFromSeed(seed);
  seed.fill(0);
  const publicKey = rawPublicKey(privateKey);
  const parsed = publicSchema.safeParse(parseJson(readPart(join(path, PUBLIC_FILE))));
  if (!parsed.success)
    throw new ConfigError('config.invalid', `${join(path, PUBLIC_FILE)}: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`);
  if (parsed.data.publicKey !== Buffer.from(publicKey).toString('base64url'))
    throw new ConfigError('config.invalid', `${path}: ${PUBLIC_FILE} and ${KEY_FILE} do not belong together`);
  return { deployment: parsed.data.deployment as DeploymentId, publicKey, privateKey };
}

function readKeyFile(path: string): Uint8Array {
  const seed = readPart(path);
  const mode = statSync(path).mode & MODE_BITS;
  if ((mode & OPEN_TO_OTHERS) !== 0)
    throw new ConfigError(
      'config.invalid',
      `${path}: mode ${mode.toString(8)} of at most 600: others may read the issuer's key (chmod 600 it)`,
    );
  if (seed.length !== SEED_BYTES) throw new ConfigError('config.invalid', `${path}: ${seed.length} of ${SEED_BYTES} bytes`);
  return seed;
}

function readPart(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw translated(path, error);
    throw new ConfigError(
      'config.invalid',
      `${path}: missing beside the issuer's other file; bring it back from a backup, or start with a new directory`,
      {
        cause: error,
      },
    );
  }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
