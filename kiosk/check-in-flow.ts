/**
 * Runs the check-in machine: texts, readings and commands in; appends and feedback out. Never says that something is kept before it is.
 */
import { createHash } from 'node:crypto';
import { readCard } from '../protocol/card.ts';
import { type Code, decodeCode, type StaffCode } from '../protocol/code.ts';
import { CodeError, StoreError } from '../protocol/errors.ts';
import type { Happening, RowRef } from '../protocol/event.ts';
import type { VisitorUuid } from '../protocol/ids.ts';
import type { Clock } from '../protocol/time.ts';
import { dueMs, next } from './check-in-machine.ts';
import {
  closedUntil,
  type Direction,
  type Input,
  newState,
  type RawReading,
  type ReadCard,
  type StaffCommand,
  type State,
  type Step,
} from './check-in-state.ts';
import type { DoorRules } from './door-rules.ts';
import { type Feedback, type FeedbackKind, PASSAGES } from './feedback.ts';
import type { Front, FrontCommand } from './front.ts';
import type { Moment } from './recorder.ts';

export interface CheckInFlowOptions {
  readonly rules: DoorRules;
  /** What the door is for while the rules do not say. */
  readonly direction: Direction;
  /** SHA-256 of each staff secret, in hex. */
  readonly staffCodes: ReadonlySet<string>;
  /** Promises, or throws StoreError. */
  readonly append: (happening: Happening, at: Moment) => RowRef;
  readonly isOnline: () => boolean;
  /** Whether the answer that serves this card is to show a notice, which is then shown; none ever is where left out. */
  readonly showsNotice?: (card: VisitorUuid) => boolean;
  readonly clock: Clock;
  readonly onFeedback: (feedback: Feedback) => void;
}

const SWEEP_EVERY_MS = 60_000;

/** What the staff of a door can do without a code. */
export const DOOR_COMMANDS: readonly StaffCommand[] = ['undo', 'door-in', 'door-out', 'door-both'];

export class CheckInFlow implements Front {
  readonly #options: CheckInFlowOptions;
  #rules: DoorRules;
  #state: State;
  #cancelTick: () => void = () => {};
  /** While its scan is answered. */
  #served: VisitorUuid | undefined;

  constructor(options: CheckInFlowOptions) {
    this.#options = options;
    this.#rules = options.rules;
    this.#state = newState(options.rules.policy, options.rules.direction ?? options.direction);
  }

  /** What the door is for at present. */
  get direction(): Direction {
    return this.#state.direction;
  }

  /** Goes by other rules from the next scan on. Who is in stays known, and so does what the staff chose, unless the entrance got another direction. */
  adopt(rules: DoorRules): void {
    const { direction = this.#state.direction } = rules;
    const isTurned = rules.direction !== this.#rules.direction;
    this.#rules = rules;
    this.#state = { ...this.#state, policy: rules.policy, direction: isTurned ? direction : this.#state.direction };
  }

  forget(isGone: (card: VisitorUuid) => boolean): void {
    const { cards, last, pairing } = this.#state;
    const isOf = (key: string) => isGone(new Uint8Array(Buffer.from(key, 'hex')) as VisitorUuid);
    this.#state = {
      ...this.#state,
      cards: cards.without(isOf),
      last: last !== undefined && isOf(last.key) ? undefined : last,
      pairing: pairing?.kind === 'open' && isGone(pairing.card) ? closedUntil(pairing.untilMs) : pairing,
    };
  }

  /** Takes what a scanner read; the answer is given before it returns. @param at when it was scanned. */
  scan(text: string, at: Moment): void {
    try {
      this.#take(decodeCode(text), at);
    } catch (error) {
      if (!(error instanceof CodeError)) throw error;
      this.#turnAway('not-a-card', at);
    }
  }

  /** A scanner gave bytes that make no code. */
  noScan(at: Moment): void {
    this.#turnAway('not-a-card', at);
  }

  command(command: FrontCommand, at: Moment): void {
    const known = DOOR_COMMANDS.find((name) => name === command);
    if (known !== undefined) this.staff(known, at);
  }

  staff(command: StaffCommand, at: Moment): void {
    this.#put({ kind: 'staff', command, atMs: at.monotonicMs }, at);
  }

  reading(reading: RawReading, at: Moment): void {
    this.#put({ kind: 'reading', reading, atMs: at.monotonicMs }, at);
  }

  /** Until abort: lets time pass, so that who is in is forgotten in time. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(SWEEP_EVERY_MS, signal);
      this.#tick();
    }
    this.#cancelTick();
  }

  #take(code: Code, at: Moment): void {
    switch (code.kind) {
      case 'staff':
        this.#obey(code, at);
        break;
      case 'key':
        code.keyCode.fill(0);
        this.#turnAway('keep-at-home', at);
        break;
      case 'sticker':
      case 'clinician':
      case 'result':
        this.#turnAway('not-a-clinic', at);
        break;
      default:
        this.#admit(code, at);
    }
  }

  #admit(code: Code, at: Moment): void {
    try {
      const read = readCard(code, this.#rules.trust);
      if (this.#rules.isWithdrawn(read.card)) this.#turnAway('card-withdrawn', at);
      else this.#serve(read, at);
    } catch (error) {
      if (!(error instanceof CodeError)) throw error;
      this.#turnAway(error.code === 'code.kind' ? 'not-a-card' : 'card-refused', at);
    }
  }

  #serve(read: ReadCard, at: Moment): void {
    this.#served = read.card;
    try {
      this.#put({ kind: 'scan', atMs: at.monotonicMs, ...read }, at);
    } finally {
      this.#served = undefined;
    }
  }

  #obey(code: StaffCode, at: Moment): void {
    const digest = createHash('sha256').update(code.secret).digest('hex');
    if (!this.#options.staffCodes.has(digest)) this.#turnAway('card-refused', at);
    else if (code.command === 'menu') this.#say('staff-menu', at, undefined);
    else this.staff(code.command, at);
  }

  #turnAway(kind: FeedbackKind, at: Moment): void {
    this.#put({ kind: 'stranger', atMs: at.monotonicMs }, at);
    this.#say(kind, at, undefined);
  }

  #tick(): void {
    const { clock } = this.#options;
    const at = { wallMs: clock.wall(), monotonicMs: clock.monotonic() };
    this.#put({ kind: 'tick', atMs: at.monotonicMs }, at);
  }

  #put(input: Input, at: Moment): void {
    this.#perform(next(this.#state, input), at, undefined);
    this.#cancelTick();
    const due = dueMs(this.#state);
    if (due !== undefined)
      this.#cancelTick = this.#options.clock.after(Math.max(0, due - this.#options.clock.monotonic()), () => this.#tick());
  }

  /** @param row what the step's feedback stands on. */
  #perform(step: Step, at: Moment, row: RowRef | undefined): void {
    this.#state = step.state;
    for (const effect of step.effects) {
      if (effect.kind === 'feedback') this.#say(effect.feedback, at, row);
      else this.#append(effect.happening, at);
    }
  }

  #append(happening: Happening, at: Moment): void {
    const answer = this.#kept(happening, at);
    this.#perform(next(this.#state, answer), at, answer.kind === 'appended' ? answer.ref : undefined);
  }

  #kept(happening: Happening, at: Moment): Extract<Input, { kind: 'appended' | 'refused' }> {
    try {
      return { kind: 'appended', ref: this.#options.append(happening, at) };
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const isFull = error.code === 'store.full' || error.code === 'store.disk_full';
      return { kind: 'refused', why: isFull ? 'refused-full' : 'refused-store' };
    }
  }

  #say(kind: FeedbackKind, at: Moment, row: RowRef | undefined): void {
    const { onFeedback, isOnline, showsNotice } = this.#options;
    const hasNotice = this.#served !== undefined && PASSAGES.includes(kind) && showsNotice?.(this.#served) === true;
    onFeedback({
      kind,
      isStoredOffline: row !== undefined && !isOnline(),
      ...(hasNotice && { hasNotice }),
      at,
      seq: row?.seq,
      keyId: row?.keyId,
    });
  }
}
