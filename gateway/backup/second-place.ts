/** Keeps the copy of the revocation log up to date while the gateway runs. A place that can not be written now holds nothing else up. */
import { copyRevocations, secondPlace } from './revocation-file.ts';
import { RevocationLog } from './revocation-log.ts';

export class SecondPlace {
  readonly #directory: string;
  readonly #storeKey: Uint8Array;
  readonly #log: RevocationLog;
  #copied = '';

  /** @param directory the gateway's. @param storeKey the identity's. */
  constructor(directory: string, storeKey: Uint8Array) {
    this.#directory = directory;
    this.#storeKey = storeKey;
    this.#log = new RevocationLog(directory, storeKey);
  }

  /** Copies when there is something new, or another place. To be called every second. @throws StoreError when that can not be done now. */
  async look(): Promise<void> {
    const place = secondPlace(this.#directory);
    if (place === undefined) return;
    const wanted = `${this.#log.count()} ${place}`;
    if (wanted === this.#copied) return;
    await copyRevocations(this.#directory, this.#storeKey);
    this.#copied = wanted;
  }

  close(): void {
    this.#log.close();
  }
}
