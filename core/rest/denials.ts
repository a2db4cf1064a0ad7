/**
 * Refusals in the audit log. Each is an entry of its own; only of strangers, of those who have not proved their card, and of whoever asks too often, are no more than sixty a minute
 * written one by one, and the others counted in one entry at the minute's end: who knocks ten thousand times fills no disk.
 */
import { StoreError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import type { AuditLog, Deed } from '../audit.ts';

const WINDOW_MS = 60_000;
const EACH_IN_A_WINDOW = 60;

/** The role of whom nobody knows. */
export const STRANGER = 'stranger';

export type Denial = Pick<Deed, 'who' | 'role' | 'purpose' | 'action' | 'about' | 'detail'>;

export class Denials {
  readonly #audit: AuditLog;
  readonly #clock: Clock;
  #written = 0;
  #counted = 0;
  #cancel: (() => void) | undefined;

  constructor(audit: AuditLog, clock: Clock) {
    this.#audit = audit;
    this.#clock = clock;
  }

  /** When this returns it is kept, or counted. @throws StoreError. */
  write(denial: Denial): void {
    const isFlood = denial.role === STRANGER || denial.role === 'holder' || denial.detail === 'admission.too_often';
    if (isFlood) {
      this.#cancel ??= this.#clock.after(WINDOW_MS, () => this.#endWindow());
      if (this.#written >= EACH_IN_A_WINDOW) {
        this.#counted += 1;
        return;
      }
      this.#written += 1;
    }
    this.#append(denial);
  }

  /** Writes what was counted. Twice is not an error. */
  close(): void {
    this.#cancel?.();
    this.#endWindow();
  }

  #endWindow(): void {
    this.#cancel = undefined;
    this.#written = 0;
    const counted = this.#counted;
    if (counted === 0) return;
    this.#counted = 0;
    try {
      this.#append({
        who: 'many',
        role: STRANGER,
        purpose: '',
        action: 'refused.many',
        about: String(counted),
        detail: 'admission.too_often',
      });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      // Told with the next window's.
      this.#counted += counted;
    }
  }

  #append(denial: Denial): void {
    this.#audit.append({ ...denial, atMs: this.#clock.wall(), outcome: 'refused', rows: 0 });
  }
}
