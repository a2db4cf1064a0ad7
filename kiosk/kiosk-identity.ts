/**
 * Who this kiosk is: an Ed25519 key made on first start, in a file that its owner alone can read, and an id beside it.
 * The key is in no log and no backup of ours; whoever has the file is this kiosk until the gateway revokes it.
 */

import type { KeyObject } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeWhole } from '../disk/files.ts';
import { generateSigningKey, privateKeyFromSeed, rawPublicKey, rawSeed, SEED_BYTES } from '../protocol/ed25519.ts';
import { ConfigError } from '../protocol/errors.ts';
import { isPlaceId, type KioskId, newPlaceId } from '../protocol/ids.ts';

export interface KioskIdentity {
  readonly kiosk: KioskId;
  readonly privateKey: KeyObject;
  /** Raw Ed25519, 32 bytes: what the gateway admits the kiosk by. */
  readonly publicKey: Uint8Array;
}

const idFile = z.strictObject({ kiosk: z.string().refine(isPlaceId), publicKey: z.string() });

/**
 * Reads `kiosk.key` and `kiosk.json` of a data directory; makes what is missing.
 * @throws ConfigError config.invalid when one of them is not what it should be, or can not be made.
 */
export function openIdentity(dir: string): KioskIdentity {
  const keyPath = join(dir, 'kiosk.key');
  const idPath = join(dir, 'kiosk.json');
  try {
    if (!existsSync(keyPath)) writeWhole(keyPath, rawSeed(generateSigningKey()), 0o600);
    const seed = readFileSync(keyPath);
    if (seed.length !== SEED_BYTES) throw new ConfigError('config.invalid', `kiosk.key: ${seed.length} of ${SEED_BYTES} bytes`);
    const privateKey = privateKeyFromSeed(seed);
    const publicKey = rawPublicKey(privateKey);
    const publicText = Buffer.from(publicKey).toString('base64url');
    if (!existsSync(idPath)) {
      const made = { kiosk: newPlaceId<KioskId>(), publicKey: publicText };
      writeWhole(idPath, Buffer.from(`${JSON.stringify(made, undefined, 2)}\n`), 0o644);
    }
    const read = idFile.safeParse(JSON.parse(readFileSync(idPath, 'utf8')));
    if (!read.success) throw new ConfigError('config.invalid', 'kiosk.json: not as Vestibule wrote it');
    if (read.data.publicKey !== publicText) throw new ConfigError('config.invalid', 'kiosk.json: of another kiosk than kiosk.key');
    return { kiosk: read.data.kiosk as KioskId, privateKey, publicKey };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError('config.invalid', 'data directory: the kiosk’s identity can not be read or made', { cause: error });
  }
}
