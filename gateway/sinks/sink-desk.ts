/** What a person does about entries that a sink refused: looks at them, has one offered again once its reason is mended, or throws it away. */
import type { Intake } from '../../core/intake.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import type { Ledger } from '../ledger.ts';
import { isOfEntries } from './offer.ts';
import type { SetAside, SetAsideEntry } from './set-aside.ts';

export interface SinkDeskDoors {
  readonly ledger: Ledger;
  readonly setAside: SetAside;
  /** By the sink's name. */
  readonly intakes: ReadonlyMap<string, Intake>;
  readonly clock: Clock;
  /** Called after each change, for the state that operators see. */
  readonly onChanged: () => void;
}

export type Reoffered =
  | { readonly outcome: 'taken' }
  /** It stays, with the reason of this try. */
  | { readonly outcome: 'refused'; readonly code: ErrorCode };

export class SinkDesk {
  readonly #doors: SinkDeskDoors;

  constructor(doors: SinkDeskDoors) {
    this.#doors = doors;
  }

  /** @returns in the ledger's order; `undefined` when there is no such sink. @throws StoreError. */
  items(sink: string): SetAsideEntry[] | undefined {
    return this.#doors.intakes.has(sink) ? this.#doors.setAside.list(sink) : undefined;
  }

  /**
   * Offers one entry again, apart from those that go their way meanwhile.
   * @returns `undefined` when it is not set aside there. @throws SinkError, StoreError when the sink can take nothing now.
   */
  async replay(sink: string, position: number): Promise<Reoffered | undefined> {
    const { ledger, setAside, intakes, clock, onChanged } = this.#doors;
    const intake = intakes.get(sink);
    if (intake === undefined || !setAside.has(sink, position)) return undefined;
    const entry = ledger.entriesAfter(position - 1, 1, 1)[0];
    if (entry?.position !== position) return undefined;
    try {
      await intake.accept([entry], { isReplay: true });
    } catch (error) {
      if (!isOfEntries(error)) throw error;
      setAside.add(sink, entry, error.code, clock.wall());
      onChanged();
      return { outcome: 'refused', code: error.code };
    }
    setAside.drop(sink, position);
    onChanged();
    return { outcome: 'taken' };
  }

  /** Throws one away: the sink never gets it. @returns false when there is none. @throws StoreError. */
  drop(sink: string, position: number): boolean {
    const { setAside, intakes, onChanged } = this.#doors;
    const isDropped = intakes.has(sink) && setAside.drop(sink, position);
    if (isDropped) onChanged();
    return isDropped;
  }
}
