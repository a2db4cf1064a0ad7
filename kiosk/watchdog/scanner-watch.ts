/**
 * Whether a scanner that is open is alive, pure. One that nobody uses is as silent as one that has died, so others bear witness: people who are
 * measured, buttons that are pressed, while nothing is scanned. It is opened anew then, which wakes most; if that does not help, somebody is told.
 */
import type { MonotonicMillis } from '../../protocol/units.ts';

export interface ScannersState {
  readonly scannedMs: MonotonicMillis;
  /** Since the last scan, and since the scanners were opened anew. */
  readonly witnesses: number;
  readonly witnessedMs: number;
  readonly reopenedMs: MonotonicMillis;
  /** They were opened anew because of witnesses, and nothing was scanned since. */
  readonly wasReopened: boolean;
  readonly isSuspected: boolean;
}

/** So many people in a row who were not scanned are no chance. */
export const MOST_WITNESSES = 5;
/** One person is measured twice. */
const APART_MS = 5_000;
/** Each open of a serial port costs memory (decision 0006): an idle one is opened anew four times a day. */
export const IDLE_REOPEN_MS = 6 * 3_600_000;

export const newScanners = (atMs: MonotonicMillis): ScannersState => ({
  scannedMs: atMs,
  witnesses: 0,
  witnessedMs: Number.NEGATIVE_INFINITY,
  reopenedMs: atMs,
  wasReopened: false,
  isSuspected: false,
});

export type ScannersInput = { readonly kind: 'scan' | 'witness' | 'look'; readonly atMs: MonotonicMillis };

/** @returns whether the scanners are to be opened anew. */
export function hearScanners(
  state: ScannersState,
  { kind, atMs }: ScannersInput,
): { readonly state: ScannersState; readonly reopens: boolean } {
  switch (kind) {
    case 'scan':
      return { state: { ...newScanners(atMs), reopenedMs: state.reopenedMs }, reopens: false };
    case 'witness': {
      if (atMs - state.witnessedMs < APART_MS) return { state, reopens: false };
      const witnesses = state.witnesses + 1;
      const isMost = witnesses >= MOST_WITNESSES;
      if (!isMost) return { state: { ...state, witnesses, witnessedMs: atMs }, reopens: false };
      // As many again after they were opened anew: that did not help.
      const isSuspected = state.isSuspected || state.wasReopened;
      return { state: { ...state, witnesses: 0, witnessedMs: atMs, reopenedMs: atMs, wasReopened: true, isSuspected }, reopens: true };
    }
    case 'look': {
      const reopens = atMs - Math.max(state.scannedMs, state.reopenedMs) >= IDLE_REOPEN_MS;
      return { state: reopens ? { ...state, reopenedMs: atMs } : state, reopens };
    }
  }
}
