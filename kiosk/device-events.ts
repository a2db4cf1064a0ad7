/** Device states as events, so that a plug that wiggles all day does not fill the outbox: one a device in ten seconds, the latest wins. */
import type { ErrorCode } from '../protocol/errors.ts';
import type { DeviceState } from '../protocol/event.ts';
import type { Clock } from '../protocol/time.ts';

const APART_MS = 10_000;

interface Told {
  readonly isUp: boolean;
  readonly atMs: number;
}

export class DeviceEvents {
  readonly #clock: Clock;
  readonly #append: (event: DeviceState) => void;
  readonly #told = new Map<string, Told>();
  readonly #waiting = new Map<string, { event: DeviceState; readonly cancel: () => void }>();

  constructor(clock: Clock, append: (event: DeviceState) => void) {
    this.#clock = clock;
    this.#append = append;
  }

  note(device: string, isUp: boolean, why: ErrorCode | undefined): void {
    const event: DeviceState = { type: 'device-state', device, isUp, why };
    const waiting = this.#waiting.get(device);
    if (waiting !== undefined) {
      waiting.event = event;
      return;
    }
    const told = this.#told.get(device);
    const waitMs = told === undefined ? 0 : told.atMs + APART_MS - this.#clock.monotonic();
    if (waitMs <= 0) this.#tell(event);
    else this.#waiting.set(device, { event, cancel: this.#clock.after(waitMs, () => this.#tellWaiting(device)) });
  }

  /** Nothing that waits is told any more. */
  stop(): void {
    for (const { cancel } of this.#waiting.values()) cancel();
    this.#waiting.clear();
  }

  #tellWaiting(device: string): void {
    const event = this.#waiting.get(device)?.event;
    this.#waiting.delete(device);
    if (event !== undefined && event.isUp !== this.#told.get(device)?.isUp) this.#tell(event);
  }

  #tell(event: DeviceState): void {
    this.#told.set(event.device, { isUp: event.isUp, atMs: this.#clock.monotonic() });
    this.#append(event);
  }
}
