/**
 * Has signatures checked on the threads of Node's pool while the event loop goes on, and answers in the order in which it was asked:
 * what a kiosk sent first is decided and acknowledged first (MQTT 3.1.1, 4.6).
 */
import type { KeyObject } from 'node:crypto';
import { isSignedBySoon } from '../protocol/ed25519.ts';

interface Asked {
  readonly answer: (isGood: boolean) => void;
  readonly fail: (error: Error) => void;
  outcome: boolean | Error | undefined;
}

export class CheckDesk {
  /** Bounded by the batches that kiosks may have unanswered. */
  #asked: Asked[] = [];

  /** As `isSignedBy`. */
  readonly check = (message: Uint8Array, signature: Uint8Array, publicKey: KeyObject): Promise<boolean> =>
    new Promise((answer, fail) => {
      const asked: Asked = { answer, fail, outcome: undefined };
      this.#asked.push(asked);
      const tell = (error: Error | null, isGood: boolean) => {
        asked.outcome = error ?? isGood;
        this.#tell();
      };
      try {
        isSignedBySoon(message, signature, publicKey, tell);
      } catch (error) {
        // One that can not even be asked about must not keep all behind it waiting.
        if (!(error instanceof Error)) throw error;
        tell(error, false);
      }
    });

  #tell(): void {
    const unknown = this.#asked.findIndex(({ outcome }) => outcome === undefined);
    const told = this.#asked.splice(0, unknown === -1 ? this.#asked.length : unknown);
    for (const { answer, fail, outcome } of told) {
      if (outcome instanceof Error) fail(outcome);
      else answer(outcome === true);
    }
  }
}
