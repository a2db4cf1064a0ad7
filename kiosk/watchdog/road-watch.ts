/** Whether rows arrive, pure: a link that stands and acknowledges nothing is no road. */
import type { MonotonicMillis } from '../../protocol/units.ts';

export interface RoadLook {
  /** Whether there is a road to judge. */
  readonly isOnline: boolean;
  readonly queued: number;
  /** Appended so far less those that wait: another number whenever a row was settled. */
  readonly settled: number;
  /** How long the oldest of them has waited; 0 where none does. */
  readonly oldestMs: number;
  readonly atMs: MonotonicMillis;
}

export interface RoadState {
  readonly settled: number;
  /** When it last made way, or had none to make. */
  readonly sinceMs: MonotonicMillis;
  /** When it was last dialled anew for it, or asked to prove itself. */
  readonly actedMs: MonotonicMillis;
  readonly isStuck: boolean;
}

/** Four times what an acknowledgement may take: a batch was given up and sent again twice by then. */
export const STUCK_MS = 120_000;
const REDIAL_EVERY_MS = 300_000;
/** An idle road is proved by an event of its own so seldom that no disk feels it. */
export const PROVE_EVERY_MS = 6 * 3_600_000;

export const newRoad = (atMs: MonotonicMillis): RoadState => ({
  settled: Number.NEGATIVE_INFINITY,
  sinceMs: atMs,
  actedMs: atMs,
  isStuck: false,
});

/** @returns what to do besides: dial anew, or send an event to see whether it arrives. */
export function lookAtRoad(state: RoadState, look: RoadLook): { readonly state: RoadState; readonly act: 'redial' | 'prove' | undefined } {
  const { isOnline, queued, settled, oldestMs, atMs } = look;
  // The kiosk knows that it is offline, and says so.
  if (settled !== state.settled || !isOnline) return { state: { settled, sinceMs: atMs, actedMs: atMs, isStuck: false }, act: undefined };
  // A row that came after a long rest has its time from then on.
  const stillMs = Math.min(atMs - state.sinceMs, queued === 0 ? Number.POSITIVE_INFINITY : oldestMs);
  const isStuck = queued > 0 && stillMs >= STUCK_MS;
  const isDue =
    queued > 0 ? isStuck && (!state.isStuck || atMs - state.actedMs >= REDIAL_EVERY_MS) : atMs - state.actedMs >= PROVE_EVERY_MS;
  const next = { settled, sinceMs: state.sinceMs, actedMs: isDue ? atMs : state.actedMs, isStuck };
  return { state: next, act: isDue ? (queued > 0 ? 'redial' : 'prove') : undefined };
}
