/**
 * Whether a sniffer still hears what there is. Pure: (state, what was heard) -> state and what to do.
 *
 * Silence is a fault where there were advertisements before: a controller that hangs says nothing of it, and noble's own state stays
 * `poweredOn`. A scan that reports each sender once only is one, too: who stays for an hour would be counted in the first slot alone.
 */
import type { MonotonicMillis } from '../../protocol/units.ts';

/** Radios are never quiet for that long where people are; at night they may be, which costs one new start. */
export const SILENCE_MS = 60_000;
/** Filtered by the kernel, the controller or another program: that many reports in a row, over that long, and no sender twice. */
export const DEDUPLICATED_REPORTS = 20;
export const DEDUPLICATED_MS = 30_000;
/** A scan that starts anew reports everybody anew: how often, where duplicates are filtered or somebody else meddles. */
export const RESCAN_EVERY_MS = 10_000;

export interface Listening {
  /** When something was last heard, or the scan began. */
  readonly heardMs: MonotonicMillis;
  /** Whether anything was ever heard by this radio. */
  readonly hasHeard: boolean;
  readonly rescannedMs: MonotonicMillis;
  /** Whether the scan was started anew because of the present silence. */
  readonly isRescanned: boolean;
  /** Reports since a sender was last heard twice, or since the scan was started anew; and since when they are counted. */
  readonly single: number;
  readonly singleSinceMs: MonotonicMillis;
  /** Another program has meddled, and the scan was not started anew since. */
  readonly isDisturbed: boolean;
}

export interface Heard {
  readonly nowMs: MonotonicMillis;
  readonly reports: number;
  /** Reports of senders that were heard before in the same scan. */
  readonly repeats: number;
  /** Another program has told the controller to stop, or to filter. */
  readonly isDisturbed: boolean;
}

/** `rescan`: start the scan anew. `reopen`: this radio is lost, open another. */
export type Remedy = 'none' | 'rescan' | 'reopen';

export type Fault = 'silence' | 'deduplicated' | 'disturbed' | undefined;

export const beginListening = (nowMs: MonotonicMillis): Listening => ({
  heardMs: nowMs,
  hasHeard: false,
  rescannedMs: nowMs,
  isRescanned: false,
  single: 0,
  singleSinceMs: nowMs,
  isDisturbed: false,
});

/** @returns the state after it, what to do, and why. */
export function nextListening(
  before: Listening,
  { nowMs, reports, repeats, isDisturbed }: Heard,
): { state: Listening; remedy: Remedy; fault: Fault } {
  const isHeard = reports > 0;
  const single = repeats > 0 ? 0 : before.single + reports;
  const state: Listening = {
    ...before,
    hasHeard: before.hasHeard || isHeard,
    heardMs: isHeard ? nowMs : before.heardMs,
    isRescanned: before.isRescanned && !isHeard,
    single,
    singleSinceMs: single === 0 ? nowMs : before.singleSinceMs,
    isDisturbed: before.isDisturbed || isDisturbed,
  };
  const rescanned = (fault: Fault, isRescanned: boolean) => ({
    state: { ...state, rescannedMs: nowMs, isRescanned, single: 0, singleSinceMs: nowMs, isDisturbed: false },
    remedy: 'rescan' as const,
    fault,
  });
  if (state.hasHeard && nowMs - state.heardMs >= SILENCE_MS) {
    if (!state.isRescanned) return rescanned('silence', true);
    if (nowMs - state.rescannedMs >= SILENCE_MS) return { state, remedy: 'reopen', fault: 'silence' };
  }
  const mayRescan = nowMs - before.rescannedMs >= RESCAN_EVERY_MS;
  if (state.isDisturbed && mayRescan) return rescanned('disturbed', state.isRescanned);
  const isDeduplicated = single >= DEDUPLICATED_REPORTS && nowMs - state.singleSinceMs >= DEDUPLICATED_MS;
  if (isDeduplicated && mayRescan) return rescanned('deduplicated', state.isRescanned);
  return { state, remedy: 'none', fault: undefined };
}
