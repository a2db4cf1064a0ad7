/**
 * What a start means for a release on trial. Pure: whoever was cut off when, the same slot, the same memory and the same boot give the same
 * answer.
 */
import type { ErrorCode } from '../../protocol/errors.ts';
import type { SlotName } from './slots.ts';
import type { Trial, Work } from './update-state.ts';

/** A plug may be pulled in the middle of a trial, or the gateway be away all the time: one such does not condemn a release. */
export const MOST_TRIES = 2;

export interface Start {
  readonly running: SlotName;
  readonly lasting: SlotName;
  /** Of this boot, in hexadecimal, and how long ago that was. */
  readonly boot: string;
  readonly atMs: number;
}

export type Verdict =
  /** Nothing is on trial; `work` is what is gone on with. */
  | { readonly is: 'quiet'; readonly work: Work | undefined }
  /** It runs, and is to show within what is left of its time that it holds. */
  | { readonly is: 'on-trial'; readonly trial: Trial; readonly sinceMs: number }
  | { readonly is: 'kept'; readonly trial: Trial }
  /** It did not hold, and the machine is back at what it had. */
  | { readonly is: 'failed'; readonly trial: Trial; readonly why: ErrorCode };

export function judgeStart(work: Work | undefined, { running, lasting, boot, atMs }: Start): Verdict {
  if (work === undefined) return { is: 'quiet', work };
  // Somebody has changed the slots by hand: what runs is never written to.
  if (work.phase !== 'trial') return { is: 'quiet', work: work.to === running ? undefined : work };
  if (running === work.to) {
    if (lasting === work.to) return { is: 'kept', trial: work };
    const heard = work.heard?.boot === boot ? work.heard : { boot, atMs };
    return { is: 'on-trial', trial: { ...work, heard }, sinceMs: heard.atMs };
  }
  if (work.tries >= MOST_TRIES)
    return { is: 'failed', trial: work, why: work.heard === undefined ? 'release.not_started' : 'release.not_healthy' };
  const { digest, version, from, to, tries, lacked } = work;
  return { is: 'quiet', work: { phase: 'ready', digest, version, from, to, tries, ...(lacked && { lacked }) } };
}
