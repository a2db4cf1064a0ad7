/**
 * The staff's side of whatever faces people: their cards open the menu, for a minute; while it is open they may note cards from paper, with a
 * time that they state; and they may take the kiosk out of use. All else goes to the front behind it. No visitor can make a staff card: an
 * issuer that the kiosk trusts has signed it, and one that was lost is among the lost cards.
 */
import { checkStaffCard, type ReadCard, readCard } from '../../protocol/card.ts';
import { type Code, claimsKind, decodeCode, type StaffCardCode } from '../../protocol/code.ts';
import { CodeError, StoreError } from '../../protocol/errors.ts';
import type { Happening, RowRef } from '../../protocol/event.ts';
import type { VisitorUuid } from '../../protocol/ids.ts';
import type { Clock } from '../../protocol/time.ts';
import type { EpochMillis, MonotonicMillis } from '../../protocol/units.ts';
import type { Direction, RawReading } from '../check-in-state.ts';
import type { DoorRules } from '../door-rules.ts';
import type { Feedback, FeedbackKind } from '../feedback.ts';
import type { Front, FrontCommand } from '../front.ts';
import type { Moment } from '../recorder.ts';
import { PaperNotes } from './paper-notes.ts';
import type { SettingsKeeper } from './settings.ts';

export interface StaffFrontOptions {
  readonly rules: DoorRules;
  readonly settings: SettingsKeeper;
  /** Promises, or throws StoreError. */
  readonly append: (happening: Happening, at: Moment) => RowRef;
  readonly isOnline: () => boolean;
  /** Whether the wall clock is to be believed. */
  readonly knowsTime: () => boolean;
  /** The longest that anything is kept. */
  readonly retentionMs: number;
  readonly clock: Clock;
  readonly onFeedback: (feedback: Feedback) => void;
  /** The menu was opened or closed, or what it shows has changed. */
  readonly onMenu: () => void;
}

/** An answer, without anybody's identity. */
export interface LastAnswer {
  readonly kind: FeedbackKind;
  readonly atMs: EpochMillis;
}

/** So long nobody has to do anything: then the menu closes. */
export const MENU_STAYS_MS = 60_000;
const LAST_ANSWERS = 10;
/** Of the menu itself, which are no answers to anybody. */
const NOT_LISTED: ReadonlySet<FeedbackKind> = new Set(['staff-menu', 'door-in', 'door-out', 'door-both', 'holder-asking', 'holder-left']);
const DIRECTION_OF: Partial<Readonly<Record<FeedbackKind, Direction>>> = { 'door-in': 'in', 'door-out': 'out', 'door-both': 'both' };

export class StaffFront implements Front {
  readonly #inner: Front;
  readonly #options: StaffFrontOptions;
  #rules: DoorRules;
  #isOpen = false;
  #cancel: () => void = () => {};
  #paper: PaperNotes | undefined;
  #last: readonly LastAnswer[] = [];

  constructor(inner: Front, options: StaffFrontOptions) {
    this.#inner = inner;
    this.#options = options;
    this.#rules = options.rules;
  }

  get direction(): Direction | undefined {
    return this.#inner.direction;
  }

  /** Whether the menu is open. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** What is noted from paper at present. */
  get paper(): PaperNotes | undefined {
    return this.#paper;
  }

  /** The newest first. */
  get lastAnswers(): readonly LastAnswer[] {
    return this.#last;
  }

  scan(text: string, at: Moment): void {
    const isAtDoor = this.#paper === undefined && !this.#options.settings.now.isOutOfOrder;
    // Nearly always: whoever it is for decodes it, and nobody else before.
    if (isAtDoor && !claimsKind(text, 'staff-card')) {
      this.#inner.scan(text, at);
      return;
    }
    const code = codeIn(text);
    if (code?.kind === 'staff-card') this.#obey(code, at);
    else if (code?.kind === 'staff') this.#inner.scan(text, at);
    else if (this.#paper !== undefined) this.#note(this.#paper, code, at);
    else if (this.#options.settings.now.isOutOfOrder) this.#say('out-of-order', at);
    else this.#inner.scan(text, at);
  }

  noScan(at: Moment): void {
    if (this.#paper === undefined && this.#options.settings.now.isOutOfOrder) this.#say('out-of-order', at);
    else this.#inner.noScan(at);
  }

  command(command: FrontCommand, at: Moment): void {
    if (command === 'undo' && this.#paper !== undefined) this.#takeBack(this.#paper, at);
    else this.#inner.command(command, at);
  }

  reading(reading: RawReading, at: Moment): void {
    // Whoever notes cards from paper measures nobody, and neither does a kiosk that is out of use.
    if (this.#paper === undefined && !this.#options.settings.now.isOutOfOrder) this.#inner.reading(reading, at);
  }

  adopt(rules: DoorRules): void {
    this.#rules = rules;
    this.#inner.adopt(rules);
  }

  forget(isGone: (card: VisitorUuid) => boolean): void {
    this.#paper?.forget(isGone);
    this.#inner.forget(isGone);
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#inner.run(signal);
    this.#cancel();
  }

  /** To be told of every answer that is given, whoever gave it. */
  heard({ kind, at }: Feedback): void {
    const direction = DIRECTION_OF[kind];
    if (direction !== undefined) {
      const over = this.#rules.direction;
      this.#options.settings.change({ door: { direction, ...(over && { over }) } });
    }
    if (!NOT_LISTED.has(kind)) this.#last = [{ kind, atMs: at.wallMs }, ...this.#last].slice(0, LAST_ANSWERS);
    if (kind === 'staff-menu') this.#open();
    else if (this.#isOpen) this.#options.onMenu();
  }

  /** Chooses for the door again what the staff chose before the restart, unless its entrance is for something else since. */
  resume(at: Moment): void {
    const { door } = this.#options.settings.now;
    if (door === undefined || door.over !== this.#rules.direction || door.direction === this.#inner.direction) return;
    this.#inner.command(`door-${door.direction}`, at);
  }

  /** Somebody is at the menu: it stays for another minute. */
  stay(): void {
    if (!this.#isOpen) return;
    this.#cancel();
    this.#cancel = this.#options.clock.after(MENU_STAYS_MS, () => this.leave());
  }

  leave(): void {
    this.#cancel();
    this.#isOpen = false;
    this.#paper = undefined;
    this.#options.onMenu();
  }

  /**
   * What is scanned from now on comes from paper.
   * @param wallMs the time that the staff state. @returns false where it is still to come, too long ago, or the kiosk does not know the time.
   */
  beginPaper(wallMs: number, way: 'in' | 'out'): boolean {
    const { clock, retentionMs, knowsTime } = this.#options;
    const agoMs = clock.wall() - wallMs;
    if (!this.#isOpen || !knowsTime() || agoMs < 0 || agoMs >= retentionMs) return false;
    // Before this boot it is below 0: the recorder knows what to do with that.
    const at = { wallMs: wallMs as EpochMillis, monotonicMs: (clock.monotonic() - agoMs) as MonotonicMillis };
    this.#paper = new PaperNotes(at, way);
    this.#options.onMenu();
    return true;
  }

  endPaper(): void {
    this.#paper = undefined;
    this.#options.onMenu();
  }

  #open(): void {
    this.#isOpen = true;
    this.#paper = undefined;
    this.stay();
    this.#options.onMenu();
  }

  #obey(code: StaffCardCode, at: Moment): void {
    try {
      checkStaffCard(code, this.#rules.trust);
    } catch (error) {
      if (!(error instanceof CodeError)) throw error;
      this.#say('card-refused', at);
      return;
    }
    if (this.#rules.isWithdrawn(code.card)) this.#say('card-withdrawn', at);
    else if (code.command === 'menu') this.#say('staff-menu', at);
    else this.command(code.command, at);
  }

  #note(paper: PaperNotes, code: Code | undefined, at: Moment): void {
    this.stay();
    if (code?.kind === 'key') code.keyCode.fill(0);
    try {
      if (code === undefined) this.#say('not-a-card', at);
      else this.#noteCard(paper, readCard(code, this.#rules.trust), at);
    } catch (error) {
      if (!(error instanceof CodeError)) throw error;
      this.#say(error.code === 'code.kind' ? 'not-a-card' : 'card-refused', at);
    }
  }

  #noteCard(paper: PaperNotes, read: ReadCard, at: Moment): void {
    if (this.#rules.isWithdrawn(read.card)) this.#say('card-withdrawn', at);
    else if (paper.has(read.card)) this.#say('paper-known', at);
    else {
      const row = this.#kept(paper.happeningOf(read), paper.at, at);
      if (row === undefined) return;
      paper.keep(read.card, row);
      this.#say('paper-kept', at, row);
    }
  }

  #takeBack(paper: PaperNotes, at: Moment): void {
    this.stay();
    const { last } = paper;
    if (last === undefined) this.#say('nothing-to-undo', at);
    else {
      const row = this.#kept({ type: 'undo', of: last }, at, at);
      if (row === undefined) return;
      paper.takeBack();
      this.#say('undone', at, row);
    }
  }

  /** @returns `undefined` where it was not kept, which is said then. */
  #kept(happening: Happening, when: Moment, at: Moment): RowRef | undefined {
    try {
      return this.#options.append(happening, when);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const isFull = error.code === 'store.full' || error.code === 'store.disk_full';
      this.#say(isFull ? 'refused-full' : 'refused-store', at);
      return undefined;
    }
  }

  #say(kind: FeedbackKind, at: Moment, row?: RowRef): void {
    const { onFeedback, isOnline } = this.#options;
    onFeedback({ kind, isStoredOffline: row !== undefined && !isOnline(), at, seq: row?.seq, keyId: row?.keyId });
  }
}

/** @returns `undefined` for what is none of ours. */
function codeIn(text: string): Code | undefined {
  try {
    return decodeCode(text);
  } catch (error) {
    if (!(error instanceof CodeError)) throw error;
    return undefined;
  }
}
