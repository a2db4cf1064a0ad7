/** What the scan of a card means at a door: a check-in, a check-out, or nothing that was not said before. Pure. */
import type { Happening } from '../protocol/event.ts';
import type { MonotonicMillis } from '../protocol/units.ts';
import { answer, closedUntil, isKnown, type ReadCard, type Seen, type State, type Step } from './check-in-state.ts';
import type { FeedbackKind } from './feedback.ts';

export function decideScan(state: State, scan: ReadCard & { readonly atMs: MonotonicMillis }): Step {
  const key = Buffer.from(scan.card).toString('hex');
  const held = state.cards.get(key);
  const seen = held !== undefined && isKnown(held, state.policy, scan.atMs) ? held : undefined;
  switch (state.direction) {
    case 'in':
      return pass(state, scan, key, true, seen?.isIn ? 'already-in' : 'welcome');
    case 'out':
      // A card not known to be in may have come in before a restart, or by another door: the core finds the visit.
      return pass(state, scan, key, false, 'goodbye');
    case 'both':
      if (seen !== undefined && scan.atMs - seen.atMs < state.policy.againWindowMs) {
        const after = isServed(state, scan.card)
          ? state
          : { ...state, loose: undefined, pairing: closedUntil(scan.atMs + state.policy.pairAfterScanMs) };
        return answer(after, seen.isIn ? 'already-in' : 'already-out');
      }
      return pass(state, scan, key, seen?.isIn !== true, seen?.isIn ? 'goodbye' : 'welcome');
  }
}

function pass(state: State, scan: ReadCard & { readonly atMs: MonotonicMillis }, key: string, isIn: boolean, said: FeedbackKind): Step {
  const { card, groupSize, isSigned, atMs } = scan;
  const happening: Happening = isIn ? { type: 'check-in', card, groupSize, isSigned } : { type: 'check-out', card };
  const seen: Seen = { isIn, atMs };
  return { state: { ...state, pending: { kind: 'passage', key, card, seen, answer: said } }, effects: [{ kind: 'append', happening }] };
}

/** Whether the next reading is that card's already; if not, it is nobody's. */
const isServed = ({ pairing }: State, card: Uint8Array): boolean => pairing?.kind === 'open' && Buffer.compare(pairing.card, card) === 0;
