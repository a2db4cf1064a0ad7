/**
 * What a core that serves a gateway elsewhere keeps besides its stores, in a directory of its own: the key that it is known by, the token
 * that lets the gateway in, and whose ledger it takes. Made at the first start; a file that is there is never written again.
 */
import { createHash, createPublicKey, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { writeOnce } from '../disk/files.ts';
import { makeCertificate } from '../protocol/certificate.ts';
import { privateKeyFromSeed, SEED_BYTES } from '../protocol/ed25519.ts';
import { ConfigError } from '../protocol/errors.ts';
import { type DeploymentId, isPlaceId } from '../protocol/ids.ts';

export interface HttpFiles {
  readonly deployment: DeploymentId;
  readonly tls: { readonly keyPem: string; readonly certificatePem: string };
  /** By which the gateway knows this core: SHA-256 of its public key (SubjectPublicKeyInfo), base64url. */
  readonly pin: string;
  readonly token: string;
  /** Where the token lies, to be carried to the gateway. */
  readonly tokenPath: string;
}

const TOKEN_BYTES = 32;

/**
 * @param dir made if it is not there. @param deployment as a person said it now; needed at the first start, and the same from then on.
 * @throws ConfigError `config.invalid` when it is not known whose core this is, or a file is not what it should be.
 */
export async function openHttpFiles(dir: string, deployment: string | undefined): Promise<HttpFiles> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700);
  const known = deploymentOf(join(dir, 'deployment'), deployment);
  const tokenPath = join(dir, 'gateway.token');
  const seed = keepFile(join(dir, 'tls.key'), () => randomBytes(SEED_BYTES));
  if (seed.length !== SEED_BYTES) throw new ConfigError('config.invalid', `${dir}/tls.key: ${seed.length} of ${SEED_BYTES} bytes`);
  const privateKey = privateKeyFromSeed(seed);
  const token = keepFile(tokenPath, () => Buffer.from(`${randomBytes(TOKEN_BYTES).toString('base64url')}\n`))
    .toString('utf8')
    .trim();
  if (!/^[\x21-\x7e]{32,512}$/.test(token)) throw new ConfigError('config.invalid', `${tokenPath}: no token`);
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return {
    deployment: known,
    tls: {
      keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      certificatePem: await makeCertificate(privateKey, 'vestibule-core'),
    },
    pin: createHash('sha256').update(spki).digest('base64url'),
    token,
    tokenPath,
  };
}

function deploymentOf(path: string, said: string | undefined): DeploymentId {
  if (!existsSync(path) && said === undefined)
    throw new ConfigError('config.invalid', `${path}: not said yet whose core this is (--trust names the gateway's trust.json)`);
  const kept = keepFile(path, () => Buffer.from(`${said}\n`))
    .toString('utf8')
    .trim();
  if (!isPlaceId(kept)) throw new ConfigError('config.invalid', `${path}: no deployment's id`);
  if (said !== undefined && said !== kept)
    throw new ConfigError(
      'config.invalid',
      `${path}: this core is of deployment ${kept}, not ${said}: give it a data directory of its own`,
    );
  return kept as DeploymentId;
}

/** @returns the file's content, made first when it is not there. */
export function keepFile(path: string, make: () => Uint8Array): Buffer {
  if (!existsSync(path)) writeOnce(path, make(), 0o600);
  if ((statSync(path).mode & 0o077) !== 0) throw new ConfigError('config.invalid', `${path}: others may read it (chmod go= it)`);
  return readFileSync(path);
}
