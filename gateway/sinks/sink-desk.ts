/** What a person does about entries that a sink refused: looks at them, has one offered again once its reason is mended, or throws it away. */
import type { Intake } from '../../core/intake.ts';
import { codeOf, type ErrorCode, SinkError } from '../../protocol/errors.ts';
import type { LedgerEntry } from '../../protocol/ledger-entry.ts';
import type { Clock } from '../../protocol/time.ts';
import { DAY_MS, type Ledger } from '../ledger.ts';
import { isOfEntries } from './offer.ts';
import type { SetAside, SetAsideEntry } from './set-aside.ts';

export interface SinkDeskDoors {
  readonly ledger: Ledger;
  readonly setAside: SetAside;
  /** By the sink's name. */
  readonly intakes: ReadonlyMap<string, Intake>;
  readonly clock: Clock;
  /** How long an entry may be kept anywhere, from its arrival here on. */
  readonly retentionDays: number;
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
   * Offers one entry again, apart from those that go their way meanwhile; one past its time is offered to nobody.
   * @returns `undefined` when it is not set aside there. @throws SinkError, StoreError when the sink can take nothing now.
   */
  async replay(sink: string, position: number): Promise<Reoffered | undefined> {
    const { ledger, setAside, intakes, clock, retentionDays, onChanged } = this.#doors;
    const intake = intakes.get(sink);
    if (intake === undefined || !setAside.has(sink, position)) return undefined;
    const entry = ledger.entriesAfter(position - 1, 1, 1)[0];
    if (entry?.position !== position) return undefined;
    try {
      if (arrivedAtMs(entry) < clock.wall() - retentionDays * DAY_MS)
        throw new SinkError('sink.past_retention', `entry ${position}: is past its time`);
      await intake.accept([entry], { isReplay: true });
    } catch (error) {
      if (!isOfEntries(error) && codeOf(error) !== 'sink.past_retention') throw error;
      const code = codeOf(error) ?? 'sink.entry_refused';
      setAside.add(sink, entry, code, clock.wall());
      onChanged();
      return { outcome: 'refused', code };
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

const arrivedAtMs = (entry: LedgerEntry): number => (entry.kind === 'batch' ? entry.receivedAtMs : entry.raisedAtMs);
