/**
 * What one language has to say, for screen and terminal: one file each in `languages/`, all of this shape, so that a word that is missing does
 * not compile. Neutral words: whoever stands beside the screen reads them, too. How to add one: CONTRIBUTING.md.
 */
import type { FeedbackKind } from '../feedback.ts';
import type { Fault } from '../watchdog/faults.ts';
import type { WifiTrouble } from '../watchdog/wifi-watch.ts';

/** What is said large, and smaller below it; the second is empty where the first says all. */
export type Said = readonly [text: string, more: string];

/** What the screen says while nobody is being answered. */
export type Rest =
  | 'ready'
  | 'desk-ready'
  /** The page has not heard of its kiosk yet. */
  | 'starting'
  | 'not-set-up'
  | 'device-missing'
  /** The staff took the kiosk out of use. */
  | 'out-of-order'
  /** The store refuses. */
  | 'not-storing'
  /** The page does not hear its kiosk. */
  | 'lost'
  /** The kiosk lives and does not want this page: too many are open. */
  | 'not-connected';

/** A stall is over when it is told: operators want to know, nobody at the door does. */
export type ShownFault = Exclude<Fault, 'kiosk.stalled' | WifiTrouble['fault']>;

export interface MenuWords {
  readonly title: string;
  readonly close: string;
  readonly back: string;
  readonly door: string;
  readonly doorIn: Said;
  readonly doorOut: Said;
  readonly doorBoth: Said;
  readonly undo: string;
  readonly language: string;
  readonly sound: string;
  readonly sounds: { readonly silent: string; readonly quiet: string; readonly normal: string; readonly loud: string };
  readonly paper: Said;
  readonly paperDay: string;
  readonly paperTime: string;
  readonly paperIn: string;
  readonly paperOut: string;
  readonly paperBegin: string;
  readonly paperEnd: string;
  /** Of a time that is to come, or longer ago than is kept. */
  readonly paperTimeWrong: string;
  /** `{time}` stands for the time that was stated. */
  readonly paperNow: string;
  readonly last: Said;
  readonly lastNone: string;
  readonly test: Said;
  readonly testRun: string;
  readonly testRunning: string;
  readonly testWell: string;
  readonly testFault: string;
  readonly testParts: {
    readonly store: string;
    readonly link: string;
    readonly clock: string;
    readonly policy: string;
    readonly delivery: string;
  };
  readonly outOfOrder: Said;
  readonly outOfOrderOn: string;
  readonly outOfOrderOff: string;
  /** For one language, or level, that is in use. */
  readonly chosen: string;
}

export interface Words {
  /** In the language itself. */
  readonly name: string;
  readonly direction: 'ltr' | 'rtl';
  readonly answers: Readonly<Record<FeedbackKind, Said>>;
  readonly rests: Readonly<Record<Rest, Said>>;
  /** Below the answer to each card that passes, in one place, type and length with `notice`: who stands beside the screen sees no difference from afar. */
  readonly stub: string;
  /** In place of it where there is a notice; the same for all: what to do, and nothing of why. */
  readonly notice: string;
  /** What the staff can do something about, below what the screen says at rest. */
  readonly faults: Readonly<Record<ShownFault, string>>;
  readonly storedOffline: string;
  /** Of a button's press that the kiosk did not take. */
  readonly notTaken: Said;
  readonly strip: {
    readonly in: string;
    readonly out: string;
    readonly both: string;
    readonly online: string;
    readonly offline: string;
    /** `{count}` stands for the number of rows that wait. */
    readonly waiting: string;
    readonly silent: string;
    /** The browser makes no sound before somebody has touched the page. */
    readonly soundBlocked: string;
    readonly myCard: string;
    readonly takeBack: string;
    readonly positive: string;
    readonly negative: string;
    readonly void: string;
    readonly clear: string;
    /** For a device that is missing and without which scans go on; its name follows. */
    readonly missing: string;
  };
  readonly menu: MenuWords;
}
