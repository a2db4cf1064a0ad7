/**
 * Finds doubtful events among those that were taken, after their commit: what it remembers is in RAM, bounded, and begins anew
 * with each start. Cards appear by names that no other process gives them.
 */
import type { RowIdentity } from '../../core/intake.ts';
import { correct, isBoot } from '../../protocol/clock-correction.ts';
import type { DoubtReason } from '../../protocol/doubt.ts';
import type { BootId, KioskId, Seq, VenueId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import type { OpenedBatch, OpenedRow } from '../open-batch.ts';
import type { VenueCalendar } from '../pseudonym.ts';
import type { Kiosk } from '../registry.ts';
import { CardNames } from './card-names.ts';
import { type CardSource, CardTable } from './card-table.ts';
import { areTwoPlaces, type ClockBase, type DoubtPolicy, hasJumped, isNight } from './doubt-rules.ts';
import { Tally } from './tally.ts';

export interface Doubt {
  readonly row: RowIdentity;
  readonly venue: VenueId;
  readonly reason: DoubtReason;
  /** When the row came that made it so. */
  readonly raisedAtMs: EpochMillis;
}

/** Cards remembered, 48 bytes each. The way between two venues is short, so that few need to be. */
const MOST_CARDS = 100_000;

interface Door {
  readonly visitors: Tally;
  readonly atNight: Tally;
  clock: ClockBase | undefined;
  /** Of the batch before: of most the same. */
  source: CardSource | undefined;
  /** Of the check-in before: to ask the calendar is slow. */
  quarter: { readonly number: number; readonly isAtNight: boolean } | undefined;
}

/** Offsets of time zones are multiples of it. */
const QUARTER_MS = 900_000;

export class Doubts {
  readonly #policy: DoubtPolicy;
  readonly #calendar: VenueCalendar;
  readonly #names = new CardNames();
  readonly #cards = new CardTable(MOST_CARDS);
  readonly #doors = new Map<KioskId, Door>();

  constructor(policy: DoubtPolicy, calendar: VenueCalendar) {
    this.#policy = policy;
    this.#calendar = calendar;
  }

  /** @param taken rows of `batch` that were new. @returns what is doubtful about them, or about an earlier one. */
  take(kiosk: Kiosk, batch: OpenedBatch, taken: readonly OpenedRow[], receivedAtMs: EpochMillis): Doubt[] {
    const doubts: Doubt[] = [];
    const door = this.#doorOf(kiosk.kiosk);
    const { venue } = kiosk.placement;
    const bootOf = bootNames();
    const source = sourceOf(door, { kiosk: kiosk.kiosk, keyId: batch.keyId, venue });
    const names = this.#names.of(taken.flatMap((row) => ('event' in row && row.event.type === 'check-in' ? [row.event.card] : [])));
    let named = 0;
    const doubt = (reason: DoubtReason, seq: Seq, { kiosk, keyId, venue }: CardSource = source) =>
      doubts.push({ row: { kiosk, keyId, seq }, venue, reason, raisedAtMs: receivedAtMs });
    for (const row of taken) {
      if (!('event' in row)) continue;
      const { event, seq } = row;
      const { atMs, uncertaintyMs } = correct({ stamp: event.stamp, sentAt: batch.sentAt, receivedAtMs });
      if (event.stamp.clock === 'synced') {
        const clock = { boot: bootOf(event.stamp.bootId), offsetMs: event.stamp.wallMs - event.stamp.monotonicMs };
        if (hasJumped(door.clock, clock, this.#policy)) doubt('clock-jump', seq);
        door.clock = clock;
      }
      const name = event.type === 'check-in' ? names[named++] : undefined;
      if (name === undefined) continue;
      if (door.visitors.add(atMs, 1) > this.#policy.mostInDoorWindow) doubt('door-rate', seq);
      if (this.#isNightAt(kiosk, door, atMs) && door.atNight.add(atMs, 1) > this.#policy.mostInNightWindow) doubt('night-burst', seq);
      const before = this.#cards.see(name, { source, seq, atMs, uncertaintyMs });
      if (before !== undefined && areTwoPlaces({ ...before, venue: before.source.venue }, { venue, atMs, uncertaintyMs }, this.#policy)) {
        doubt('two-places', seq);
        // Which of the two is the copy nobody can tell.
        doubt('two-places', before.seq, before.source);
      }
    }
    return doubts;
  }

  #isNightAt({ timezone }: Kiosk, door: Door, atMs: EpochMillis): boolean {
    const number = Math.floor(atMs / QUARTER_MS);
    if (door.quarter?.number !== number) door.quarter = { number, isAtNight: isNight(this.#calendar.hourAt(timezone, atMs), this.#policy) };
    return door.quarter.isAtNight;
  }

  #doorOf(kiosk: KioskId): Door {
    const known = this.#doors.get(kiosk);
    if (known !== undefined) return known;
    const { doorWindowMs, nightWindowMs } = this.#policy;
    const made: Door = {
      visitors: new Tally(doorWindowMs),
      atNight: new Tally(nightWindowMs),
      clock: undefined,
      source: undefined,
      quarter: undefined,
    };
    this.#doors.set(kiosk, made);
    return made;
  }
}

function sourceOf(door: Door, source: CardSource): CardSource {
  const last = door.source;
  if (last !== undefined && last.venue === source.venue && Buffer.compare(last.keyId, source.keyId) === 0) return last;
  door.source = source;
  return source;
}

/** @returns names boots in hex, those of one batch: they are nearly always the same one. */
function bootNames(): (boot: BootId) => string {
  let last: { readonly boot: BootId; readonly name: string } | undefined;
  return (boot) => {
    if (last === undefined || !isBoot(last.boot, boot)) last = { boot, name: Buffer.from(boot).toString('hex') };
    return last.name;
  };
}
