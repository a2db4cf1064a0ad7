/**
 * Whether the answer to a scan shows a notice. What was shown once is shown for 48 hours and no longer, whether the gateway can be reached or
 * not. How many are shown within a minute is bounded, so that nobody learns of many cards by scanning them: past it none is shown to anybody
 * for the rest of that minute, which says nothing of the card that is scanned then. All in RAM.
 */
import type { ErrorCode } from '../protocol/errors.ts';
import type { VisitorUuid } from '../protocol/ids.ts';
import { MOST_NOTICES } from '../protocol/notice.ts';
import type { Clock } from '../protocol/time.ts';
import type { EpochMillis, MonotonicMillis } from '../protocol/units.ts';
import type { Moment } from './recorder.ts';

/** As the core has it: docs/decisions/0029-notices.md. */
export const SHOWN_FOR_MS = 48 * 3_600_000;
export const MOST_IN_WINDOW = 6;
export const WINDOW_MS = 60_000;

export interface NoticeTellerOptions {
  readonly notices: { endOf(card: VisitorUuid): EpochMillis | undefined; nowMs(): number };
  readonly clock: Clock;
  /** Appends `notice-shown`; nobody waits for it. @param at when it was shown. */
  readonly onShown: (card: VisitorUuid, at: Moment) => void;
  /** Told when too many were shown, and when that minute is over. */
  readonly onChange: () => void;
}

interface Shown {
  /** As the document said it that it was shown by: a later one is another notice. */
  readonly endsAtMs: EpochMillis;
  readonly untilMs: number;
}

export class NoticeTeller {
  readonly #options: NoticeTellerOptions;
  /** By card. */
  readonly #shown = new Map<string, Shown>();
  /** When the last ones were shown. */
  #lately: readonly MonotonicMillis[] = [];
  #isHeldBack = false;
  /** Timers that run. */
  readonly #cancels = new Set<() => void>();

  constructor(options: NoticeTellerOptions) {
    this.#options = options;
  }

  /** Why no notice is shown now; `undefined` while they are. */
  get why(): ErrorCode | undefined {
    return this.#isHeldBack ? 'notice.too_many' : undefined;
  }

  /** Call for each answer that serves a card, before it is given. @returns whether it is to show a notice, which then counts as shown. */
  show(card: VisitorUuid): boolean {
    const { notices, clock } = this.#options;
    const endsAtMs = notices.endOf(card);
    if (endsAtMs === undefined || this.#isHeldBack) return false;
    const name = Buffer.from(card).toString('latin1');
    const nowMs = notices.nowMs();
    const before = this.#shown.get(name);
    const isAgain = before !== undefined && endsAtMs <= before.endsAtMs;
    if (isAgain && nowMs >= before.untilMs) return false;
    if (!isAgain) {
      this.#remember(name, { endsAtMs, untilMs: nowMs + SHOWN_FOR_MS });
      // After the answer: nothing is to come between a person and it.
      const at = { wallMs: clock.wall(), monotonicMs: clock.monotonic() };
      this.#after(0, () => this.#options.onShown(card, at));
    }
    this.#count(clock.monotonic());
    return true;
  }

  /** Ends its timers. */
  stop(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }

  #after(waitMs: number, run: () => void): void {
    const cancel = this.#options.clock.after(waitMs, () => {
      this.#cancels.delete(cancel);
      run();
    });
    this.#cancels.add(cancel);
  }

  #remember(name: string, shown: Shown): void {
    const nowMs = this.#options.notices.nowMs();
    this.#shown.delete(name);
    this.#shown.set(name, shown);
    for (const [old, { endsAtMs, untilMs }] of this.#shown) {
      if (this.#shown.size <= MOST_NOTICES && Math.max(endsAtMs, untilMs) > nowMs) break;
      this.#shown.delete(old);
    }
  }

  #count(nowMs: MonotonicMillis): void {
    this.#lately = [...this.#lately, nowMs].filter((atMs) => nowMs - atMs < WINDOW_MS);
    const [first] = this.#lately;
    if (first === undefined || this.#lately.length < MOST_IN_WINDOW) return;
    this.#isHeldBack = true;
    this.#after(first + WINDOW_MS - nowMs, () => {
      this.#lately = [];
      this.#isHeldBack = false;
      this.#options.onChange();
    });
    this.#options.onChange();
  }
}
