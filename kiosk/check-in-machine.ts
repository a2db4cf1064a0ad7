/**
 * What a door does with cards, staff commands and readings: pure next(state, input) -> { state, effects }.
 *
 * Promise first: what has to be kept leaves as an `append` effect, and nothing is answered or remembered until the runner says
 * `appended` (the row is durable) or `refused` (it is not, and the state is as if it had not been asked). Until then `pending` is set
 * and no other input may come. Who is in is held in the state, in RAM, bounded, and nowhere else. Times are monotonic.
 */
import type { RowRef } from '../protocol/event.ts';
import type { MonotonicMillis } from '../protocol/units.ts';
import { answer, closedUntil, type Input, isKnown, type StaffCommand, type State, type Step } from './check-in-state.ts';
import { decideScan } from './door-rule.ts';
import { takeReading } from './reading-rule.ts';

/** @throws Error (a bug of the runner) on any input but `appended` or `refused` while an append is pending, and on those two while none is. */
export function next(state: State, input: Input): Step {
  if ((state.pending !== undefined) !== (input.kind === 'appended' || input.kind === 'refused')) {
    throw new Error(`check-in machine: ${input.kind} while ${state.pending?.kind ?? 'nothing'} is pending`);
  }
  switch (input.kind) {
    case 'scan':
      return decideScan(state, input);
    case 'stranger':
      return { state: { ...state, loose: undefined, pairing: closedUntil(input.atMs + state.policy.pairAfterScanMs) }, effects: [] };
    case 'staff':
      return obey(state, input.command, input.atMs);
    case 'reading':
      return takeReading(state, input.reading, input.atMs);
    case 'tick':
      return passTime(state, input.atMs);
    case 'appended':
      return keep(state, input.ref);
    case 'refused':
      return refuse(state, input.why);
  }
}

/** When a `tick` is due next; `undefined` when nothing waits. */
export const dueMs = (state: State): MonotonicMillis | undefined =>
  state.pairing?.kind === 'open' && state.pairing.attempt === 2 ? state.pairing.untilMs : undefined;

function obey(state: State, command: StaffCommand, atMs: MonotonicMillis): Step {
  switch (command) {
    case 'undo': {
      const { last } = state;
      if (last === undefined || atMs - last.atMs > state.policy.undoWindowMs)
        return answer({ ...state, last: undefined }, 'nothing-to-undo');
      return { state: { ...state, pending: { kind: 'undo' } }, effects: [{ kind: 'append', happening: { type: 'undo', of: last.of } }] };
    }
    case 'door-in':
      return answer({ ...state, direction: 'in' }, command);
    case 'door-out':
      return answer({ ...state, direction: 'out' }, command);
    case 'door-both':
      return answer({ ...state, direction: 'both' }, command);
  }
}

function passTime(state: State, atMs: MonotonicMillis): Step {
  const { policy, pairing } = state;
  const cards = state.cards.filter((seen) => isKnown(seen, policy, atMs));
  const last = state.last !== undefined && atMs - state.last.atMs > policy.undoWindowMs ? undefined : state.last;
  const loose = state.loose !== undefined && atMs - state.loose.atMs > policy.pairBeforeScanMs ? undefined : state.loose;
  const isOver = pairing !== undefined && atMs >= pairing.untilMs;
  const after = { ...state, cards, last, loose, pairing: isOver ? undefined : pairing };
  // One high reading and no second: a person looks, the gateway flags it as unconfirmed, no machine decides.
  return isOver && pairing.kind === 'open' && pairing.attempt === 2 ? answer(after, 'please-see-staff') : { state: after, effects: [] };
}

function keep(state: State, ref: RowRef): Step {
  const { pending, last, policy } = state;
  const done = { ...state, pending: undefined };
  switch (pending?.kind) {
    case 'passage': {
      const { key, card, seen } = pending;
      const kept: State = {
        ...done,
        cards: state.cards.with(key, seen, policy.maxCards),
        last: { of: ref, key, before: state.cards.get(key), atMs: seen.atMs },
        pairing: { kind: 'open', card, of: ref, untilMs: (seen.atMs + policy.pairAfterScanMs) as MonotonicMillis, attempt: 1 },
        loose: undefined,
      };
      const spoken = answer(kept, pending.answer);
      const { loose } = state;
      if (loose === undefined || seen.atMs - loose.atMs > policy.pairBeforeScanMs) return spoken;
      const read = takeReading(kept, loose.reading, seen.atMs);
      return { state: read.state, effects: [...spoken.effects, ...read.effects] };
    }
    case 'undo': {
      if (last === undefined) return answer(done, 'undone');
      const cards = state.cards.with(last.key, last.before, policy.maxCards);
      return answer({ ...done, cards, last: undefined, pairing: closedUntil(last.atMs + policy.pairAfterScanMs) }, 'undone');
    }
    case 'temperature': {
      const { isHigh, attempt, atMs } = pending;
      const { pairing } = state;
      if (isHigh && attempt === 1 && pairing?.kind === 'open') {
        const untilMs = (atMs + policy.secondReadingMs) as MonotonicMillis;
        return answer({ ...done, pairing: { ...pairing, attempt: 2, untilMs } }, 'please-measure-again');
      }
      return answer({ ...done, pairing: closedUntil(atMs + policy.pairAfterScanMs) }, isHigh ? 'please-see-staff' : 'thank-you');
    }
    case undefined:
      return { state: done, effects: [] };
  }
}

function refuse(state: State, why: 'refused-full' | 'refused-store'): Step {
  const { pending } = state;
  const asBefore = { ...state, pending: undefined };
  // The person in front is another one than the last that was served: a reading that follows is not of that one.
  const after =
    pending?.kind === 'passage'
      ? { ...asBefore, loose: undefined, pairing: closedUntil(pending.seen.atMs + state.policy.pairAfterScanMs) }
      : asBefore;
  return answer(after, why);
}
