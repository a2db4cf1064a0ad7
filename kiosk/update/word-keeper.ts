/** What the gateway said last of releases. In RAM alone: it is retained, and comes with each connection. */
import { publicKeyFromRaw } from '../../protocol/ed25519.ts';
import { codeOf, PolicyError } from '../../protocol/errors.ts';
import type { DeploymentId, KioskId } from '../../protocol/ids.ts';
import type { Log } from '../../protocol/log.ts';
import { type OfferedRelease, openReleaseWord, type ReleaseWord } from '../../protocol/release-word.ts';
import type { Clock } from '../../protocol/time.ts';
import { FIRST_WIRE, type WireRevisions } from '../../protocol/wire-revision.ts';

export interface WordKeeperOptions {
  readonly deployment: DeploymentId;
  readonly kiosk: KioskId;
  /** The gateway's, raw Ed25519, 32 bytes. */
  readonly receiptKey: Uint8Array;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether the wall clock may say that something has expired. */
  readonly mayJudgeTime: () => boolean;
}

export class WordKeeper {
  /** Told of each word by which something else is offered than before, or nothing: what is being taken is broken off. */
  onWord: () => void = () => {};
  readonly #options: WordKeeperOptions;
  readonly #signer: Parameters<typeof openReleaseWord>[1];
  #held: ReleaseWord | undefined;
  #isAnew = true;

  constructor(options: WordKeeperOptions) {
    const { deployment, kiosk, receiptKey } = options;
    this.#options = options;
    this.#signer = { deployment, kiosk, publicKey: publicKeyFromRaw(receiptKey) };
  }

  /** What is to be taken; `undefined` for nothing. */
  get offered(): OfferedRelease | undefined {
    return this.#held === undefined || this.#isOver(this.#held) ? undefined : this.#held.offered;
  }

  /** What the gateway speaks. */
  get peer(): WireRevisions {
    return this.#held?.wire ?? FIRST_WIRE;
  }

  /** The connection ended. What comes first with the next one is what the gateway says now: one whose clock went back meanwhile begins with a lower number. */
  cutOff(): void {
    this.#isAnew = true;
  }

  /** Hears a word as it came from the gateway, or refuses it by a code. */
  take(bytes: Uint8Array): void {
    // What is taken off the broker comes as an empty message.
    if (bytes.length === 0) return;
    try {
      const word = openReleaseWord(bytes, this.#signer);
      if (word.number <= (this.#held?.number ?? 0) && !this.#isAnew) return;
      if (this.#isOver(word)) throw new PolicyError('policy.expired', `release word: number ${word.number} has expired`);
      const before = this.offered;
      this.#held = word;
      this.#isAnew = false;
      if (!isSame(before, this.offered)) this.onWord();
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      this.#options.log.warn('release_word.refused', { code });
    }
  }

  /** A kiosk boots without knowing the time: then it can not say. */
  #isOver = ({ expiresAtMs }: ReleaseWord): boolean => this.#options.mayJudgeTime() && this.#options.clock.wall() >= expiresAtMs;
}

const isSame = (one: OfferedRelease | undefined, other: OfferedRelease | undefined): boolean =>
  one === undefined || other === undefined ? one === other : Buffer.compare(one.digest, other.digest) === 0;
