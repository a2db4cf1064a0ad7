/**
 * What a clinic's desk does with stickers, cards, clinicians' codes and results: pure next(state, input) -> { state, effects }. A desk checks
 * nobody in. Two things belong together only within a bounded window; a result needs a clinician, then a sticker, then an explicit word.
 *
 * Promise first, as at a door (check-in-machine.ts): nothing is answered or remembered until the runner says that the row is durable.
 * Times are monotonic. What was scanned is forgotten at the end of each step.
 */
import type { StickerLink, StickerResult, TestResult } from '../protocol/event.ts';
import type { VisitorUuid } from '../protocol/ids.ts';
import type { StickerStanding } from '../protocol/sticker-mark.ts';
import type { MonotonicMillis } from '../protocol/units.ts';
import type { FeedbackKind } from './feedback.ts';

/** What the desk waits for. */
export type DeskStep =
  | { readonly kind: 'idle' }
  /** A sticker that may be linked: its card. */
  | { readonly kind: 'has-sticker'; readonly sticker: Uint8Array; readonly untilMs: MonotonicMillis }
  /** A card: the sticker for it. */
  | { readonly kind: 'has-card'; readonly card: VisitorUuid; readonly untilMs: MonotonicMillis }
  /** A clinician: the sticker of the test. */
  | { readonly kind: 'has-clinician'; readonly clinician: Uint8Array; readonly untilMs: MonotonicMillis }
  /** A clinician and a sticker: what the test showed. */
  | { readonly kind: 'has-test'; readonly clinician: Uint8Array; readonly sticker: Uint8Array; readonly untilMs: MonotonicMillis };

export interface DeskState {
  /** How long the next thing is waited for. */
  readonly windowMs: number;
  readonly step: DeskStep;
  readonly pending: StickerLink | StickerResult | undefined;
}

export type DeskInput =
  | { readonly kind: 'sticker'; readonly sticker: Uint8Array; readonly standing: StickerStanding; readonly atMs: MonotonicMillis }
  | { readonly kind: 'card'; readonly card: VisitorUuid; readonly atMs: MonotonicMillis }
  /** @param clinician the digest of a code that is good here; `undefined` for one that is not. */
  | { readonly kind: 'clinician'; readonly clinician: Uint8Array | undefined; readonly atMs: MonotonicMillis }
  | { readonly kind: 'result'; readonly result: TestResult; readonly atMs: MonotonicMillis }
  | { readonly kind: 'cancel' }
  | { readonly kind: 'tick'; readonly atMs: MonotonicMillis }
  /** The row that was asked for is durable. */
  | { readonly kind: 'appended' }
  | { readonly kind: 'refused'; readonly why: 'refused-full' | 'refused-store' };

export type DeskEffect =
  | { readonly kind: 'append'; readonly happening: StickerLink | StickerResult }
  | { readonly kind: 'feedback'; readonly feedback: FeedbackKind };

export interface DeskTurn {
  readonly state: DeskState;
  readonly effects: readonly DeskEffect[];
}

export const newDesk = (windowMs: number): DeskState => ({ windowMs, step: IDLE, pending: undefined });

const IDLE: DeskStep = { kind: 'idle' };

/** @throws Error (a bug of the runner) on any input but `appended` or `refused` while an append is pending, and on those two while none is. */
export function nextAtDesk(state: DeskState, input: DeskInput): DeskTurn {
  if ((state.pending !== undefined) !== (input.kind === 'appended' || input.kind === 'refused'))
    throw new Error(`clinic machine: ${input.kind} while ${state.pending?.type ?? 'nothing'} is pending`);
  switch (input.kind) {
    case 'sticker':
      return takeSticker(state, input.sticker, input.standing, input.atMs);
    case 'card':
      return takeCard(state, input.card, input.atMs);
    case 'clinician': {
      const { clinician } = input;
      if (clinician === undefined) return say({ ...state, step: IDLE }, 'clinician-unknown');
      return say({ ...state, step: { kind: 'has-clinician', clinician, untilMs: endOf(state, input.atMs) } }, 'scan-test-sticker');
    }
    case 'result': {
      const { step } = state;
      if (step.kind !== 'has-test') return say(state, 'no-test-yet');
      return ask(state, { type: 'sticker-result', sticker: step.sticker, clinician: step.clinician, result: input.result });
    }
    case 'cancel':
      return say({ ...state, step: IDLE }, 'desk-cleared');
    case 'tick':
      return passTime(state, input.atMs);
    case 'appended':
      return say(
        { ...state, pending: undefined, step: IDLE },
        state.pending?.type === 'sticker-link' ? 'sticker-linked' : 'result-recorded',
      );
    case 'refused':
      return say({ ...state, pending: undefined, step: IDLE }, input.why);
  }
}

/** When a `tick` is due next; `undefined` when nothing waits. */
export const deskDueMs = ({ step }: DeskState): MonotonicMillis | undefined => (step.kind === 'idle' ? undefined : step.untilMs);

function takeSticker(state: DeskState, sticker: Uint8Array, standing: StickerStanding, atMs: MonotonicMillis): DeskTurn {
  const { step } = state;
  if (standing === 'void') return say(state, 'sticker-void');
  if (standing === 'expired') return say(state, 'sticker-expired');
  if (step.kind === 'has-clinician' || step.kind === 'has-test') {
    if (standing === 'done') return say({ ...state, step: { ...clinicianOf(step), untilMs: endOf(state, atMs) } }, 'result-there-already');
    const { clinician } = step;
    return say({ ...state, step: { kind: 'has-test', clinician, sticker, untilMs: endOf(state, atMs) } }, 'choose-result');
  }
  // The card stays read: another sticker may be taken for it.
  if (standing !== 'free') return say(state, 'sticker-used');
  if (step.kind === 'has-card') return ask(state, { type: 'sticker-link', sticker, card: step.card });
  return say({ ...state, step: { kind: 'has-sticker', sticker, untilMs: endOf(state, atMs) } }, 'scan-card-now');
}

function takeCard(state: DeskState, card: VisitorUuid, atMs: MonotonicMillis): DeskTurn {
  const { step } = state;
  if (step.kind === 'has-clinician' || step.kind === 'has-test') return say(state, 'not-a-sticker');
  if (step.kind === 'has-sticker') return ask(state, { type: 'sticker-link', sticker: step.sticker, card });
  return say({ ...state, step: { kind: 'has-card', card, untilMs: endOf(state, atMs) } }, 'scan-sticker-now');
}

function passTime(state: DeskState, atMs: MonotonicMillis): DeskTurn {
  const { step } = state;
  if (step.kind === 'idle' || atMs < step.untilMs) return { state, effects: [] };
  return say({ ...state, step: IDLE }, 'took-too-long');
}

const clinicianOf = ({ clinician }: { readonly clinician: Uint8Array }) => ({ kind: 'has-clinician' as const, clinician });
const endOf = ({ windowMs }: DeskState, atMs: MonotonicMillis): MonotonicMillis => (atMs + windowMs) as MonotonicMillis;
const ask = (state: DeskState, happening: StickerLink | StickerResult): DeskTurn => ({
  state: { ...state, pending: happening },
  effects: [{ kind: 'append', happening }],
});
const say = (state: DeskState, feedback: FeedbackKind): DeskTurn => ({ state, effects: [{ kind: 'feedback', feedback }] });
