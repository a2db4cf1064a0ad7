/** What a sniffer heard since it last told, bounded: sightings in RAM until they are handed on, and counts of all that there was. */
import { DecodeError } from '../../protocol/errors.ts';
import { type AdvertisingReport, type Sighting, sightingOf } from './advertisement.ts';
import { mostSightings, type RadioAnswer } from './radio-frames.ts';

export class HeardBuffer {
  #sightings: Sighting[] = [];
  #reports = 0;
  #refused = 0;
  #isDisturbed = false;

  /** Whether anything was heard since the last `take`. */
  get isWorthTelling(): boolean {
    return this.#reports > 0 || this.#refused > 0 || this.#isDisturbed;
  }

  /** Keeps what the report says of its sender. One that can not be read, or that finds the buffer full, is counted and dropped. */
  add(report: AdvertisingReport): void {
    this.#reports += 1;
    try {
      const sighting = sightingOf(report);
      if (this.#sightings.length < mostSightings) this.#sightings.push(sighting);
      else this.#refused += 1;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#refused += 1;
    }
  }

  /** A report that nothing could be read of. */
  refuse(): void {
    this.#reports += 1;
    this.#refused += 1;
  }

  disturb(): void {
    this.#isDisturbed = true;
  }

  /** @returns what there is, and forgets it. */
  take(): Extract<RadioAnswer, { type: 'heard' }> {
    const answer = {
      type: 'heard',
      reports: this.#reports,
      refused: this.#refused,
      isDisturbed: this.#isDisturbed,
      sightings: this.#sightings,
    } as const;
    this.#sightings = [];
    this.#reports = 0;
    this.#refused = 0;
    this.#isDisturbed = false;
    return answer;
  }
}
