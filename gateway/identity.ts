/**
 * Who this gateway is: every key it has, made once at the first start and kept under `keys/`, each a file of its own that only
 * the owner reads. A start that was cut short is completed by the next; nothing that is there is ever made anew.
 */
import { createPrivateKey, type KeyObject, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { removeLinkedDrafts } from '../disk/files.ts';
import { makeCertificate } from '../protocol/certificate.ts';
import { generateSigningKey, privateKeyFromSeed, rawSeed, SEED_BYTES } from '../protocol/ed25519.ts';
import { ConfigError } from '../protocol/errors.ts';
import { FIRST_GENERATION } from '../protocol/gateway-key.ts';
import { generateRecipient, type Recipient, recipientOf } from '../protocol/hpke.ts';
import { type DeploymentId, isPlaceId, newPlaceId } from '../protocol/ids.ts';
import type { Holder } from '../protocol/key-record.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { makePrivateDirectory, readOrMakeSecret } from './key-files.ts';
import { type OperatorAccount, openOperatorAccount } from './operator-account.ts';
import { gatewayPaths } from './paths.ts';
import { newestMadeAtMs, SECRET_BYTES, successorsOf } from './rotate/secrets.ts';
import { readSuccessor, refuseUnfit, type TlsKey } from './rotate/tls-key.ts';

export interface Identity {
  readonly deployment: DeploymentId;
  /** By what kiosks know it: the newest. */
  readonly tls: TlsKey;
  /** For whom kiosks seal their content keys: the newest. */
  readonly recipient: Recipient;
  /** When it was made; `undefined` for the first. */
  readonly recipientMadeAtMs: EpochMillis | undefined;
  /** What opens content keys: the newest, and those before it whose files are there. */
  readonly holders: readonly Holder[];
  /** Ed25519: signs receipts and all else that goes down to a kiosk. */
  readonly receiptKey: KeyObject;
  /** 32 bytes: encrypts the ledger and the registry. */
  readonly storeKey: Uint8Array;
  /** 32 bytes: HMAC key of the index pseudonym, which never leaves the store. */
  readonly indexPseudonymKey: Uint8Array;
  /** 32 bytes: HMAC key of the operator's pseudonym, which differs by venue and day. */
  readonly operatorPseudonymKey: Uint8Array;
  readonly operator: OperatorAccount;
}

/**
 * Reads the gateway's keys, making what is not there yet. Calling it again, or from a second process, gives the same identity.
 * @param directory the gateway's directory; `keys/` and `operator.txt` are in it.
 * @param first the deployment to belong to when this is the first start, for cards that were printed before; a new one unless given.
 * @throws ConfigError `config.invalid` when a key file is readable by others, damaged, or gone from under stores that are still there.
 */
export async function openIdentity(directory: string, first: { readonly deployment?: DeploymentId } = {}): Promise<Identity> {
  makePrivateDirectory(directory);
  const keys = join(directory, 'keys');
  makePrivateDirectory(keys);
  removeLinkedDrafts(keys);
  const { registry, ledger } = gatewayPaths(directory);
  // The stores come after the last key. Another key in a lost one's place would go unnoticed, and what it opened be lost for good.
  const hasStores = existsSync(registry) || existsSync(ledger);
  const readOrMake: ReadOrMake = (path, make) =>
    readOrMakeSecret(path, () => {
      if (hasStores)
        throw new ConfigError(
          'config.invalid',
          `${path}: is gone, and the stores are there (put it back from the backup, or begin a new data directory)`,
        );
      return make();
    });
  const first32 = (name: string, make: () => Uint8Array | Promise<Uint8Array> = () => randomBytes(SECRET_BYTES)) =>
    readSecret(readOrMake, join(keys, `${name}.key`), SECRET_BYTES, make);
  const newest = async (name: string) => successorsOf(keys, name)[0] ?? (await first32(name));

  const tls = readSuccessor(keys) ?? (await firstTlsKey(readOrMake, keys));
  const recipients = successorsOf(keys, 'recipient');
  if (recipients.length === 0 || existsSync(join(keys, 'recipient.key')))
    recipients.push(await first32('recipient', async () => (await generateRecipient()).privateKey));
  const holders = await Promise.all(recipients.map(async (privateKey) => ({ ...(await recipientOf(privateKey)), privateKey })));
  const [recipient] = holders;
  if (recipient === undefined) throw new TypeError('identity: no recipient');
  const receiptSeed = await readSecret(readOrMake, join(keys, 'receipt.key'), SEED_BYTES, () => rawSeed(generateSigningKey()));
  return {
    deployment: await readDeployment(readOrMake, join(keys, 'deployment'), first.deployment),
    tls,
    recipient: { id: recipient.id, publicKey: recipient.publicKey },
    recipientMadeAtMs: newestMadeAtMs(keys, 'recipient'),
    holders,
    receiptKey: privateKeyFromSeed(receiptSeed),
    storeKey: await first32('store'),
    indexPseudonymKey: await newest('index-pseudonym'),
    operatorPseudonymKey: await newest('operator-pseudonym'),
    operator: await openOperatorAccount(directory),
  };
}

type ReadOrMake = typeof readOrMakeSecret;

async function firstTlsKey(readOrMake: ReadOrMake, keys: string): Promise<TlsKey> {
  const keyPem = await readText(readOrMake, join(keys, 'tls.key'), () =>
    generateSigningKey().export({ type: 'pkcs8', format: 'pem' }).toString(),
  );
  // Kept, not made at each start: kiosks pin the certificate, and two of one key differ in their serial number.
  const certificatePem = await readText(readOrMake, join(keys, 'tls.crt'), () =>
    makeCertificate(createPrivateKey(keyPem), 'vestibule-gateway'),
  );
  refuseUnfit(join(keys, 'tls.crt'), keyPem, certificatePem);
  return { keyPem, certificatePem, generation: FIRST_GENERATION };
}

async function readSecret(
  readOrMake: ReadOrMake,
  path: string,
  length: number,
  make: () => Uint8Array | Promise<Uint8Array>,
): Promise<Uint8Array> {
  const bytes = await readOrMake(path, make);
  if (bytes.length !== length) throw new ConfigError('config.invalid', `${path}: ${bytes.length} of ${length} bytes`);
  return bytes;
}

async function readText(readOrMake: ReadOrMake, path: string, make: () => string | Promise<string>): Promise<string> {
  return Buffer.from(await readOrMake(path, async () => Buffer.from(await make(), 'utf8'))).toString('utf8');
}

async function readDeployment(readOrMake: ReadOrMake, path: string, first: DeploymentId = newPlaceId()): Promise<DeploymentId> {
  const text = (await readText(readOrMake, path, () => `${first}\n`)).trim();
  if (!isPlaceId(text)) throw new ConfigError('config.invalid', `${path}: ${text.length} characters that are no deployment id`);
  return text as DeploymentId;
}
