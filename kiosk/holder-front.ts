/**
 * Holder's mode, around whatever else faces people: entered by a button, for whoever brings the key code of their card. A key code that is
 * scanned then is proved to the core by way of the gateway and forgotten; nothing is appended, and nobody is checked in. It leaves by itself.
 */
import { decodeCode } from '../protocol/code.ts';
import { CodeError, codeOf } from '../protocol/errors.ts';
import type { HolderAction } from '../protocol/holder.ts';
import type { VisitorUuid } from '../protocol/ids.ts';
import type { Clock } from '../protocol/time.ts';
import { deriveVisitor, type Visitor } from '../protocol/visitor.ts';
import type { Direction, RawReading } from './check-in-state.ts';
import type { DoorRules } from './door-rules.ts';
import type { Feedback, FeedbackKind } from './feedback.ts';
import type { Front, FrontCommand } from './front.ts';
import type { HolderAnswer } from './holder-ask.ts';
import type { Moment } from './recorder.ts';

export const HOLDER_COMMANDS = ['holder', 'holder-revoke'] as const;
export type HolderCommand = (typeof HOLDER_COMMANDS)[number];

export interface HolderFrontOptions {
  /** @throws LinkError, HolderError, AdmissionError, DecodeError. */
  readonly ask: (action: HolderAction, visitor: Visitor, signal: AbortSignal) => Promise<HolderAnswer>;
  readonly clock: Clock;
  readonly onFeedback: (feedback: Feedback) => void;
}

/** So long nobody has to do anything: then the door is a door again. */
const LEAVES_AFTER_MS = 45_000;
/** An answer stands on the screen for whoever comes next to see, too. */
const ANSWER_STANDS_MS = 20_000;

export class HolderFront implements Front {
  readonly #inner: Front;
  readonly #options: HolderFrontOptions;
  /** What the next key code is for; `undefined` outside of the mode. */
  #action: 'read' | 'revoke' | undefined;
  #isAsking = false;
  #cancel: () => void = () => {};
  readonly #ending = new AbortController();

  constructor(inner: Front, options: HolderFrontOptions) {
    this.#inner = inner;
    this.#options = options;
  }

  get direction(): Direction | undefined {
    return this.#inner.direction;
  }

  scan(text: string, at: Moment): void {
    if (this.#action === undefined) this.#inner.scan(text, at);
    else if (!this.#isAsking) this.#scan(text, at, this.#action);
  }

  noScan(at: Moment): void {
    if (this.#action === undefined) this.#inner.noScan(at);
    else this.#invite(at);
  }

  command(command: FrontCommand, at: Moment): void {
    if (command === 'holder-revoke' && this.#action !== undefined) this.#enter('revoke', at);
    else if (command === 'holder' && this.#action !== undefined) this.#leave();
    else if (command === 'holder') this.#enter('read', at);
    else this.#inner.command(command, at);
  }

  reading(reading: RawReading, at: Moment): void {
    this.#inner.reading(reading, at);
  }

  adopt(rules: DoorRules): void {
    this.#inner.adopt(rules);
  }

  forget(isGone: (card: VisitorUuid) => boolean): void {
    this.#inner.forget(isGone);
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#inner.run(signal);
    this.#cancel();
    this.#ending.abort();
  }

  #enter(action: 'read' | 'revoke', at: Moment): void {
    if (this.#isAsking) return;
    this.#action = action;
    this.#invite(at);
  }

  #invite(at: Moment): void {
    this.#stayFor(LEAVES_AFTER_MS);
    this.#say(this.#action === 'revoke' ? 'holder-scan-to-revoke' : 'holder-scan-key', at);
  }

  #scan(text: string, at: Moment, action: 'read' | 'revoke'): void {
    const visitor = visitorIn(text);
    if (visitor === undefined) {
      this.#invite(at);
      return;
    }
    this.#isAsking = true;
    this.#cancel();
    this.#say('holder-asking', at);
    void this.#ask(action, visitor);
  }

  /** Never rejects: what is no expected error is said as one that was not reached. */
  async #ask(action: 'read' | 'revoke', visitor: Visitor): Promise<void> {
    const said = await this.#answer(action, visitor).catch(
      (error: unknown): FeedbackKind =>
        codeOf(error)?.startsWith('holder.') === true && codeOf(error) !== 'holder.not_reached' ? 'holder-refused' : 'holder-unreached',
    );
    this.#isAsking = false;
    if (this.#ending.signal.aborted) return;
    this.#action = 'read';
    this.#stayFor(ANSWER_STANDS_MS);
    this.#say(said, this.#now());
  }

  async #answer(action: 'read' | 'revoke', visitor: Visitor): Promise<FeedbackKind> {
    const { ask } = this.#options;
    const { signal } = this.#ending;
    const first = await ask(action, visitor, signal);
    if (first.kind === 'notices' && !first.isRevoked) return first.notices > 0 ? 'holder-notice' : 'holder-no-notice';
    const receipt = first.kind === 'notices' ? await ask('receipt', visitor, signal) : first;
    return receipt.kind === 'receipt' && receipt.isAllDone ? 'holder-erased' : 'holder-erasing';
  }

  #stayFor(ms: number): void {
    this.#cancel();
    this.#cancel = this.#options.clock.after(ms, () => this.#leave());
  }

  #leave(): void {
    this.#cancel();
    this.#action = undefined;
    this.#say('holder-left', this.#now());
  }

  #say(kind: FeedbackKind, at: Moment): void {
    this.#options.onFeedback({ kind, isStoredOffline: false, at, seq: undefined, keyId: undefined });
  }

  #now = (): Moment => ({ wallMs: this.#options.clock.wall(), monotonicMs: this.#options.clock.monotonic() });
}

/** @returns `undefined` for what is no key code. Of one that is, nothing but the key is left. */
function visitorIn(text: string): Visitor | undefined {
  try {
    const code = decodeCode(text);
    if (code.kind !== 'key') return undefined;
    const visitor = deriveVisitor(code.keyCode);
    code.keyCode.fill(0);
    return visitor;
  } catch (error) {
    if (!(error instanceof CodeError)) throw error;
    return undefined;
  }
}
