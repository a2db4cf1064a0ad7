/**
 * What the door has held off, counted: by code, by address, and the admitted kiosks that it makes wait. Bounded, whoever comes; an
 * address is forgotten after an hour, and is in no log.
 */
import type { ErrorCode } from '../protocol/errors.ts';
import type { KioskId } from '../protocol/ids.ts';
import type { Clock } from '../protocol/time.ts';
import type { EpochMillis, MonotonicMillis } from '../protocol/units.ts';

export interface HeldOff {
  readonly code: ErrorCode;
  readonly count: number;
  readonly lastAtMs: EpochMillis;
}

export interface DoorState {
  /** Since the start, by code: also those that the lists below have forgotten. */
  readonly refusals: Readonly<Partial<Record<ErrorCode, number>>>;
  /** Addresses held off before anybody said who they were, the most often refused first, at most 16. */
  readonly addresses: readonly (HeldOff & { readonly address: string })[];
  /** Admitted kiosks that had to wait within the last minute: faster than their rate, past their quota or the budget of what is unanswered. */
  readonly waiting: Readonly<Record<string, HeldOff>>;
}

const MOST_ADDRESSES = 256;
const MOST_ADDRESSES_SHOWN = 16;
const ADDRESS_MS = 3_600_000;
const WAITING_MS = 60_000;

interface Entry extends HeldOff {
  readonly seenAtMs: MonotonicMillis;
}

export class DoorBoard {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #refusals = new Map<ErrorCode, number>();
  readonly #addresses = new Map<string, Entry & { readonly address: string }>();
  readonly #waiting = new Map<KioskId, Entry>();

  constructor(clock: Clock, onChange: () => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  refused(code: ErrorCode): void {
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
    this.#onChange();
  }

  /** @param address as protocol/door-keeper.ts gives it. */
  heldOff(address: string, code: ErrorCode): void {
    this.refused(code);
    const name = `${address} ${code}`;
    const next = { address, ...this.#counted(this.#addresses.get(name), code) };
    this.#addresses.delete(name);
    this.#addresses.set(name, next);
    const oldest = this.#addresses.size > MOST_ADDRESSES ? this.#addresses.keys().next().value : undefined;
    if (oldest !== undefined) this.#addresses.delete(oldest);
  }

  /** An admitted kiosk has to wait. */
  waits(kiosk: KioskId, code: ErrorCode): void {
    this.refused(code);
    this.#waiting.set(kiosk, this.#counted(this.#waiting.get(kiosk), code));
  }

  /** Lets go of what is past its time. */
  forgetPast(): void {
    const nowMs = this.#clock.monotonic();
    for (const [kiosk, { seenAtMs }] of this.#waiting) {
      if (nowMs - seenAtMs < WAITING_MS) continue;
      this.#waiting.delete(kiosk);
      this.#onChange();
    }
    for (const [name, { seenAtMs }] of this.#addresses) {
      if (nowMs - seenAtMs < ADDRESS_MS) continue;
      this.#addresses.delete(name);
      this.#onChange();
    }
  }

  get refusals(): DoorState['refusals'] {
    return Object.fromEntries(this.#refusals);
  }

  /** What still lasts, without addresses: kiosks that wait, and of nobody known what was held off, by code. */
  get heldNow(): readonly (HeldOff & { readonly kiosk: KioskId | undefined })[] {
    const byCode = new Map<ErrorCode, HeldOff>();
    for (const { code, count, lastAtMs } of this.#addresses.values()) {
      const before = byCode.get(code);
      byCode.set(code, { code, count: count + (before?.count ?? 0), lastAtMs: Math.max(lastAtMs, before?.lastAtMs ?? 0) as EpochMillis });
    }
    return [
      ...[...this.#waiting].map(([kiosk, { code, count, lastAtMs }]) => ({ kiosk, code, count, lastAtMs })),
      ...[...byCode.values()].map((held) => ({ kiosk: undefined, ...held })),
    ];
  }

  get state(): DoorState {
    const shown = [...this.#addresses.values()].sort((a, b) => b.count - a.count).slice(0, MOST_ADDRESSES_SHOWN);
    return {
      refusals: this.refusals,
      addresses: shown.map(({ address, code, count, lastAtMs }) => ({ address, code, count, lastAtMs })),
      waiting: Object.fromEntries([...this.#waiting].map(([kiosk, { code, count, lastAtMs }]) => [kiosk, { code, count, lastAtMs }])),
    };
  }

  #counted(before: Entry | undefined, code: ErrorCode): Entry {
    const count = before?.code === code ? before.count + 1 : 1;
    return { code, count, lastAtMs: this.#clock.wall(), seenAtMs: this.#clock.monotonic() };
  }
}
