/**
 * The one account that operators connect with. The secret is made once and given in `operator.txt`, which may be taken away
 * afterwards: the gateway itself keeps only a scrypt hash.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../protocol/errors.ts';
import { readOrMakeSecret } from './key-files.ts';

export interface OperatorAccount {
  readonly account: string;
  /**
   * One guess after the other, so that guessing leaves the process's other threads to the kiosks.
   * @param untilClosed of the connection: a guess whose turn comes after it is not looked at.
   * @returns whether this is the account and its secret; takes the same time whichever of the two is wrong.
   */
  isAllowed(account: string | undefined, secret: Uint8Array | undefined, untilClosed?: AbortSignal): Promise<boolean>;
}

const ACCOUNT = 'operator';
const SECRET_BYTES = 24;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** The secret has 192 random bits, so that the cost guards only against a weak one that a person puts in its place. */
const SCRYPT_COST = 16_384;
const LONGEST_SECRET_BYTES = 256;

/** Opens the account, making secret and hash at the first start. @throws ConfigError `config.invalid` for a damaged file. */
export async function openOperatorAccount(directory: string): Promise<OperatorAccount> {
  const hashPath = join(directory, 'keys', 'operator.hash');
  // The secret first: a start cut short between the two finds it again and hashes that one.
  if (!existsSync(hashPath)) {
    const secret = await readSecretFile(join(directory, 'operator.txt'));
    await readOrMakeSecret(hashPath, () => hashOf(secret, randomBytes(SALT_BYTES)));
  }
  const kept = await readOrMakeSecret(hashPath, () => {
    throw new ConfigError('config.invalid', `${hashPath}: taken away while the gateway started`);
  });
  if (kept.length !== SALT_BYTES + HASH_BYTES)
    throw new ConfigError('config.invalid', `${hashPath}: ${kept.length} of ${SALT_BYTES + HASH_BYTES} bytes`);
  const isRight = async (account: string | undefined, secret: Uint8Array | undefined): Promise<boolean> => {
    const given = secret !== undefined && secret.length <= LONGEST_SECRET_BYTES ? secret : new Uint8Array();
    const isSecret = timingSafeEqual(await hashOf(given, kept.subarray(0, SALT_BYTES)), kept);
    return isSecret && account === ACCOUNT;
  };
  let before: Promise<unknown> = Promise.resolve();
  return {
    account: ACCOUNT,
    isAllowed(account, secret, untilClosed) {
      const answer = before.then(() => (untilClosed?.aborted === true ? false : isRight(account, secret)));
      before = answer.catch(() => {});
      return answer;
    },
  };
}

/** The file holds the secret and a line feed, so that a shell can hand it on as it is. */
async function readSecretFile(path: string): Promise<Uint8Array> {
  const text = await readOrMakeSecret(path, () => Buffer.from(`${randomBytes(SECRET_BYTES).toString('base64url')}\n`));
  const secret = Buffer.from(text).toString('utf8').trim();
  if (!/^\S+$/.test(secret)) throw new ConfigError('config.invalid', `${path}: expected the secret alone, without spaces`);
  return Buffer.from(secret);
}

/** @returns salt and hash, one after the other. */
function hashOf(secret: Uint8Array, salt: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    scrypt(secret, salt, HASH_BYTES, { N: SCRYPT_COST }, (error, hash) => (error ? reject(error) : resolve(Buffer.concat([salt, hash]))));
  });
}
