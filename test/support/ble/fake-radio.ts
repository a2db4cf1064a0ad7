/** A radio link in memory: a test says what the radio tells, and sees what it is asked. */
import type { RadioLink } from '../../../hardware/ble/open-radio.ts';
import type { RadioAnswer } from '../../../hardware/ble/radio-frames.ts';

type Told = Exclude<RadioAnswer, { type: 'up' | 'fault' }>;

export class FakeRadio implements RadioLink {
  readonly #told: Told[] = [];
  #rescans = 0;
  #wake: () => void = () => {};

  get rescans(): number {
    return this.#rescans;
  }

  tell(answer: Told): void {
    this.#told.push(answer);
    this.#wake();
  }

  /** What a radio tells each second. */
  beat(heard: Partial<Extract<Told, { type: 'heard' }>> = {}): void {
    this.tell({ type: 'heard', reports: 0, refused: 0, isDisturbed: false, sightings: [], ...heard });
  }

  rescan(): void {
    this.#rescans += 1;
  }

  async *answers(signal: AbortSignal): AsyncGenerator<Told, void> {
    const wake = () => this.#wake();
    signal.addEventListener('abort', wake);
    try {
      while (!signal.aborted) {
        const answer = this.#told.shift();
        if (answer !== undefined) yield answer;
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }

  async close(): Promise<void> {}
}
