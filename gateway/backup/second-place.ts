/** Keeps the copy of the revocation log up to date while the gateway runs. A place that can not be written now holds nothing else up. */
import { codeOf, type ErrorCode } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { copyRevocations, secondPlace } from './revocation-file.ts';
import { RevocationLog } from './revocation-log.ts';

export interface SecondPlaceState {
  /** Since when something is here that is not there; `undefined` while it is up to date. */
  readonly staleSinceMs: EpochMillis | undefined;
  /** Why the last try failed; `undefined` also for one that does not end. */
  readonly code: ErrorCode | undefined;
}

const UP_TO_DATE: SecondPlaceState = { staleSinceMs: undefined, code: undefined };

export class SecondPlace {
  readonly #directory: string;
  readonly #storeKey: Uint8Array;
  readonly #clock: Clock;
  readonly #log: RevocationLog;
  #copied = '';
  #state: SecondPlaceState | undefined;

  /** @param directory the gateway's. @param storeKey the identity's. */
  constructor(directory: string, storeKey: Uint8Array, clock: Clock) {
    this.#directory = directory;
    this.#storeKey = storeKey;
    this.#clock = clock;
    this.#log = new RevocationLog(directory, storeKey);
  }

  /** As it was found at the last look; `undefined` where no second place was named. */
  get state(): SecondPlaceState | undefined {
    return this.#state;
  }

  /** Copies when there is something new, or another place. To be called every second. @throws StoreError when that can not be done now. */
  async look(): Promise<void> {
    const place = secondPlace(this.#directory);
    if (place === undefined) {
      this.#state = undefined;
      return;
    }
    const wanted = `${this.#log.count()} ${place}`;
    if (wanted === this.#copied) return;
    const staleSinceMs = this.#state?.staleSinceMs ?? this.#clock.wall();
    this.#state = { staleSinceMs, code: this.#state?.code };
    try {
      await copyRevocations(this.#directory, this.#storeKey);
    } catch (error) {
      this.#state = { staleSinceMs, code: codeOf(error) };
      throw error;
    }
    this.#copied = wanted;
    this.#state = UP_TO_DATE;
  }

  close(): void {
    this.#log.close();
  }
}
