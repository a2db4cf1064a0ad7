/** Counts what the door answered since this process started: how many scans were taken, how many were not, and why. Never which. */
import type { KioskStateReport } from '../protocol/kiosk-state.ts';
import type { FeedbackKind } from './feedback.ts';

export type Scans = NonNullable<KioskStateReport['scans']>;
type Reason = keyof Scans['refused'];

const TAKEN: ReadonlySet<FeedbackKind> = new Set(['welcome', 'already-in', 'goodbye', 'already-out', 'sticker-linked', 'result-recorded']);
const REASONS: readonly Reason[] = ['not-a-card', 'card-refused', 'card-withdrawn', 'keep-at-home', 'refused-full', 'refused-store'];

export class DoorTally {
  #taken = 0;
  #refusedInARow = 0;
  readonly #refused: Partial<Record<Reason, number>> = {};

  count(kind: FeedbackKind): void {
    if (TAKEN.has(kind)) {
      this.#taken += 1;
      this.#refusedInARow = 0;
    }
    const reason = REASONS.find((known) => known === kind);
    if (reason === undefined) return;
    this.#refused[reason] = (this.#refused[reason] ?? 0) + 1;
    if (reason === 'card-refused') this.#refusedInARow += 1;
  }

  get scans(): Scans {
    return { taken: this.#taken, refused: { ...this.#refused }, refusedInARow: this.#refusedInARow };
  }
}
