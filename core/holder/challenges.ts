/**
 * Challenges: each good for one proof within two minutes. One that is out is remembered nowhere: it carries its time and the core's own seal,
 * so that nobody who asks for many takes another's away. Only those that were used are remembered, until they are too old anyway.
 *
 *     time (8 bytes, ms) | random (8 bytes) | HMAC-SHA256 over both, cut to 16 bytes        32 bytes
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { HolderError } from '../../protocol/errors.ts';
import { CHALLENGE_BYTES, CHALLENGE_LASTS_MS } from '../../protocol/holder.ts';
import type { Clock } from '../../protocol/time.ts';

const SEAL_BYTES = 16;
const SEALED_BYTES = CHALLENGE_BYTES - SEAL_BYTES;

export class Challenges {
  readonly #clock: Clock;
  /** Of this process: after a restart none of before is good. */
  readonly #key = randomBytes(32);
  /** In the order of their use, by when they would have ended. */
  readonly #used = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  make(): Uint8Array {
    const sealed = Buffer.alloc(SEALED_BYTES);
    sealed.writeBigUInt64BE(BigInt(Math.floor(this.#clock.monotonic())));
    randomBytes(SEALED_BYTES - 8).copy(sealed, 8);
    return new Uint8Array(Buffer.concat([sealed, this.#sealOf(sealed)]));
  }

  /** Takes a challenge for its one use. @throws HolderError `holder.challenge`. */
  use(challenge: Uint8Array): void {
    const nowMs = this.#clock.monotonic();
    for (const [name, endsMs] of this.#used) {
      if (endsMs > nowMs) break;
      this.#used.delete(name);
    }
    const sealed = Buffer.from(challenge.subarray(0, SEALED_BYTES));
    const name = sealed.toString('latin1');
    const isOurs = challenge.length === CHALLENGE_BYTES && timingSafeEqual(this.#sealOf(sealed), challenge.subarray(SEALED_BYTES));
    const endsMs = isOurs ? Number(sealed.readBigUInt64BE()) + CHALLENGE_LASTS_MS : 0;
    if (endsMs <= nowMs || this.#used.has(name))
      throw new HolderError('holder.challenge', 'holder: a challenge that is not good here, or not any more');
    this.#used.set(name, nowMs + CHALLENGE_LASTS_MS);
  }

  #sealOf = (sealed: Uint8Array): Buffer => createHmac('sha256', this.#key).update(sealed).digest().subarray(0, SEAL_BYTES);
}
