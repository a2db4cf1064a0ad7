/**
 * Runs the clinic machine: scanned texts and chosen results in; appends and feedback out. Never says that something is kept before it is.
 * Only a kiosk whose certificate says clinic has one.
 */
import { readCard, readSticker } from '../protocol/card.ts';
import { type ClinicPolicy, clinicianDigestOf, STICKER_LIFE_MS } from '../protocol/clinic.ts';
import { type Code, decodeCode } from '../protocol/code.ts';
import { CodeError, StoreError } from '../protocol/errors.ts';
import type { Happening, RowRef, TestResult } from '../protocol/event.ts';
import type { StickerStanding } from '../protocol/sticker-mark.ts';
import type { Clock } from '../protocol/time.ts';
import { type DeskInput, type DeskState, type DeskTurn, deskDueMs, newDesk, nextAtDesk } from './clinic-machine.ts';
import { StickerMemory, worseStanding } from './clinic-stickers.ts';
import type { DoorRules } from './door-rules.ts';
import type { Feedback, FeedbackKind } from './feedback.ts';
import type { Front, FrontCommand } from './front.ts';
import type { Moment } from './recorder.ts';

export interface ClinicFlowOptions {
  readonly rules: DoorRules;
  /** How long the next scan or the result is waited for. */
  readonly windowMs: number;
  /** Promises, or throws StoreError. */
  readonly append: (happening: Happening, at: Moment) => RowRef;
  readonly isOnline: () => boolean;
  /** What all desks are told of a sticker, 16 bytes; nothing is known where it is left out. */
  readonly toldOfSticker?: (sticker: Uint8Array) => StickerStanding;
  readonly clock: Clock;
  readonly onFeedback: (feedback: Feedback) => void;
}

/** What the staff of a desk can do without a code. */
export const DESK_COMMANDS = ['positive', 'negative', 'void', 'cancel'] as const;
export type DeskCommand = (typeof DESK_COMMANDS)[number];

/** Typed alone, a line of one digit: no code of any kind has digits. */
const TYPED: ReadonlyMap<string, TestResult> = new Map([
  ['1', 'positive'],
  ['2', 'negative'],
  ['3', 'void'],
]);

export class ClinicFlow implements Front {
  readonly direction = undefined;
  readonly #options: ClinicFlowOptions;
  readonly #memory = new StickerMemory();
  #rules: DoorRules;
  #state: DeskState;
  #cancelTick: () => void = () => {};

  constructor(options: ClinicFlowOptions) {
    this.#options = options;
    this.#rules = options.rules;
    this.#state = newDesk(options.windowMs);
  }

  adopt(rules: DoorRules): void {
    this.#rules = rules;
  }

  scan(text: string, at: Moment): void {
    const typed = TYPED.get(text);
    try {
      if (typed === undefined) this.#take(decodeCode(text), at);
      else this.#choose(typed, at);
    } catch (error) {
      if (!(error instanceof CodeError)) throw error;
      this.#say('not-a-sticker', at, undefined);
    }
  }

  noScan(at: Moment): void {
    this.#say('not-a-sticker', at, undefined);
  }

  command(command: FrontCommand, at: Moment): void {
    const known = DESK_COMMANDS.find((name) => name === command);
    if (known === 'cancel') this.#put({ kind: 'cancel' }, at);
    else if (known !== undefined) this.#choose(known, at);
  }

  /** What a desk holds of a card ends with its window, in a minute. */
  forget(): void {}

  /** A desk measures nobody. */
  reading(): void {}

  async run(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#cancelTick();
  }

  get #clinic(): ClinicPolicy {
    // Until the gateway has told it, a desk knows no clinician.
    return this.#rules.clinic ?? { stickerLifeMs: STICKER_LIFE_MS.usual, clinicians: [] };
  }

  #take(code: Code, at: Moment): void {
    switch (code.kind) {
      case 'sticker':
        this.#takeSticker(code, at);
        break;
      case 'clinician':
        this.#takeClinician(code.secret, at);
        break;
      case 'result':
        this.#choose(code.result, at);
        break;
      case 'visitor':
      case 'group':
      case 'unsigned':
        this.#takeCard(code, at);
        break;
      case 'key':
        code.keyCode.fill(0);
        this.#say('keep-at-home', at, undefined);
        break;
      default:
        this.#say('not-a-sticker', at, undefined);
    }
  }

  #takeSticker(code: Code, at: Moment): void {
    const { trust } = this.#rules;
    try {
      const sticker = readSticker(code, trust);
      this.#put({ kind: 'sticker', sticker, standing: this.#standingOf(sticker, at), atMs: at.monotonicMs }, at);
    } catch (error) {
      if (!(error instanceof CodeError)) throw error;
      this.#say('sticker-refused', at, undefined);
    }
  }

  #takeCard(code: Code, at: Moment): void {
    try {
      const { card } = readCard(code, this.#rules.trust);
      if (this.#rules.isWithdrawn(card)) this.#say('card-withdrawn', at, undefined);
      else this.#put({ kind: 'card', card, atMs: at.monotonicMs }, at);
    } catch (error) {
      if (!(error instanceof CodeError)) throw error;
      this.#say('card-refused', at, undefined);
    }
  }

  #takeClinician(secret: Uint8Array, at: Moment): void {
    const digest = clinicianDigestOf(secret);
    secret.fill(0);
    const isKnown = this.#clinic.clinicians.some((known) => Buffer.compare(known, digest) === 0);
    this.#put({ kind: 'clinician', clinician: isKnown ? digest : undefined, atMs: at.monotonicMs }, at);
  }

  #choose(result: TestResult, at: Moment): void {
    this.#put({ kind: 'result', result, atMs: at.monotonicMs }, at);
  }

  #standingOf(sticker: Uint8Array, at: Moment): StickerStanding {
    const own = this.#memory.standing(sticker, this.#clinic.stickerLifeMs, at.monotonicMs);
    return worseStanding(own, this.#options.toldOfSticker?.(sticker) ?? 'free');
  }

  #tick(): void {
    const { clock } = this.#options;
    const at = { wallMs: clock.wall(), monotonicMs: clock.monotonic() };
    this.#put({ kind: 'tick', atMs: at.monotonicMs }, at);
  }

  #put(input: DeskInput, at: Moment): void {
    this.#perform(nextAtDesk(this.#state, input), at, undefined);
    this.#cancelTick();
    const due = deskDueMs(this.#state);
    const { clock } = this.#options;
    if (due !== undefined) this.#cancelTick = clock.after(Math.max(0, due - clock.monotonic()), () => this.#tick());
  }

  /** @param row what the turn's feedback stands on. */
  #perform(turn: DeskTurn, at: Moment, row: RowRef | undefined): void {
    this.#state = turn.state;
    for (const effect of turn.effects) {
      if (effect.kind === 'feedback') this.#say(effect.feedback, at, row);
      else this.#append(effect.happening, at);
    }
  }

  #append(happening: Extract<Happening, { type: 'sticker-link' | 'sticker-result' }>, at: Moment): void {
    const row = this.#kept(happening, at);
    if (row instanceof StoreError) {
      const isFull = row.code === 'store.full' || row.code === 'store.disk_full';
      this.#perform(nextAtDesk(this.#state, { kind: 'refused', why: isFull ? 'refused-full' : 'refused-store' }), at, undefined);
      return;
    }
    this.#memory.note(happening, at.monotonicMs);
    this.#perform(nextAtDesk(this.#state, { kind: 'appended' }), at, row);
  }

  #kept(happening: Happening, at: Moment): RowRef | StoreError {
    try {
      return this.#options.append(happening, at);
    } catch (error) {
      if (error instanceof StoreError) return error;
      throw error;
    }
  }

  #say(kind: FeedbackKind, at: Moment, row: RowRef | undefined): void {
    const { onFeedback, isOnline } = this.#options;
    onFeedback({ kind, isStoredOffline: row !== undefined && !isOnline(), at, seq: row?.seq, keyId: row?.keyId });
  }
}
