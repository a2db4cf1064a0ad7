/** What the page may ask of the kiosk for its staff, all of it only while a staff card has the menu open. */
import type { EpochMillis } from '../../protocol/units.ts';
import type { Direction } from '../check-in-state.ts';
import type { HealthSnapshot } from '../health.ts';
import type { Delivery } from '../test-event.ts';
import { type TestPart, testParts } from './self-test.ts';
import type { SettingsKeeper, StaffSettings } from './settings.ts';
import type { LastAnswer, StaffFront } from './staff-front.ts';

export type MenuView =
  | { readonly isOpen: false }
  | {
      readonly isOpen: true;
      readonly direction: Direction | undefined;
      readonly settings: Pick<StaffSettings, 'language' | 'sound' | 'isOutOfOrder'>;
      readonly last: readonly LastAnswer[];
      /** What is noted from paper, and how many cards by now. */
      readonly paper?: { readonly atMs: EpochMillis; readonly way: 'in' | 'out'; readonly count: number };
    };

export interface StaffDoorOptions {
  readonly front: StaffFront;
  readonly settings: SettingsKeeper;
  readonly health: () => HealthSnapshot;
  /** Sends a test event the whole road. */
  readonly deliver: () => Promise<Delivery>;
  /** As of StaffFront. */
  readonly onMenu: () => void;
}

export class StaffDoor {
  readonly #options: StaffDoorOptions;
  #testing: Promise<TestPart[]> | undefined;

  constructor(options: StaffDoorOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#options.front.isOpen;
  }

  get view(): MenuView {
    const { front, settings } = this.#options;
    if (!front.isOpen) return { isOpen: false };
    const { language, sound, isOutOfOrder } = settings.now;
    const { paper } = front;
    return {
      isOpen: true,
      direction: front.direction,
      settings: { language, sound, isOutOfOrder },
      last: front.lastAnswers,
      ...(paper && { paper: { atMs: paper.at.wallMs, way: paper.way, count: paper.count } }),
    };
  }

  stay(): void {
    this.#options.front.stay();
  }

  leave(): void {
    this.#options.front.leave();
  }

  change(change: Partial<Pick<StaffSettings, 'language' | 'sound' | 'isOutOfOrder'>>): void {
    this.stay();
    this.#options.settings.change(change);
    this.#options.onMenu();
  }

  /** As StaffFront.beginPaper. */
  beginPaper(wallMs: number, way: 'in' | 'out'): boolean {
    this.stay();
    return this.#options.front.beginPaper(wallMs, way);
  }

  endPaper(): void {
    this.stay();
    this.#options.front.endPaper();
  }

  /** Two who ask at once are told of one test. */
  test(): Promise<TestPart[]> {
    this.stay();
    this.#testing ??= this.#test().finally(() => {
      this.#testing = undefined;
    });
    return this.#testing;
  }

  async #test(): Promise<TestPart[]> {
    const { deliver, health } = this.#options;
    const delivery = await deliver();
    return testParts(health(), delivery);
  }
}
