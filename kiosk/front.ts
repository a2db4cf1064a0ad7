/** What faces people: a door that checks them in and out, or a clinic's desk. Which of them, the kiosk's certificate says. */

import type { Role } from '../protocol/enrol.ts';
import type { VisitorUuid } from '../protocol/ids.ts';
import { CheckInFlow, type CheckInFlowOptions } from './check-in-flow.ts';
import type { Direction, RawReading, StaffCommand } from './check-in-state.ts';
import { ClinicFlow, type ClinicFlowOptions, type DeskCommand } from './clinic-flow.ts';
import type { DoorRules } from './door-rules.ts';
import type { HolderCommand } from './holder-front.ts';
import type { Moment } from './recorder.ts';

/** What the staff press; each front obeys its own, and passes over the other's. */
export type FrontCommand = StaffCommand | DeskCommand | HolderCommand;

export interface Front {
  /** What a door is for at present; `undefined` for a desk. */
  readonly direction: Direction | undefined;
  /** Takes what a scanner read; the answer is given before it returns. @param at when it was scanned. */
  scan(text: string, at: Moment): void;
  /** A scanner gave bytes that make no code. */
  noScan(at: Moment): void;
  command(command: FrontCommand, at: Moment): void;
  reading(reading: RawReading, at: Moment): void;
  /** Goes by other rules from the next scan on. */
  adopt(rules: DoorRules): void;
  /** Forgets what is in RAM of these cards: their holders took them back. */
  forget(isGone: (card: VisitorUuid) => boolean): void;
  /** Until abort: lets time pass. */
  run(signal: AbortSignal): Promise<void>;
}

/** @param deskWindowMs how long a desk waits for the next scan. */
export const openFront = (
  role: Role,
  options: CheckInFlowOptions & Pick<ClinicFlowOptions, 'toldOfSticker'>,
  deskWindowMs: number,
): Front => (role === 'clinic' ? new ClinicFlow({ ...options, windowMs: deskWindowMs }) : new CheckInFlow(options));
