/**
 * The key by which kiosks know this gateway, and its succession. The first lies in `tls.key` and `tls.crt`; each that follows is one file that holds
 * key and certificate, so that a rotation is one step: whole, or not there. The newest is gone by from the next start on.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeOnce } from '../../disk/files.ts';
import { rawKeyOfCertificate } from '../../protocol/certificate.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { ConfigError } from '../../protocol/errors.ts';
import { FIRST_GENERATION, GREATEST_GENERATION, makeGatewayCertificate } from '../../protocol/gateway-key.ts';
import type { DeploymentId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { readSecret } from '../key-files.ts';

export interface TlsKey {
  readonly keyPem: string;
  readonly certificatePem: string;
  /** The second in which it was made; 0 for the first. */
  readonly generation: number;
}

const NAME = /^tls-\d{1,10}\.pem$/;
const nameOf = (generation: number): string => `tls-${generation}.pem`;

/** @param keys the gateway's directory of keys. @returns the generations that followed the first, ascending. */
const generationsIn = (keys: string): number[] =>
  (existsSync(keys) ? readdirSync(keys) : [])
    .filter((name) => NAME.test(name))
    .map((name) => Number(name.slice('tls-'.length, -'.pem'.length)))
    .sort((a, b) => a - b);

/** @returns the newest; `undefined` while there was no rotation. @throws ConfigError `config.invalid` when it is damaged or readable by others. */
export function readSuccessor(keys: string): TlsKey | undefined {
  const generation = generationsIn(keys).at(-1);
  if (generation === undefined) return undefined;
  const path = join(keys, nameOf(generation));
  const text = Buffer.from(readSecret(path)).toString('utf8');
  const [keyPem = '', certificatePem = ''] = text.split(/(?=-----BEGIN CERTIFICATE-----)/);
  refuseUnfit(path, keyPem, certificatePem);
  return { keyPem, certificatePem, generation };
}

/** @throws ConfigError `config.invalid` unless the certificate carries the key. @param path what is to be put back. */
export function refuseUnfit(path: string, keyPem: string, certificatePem: string): void {
  let isOfKey: boolean;
  try {
    isOfKey = Buffer.compare(rawKeyOfCertificate(certificatePem), rawPublicKey(createPrivateKey(keyPem))) === 0;
  } catch (cause) {
    throw new ConfigError('config.invalid', `${path}: key or certificate is damaged (put it back from the backup)`, { cause });
  }
  if (!isOfKey)
    throw new ConfigError(
      'config.invalid',
      `${path}: the certificate is not of the key (kiosks pin the certificate: put the right key back)`,
    );
}

/**
 * Makes the key that follows. When this returns it is there, also after a power cut; the gateway's next start goes by it.
 * @param note is called with its generation before it is there. @param above the greatest generation that kiosks may have followed to, where
 * that is not known here. @returns its generation. @throws StoreError as writeOnce, and what `note` throws.
 */
export async function makeSuccessor(
  keys: string,
  { deployment, receiptKey }: { readonly deployment: DeploymentId; readonly receiptKey: KeyObject },
  nowMs: EpochMillis,
  note: (generation: number) => void,
  above: number = FIRST_GENERATION,
): Promise<number> {
  const least = Math.max(generationsIn(keys).at(-1) ?? FIRST_GENERATION, above) + 1;
  const generation = Math.min(Math.max(least, Math.floor(nowMs / 1_000)), GREATEST_GENERATION);
  const key = generateSigningKey();
  const certificatePem = await makeGatewayCertificate(key, { deployment, generation, receiptKey });
  const keyPem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
  note(generation);
  writeOnce(join(keys, nameOf(generation)), Buffer.from(keyPem + certificatePem), 0o600);
  return generation;
}

/** @returns the files of keys that are not gone by any more, by name: to be erased once the gateway runs with the newest. */
export function formerKeys(keys: string): string[] {
  const [newest, ...older] = generationsIn(keys).reverse();
  if (newest === undefined) return [];
  return [...['tls.key', 'tls.crt'].filter((name) => existsSync(join(keys, name))), ...older.reverse().map(nameOf)];
}
