/**
 * People's passwords as scrypt hashes, looked at one after the other: guessing takes one thread at a time, and leaves the others
 * to the kiosks. Cost as OWASP's "Password Storage Cheat Sheet" names for scrypt with 32 MiB.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

const SALT_BYTES = 16;
const HASH_BYTES = 32;
const COST = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 1_048_576 };
/** Nobody's: what a guess at an account that is not there is compared with, so that it takes as long. */
const NOBODY = randomBytes(SALT_BYTES + HASH_BYTES);

/** @returns salt and hash, one after the other: 48 bytes. */
export const passwordHash = (password: string): Promise<Uint8Array> => hashOf(password, randomBytes(SALT_BYTES));

export class PasswordCheck {
  #before: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Guesses that have not been answered. */
  get waiting(): number {
    return this.#waiting;
  }

  /** @param kept what passwordHash gave; `undefined` for an account that is not there, which takes as long. */
  isRight(password: string, kept: Uint8Array | undefined, untilClosed?: AbortSignal): Promise<boolean> {
    this.#waiting += 1;
    const answer = this.#before.then(async () => {
      if (untilClosed?.aborted === true) return false;
      const of = kept ?? NOBODY;
      const isSame = timingSafeEqual(await hashOf(password, of.subarray(0, SALT_BYTES)), of);
      return isSame && kept !== undefined;
    });
    this.#before = answer.then(
      () => this.#answered(),
      () => this.#answered(),
    );
    return answer;
  }

  #answered(): void {
    this.#waiting -= 1;
  }
}

function hashOf(password: string, salt: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, HASH_BYTES, COST, (error, hash) =>
      error ? reject(error) : resolve(Buffer.concat([salt, hash])),
    );
  });
}
