/**
 * One card after the other: which disks a batch may go to, waiting for the next card in the same place, and what became of each. A card that fails is
 * told and counted; what would fail with every card ends the batch.
 */
import { FlashError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import { openCard } from './card.ts';
import { type Disk, refusalOf, type Wanted } from './disks.ts';
import type { Plan } from './examine.ts';
import { listDisks, type Slot, slotOf } from './list-disks.ts';
import { type OnProgress, writeCard } from './write-card.ts';

/** What is told while a batch runs. */
export interface BatchFace {
  /** A card is wanted. `why` says what is wrong with the one that is there, once. @param number from 1. */
  readonly onWaiting: (number: number, why: FlashError | undefined) => void;
  readonly onCard: (number: number, disk: Disk) => void;
  readonly onProgress: OnProgress;
  /** Written and read back. What it does for the card (its label) is waited for. */
  readonly onDone: (number: number, disk: Disk) => Promise<void>;
  readonly onFailed: (number: number, disk: Disk, why: FlashError) => void;
}

export interface Batch {
  readonly plan: Plan;
  readonly count: number;
  /** Of the disks that a person agreed to, as they were then: what is put into their places later is written, too. */
  readonly agreed: readonly Slot[];
  readonly mayLoop: boolean;
}

export interface BatchOutcome {
  readonly done: number;
  readonly failed: number;
}

const LOOK_EVERY_MS = 500;
/** With these the next card would fare no better. */
const ENDS_ALL = new Set<string>(['flash.bad_image', 'flash.not_allowed', 'flash.no_tool', 'flash.no_settings']);

/** @returns when `count` cards are done, or when aborted. @throws FlashError of those that end all; whatever `onDone` throws. */
export async function flashMany(
  { plan, count, agreed, mayLoop }: Batch,
  face: BatchFace,
  clock: Clock,
  signal: AbortSignal,
): Promise<BatchOutcome> {
  const over = new Set<string | undefined>();
  let [done, failed] = [0, 0];
  while (done < count && !signal.aborted) {
    const number = done + 1;
    const disk = await nextCard({ needsBytes: plan.sizeBytes, mayLoop }, agreed, over, (why) => face.onWaiting(number, why), clock, signal);
    if (disk === undefined) break;
    const { medium } = slotOf(disk.path) ?? {};
    face.onCard(number, disk);
    try {
      if (!(await flashOne(disk, plan, face.onProgress, signal))) break;
    } catch (error) {
      if (!(error instanceof FlashError) || ENDS_ALL.has(error.code)) throw error;
      over.add(medium);
      failed += 1;
      face.onFailed(number, disk, error);
      // A single card was asked for: it is not waited for another.
      if (count === 1) break;
      continue;
    }
    over.add(medium);
    done += 1;
    await face.onDone(number, disk);
  }
  return { done, failed };
}

async function flashOne(disk: Disk, plan: Plan, onProgress: OnProgress, signal: AbortSignal): Promise<boolean> {
  const card = await openCard(disk.path, 'write');
  try {
    return await writeCard(card, disk, plan, onProgress, signal);
  } finally {
    await card.close();
  }
}

async function nextCard(
  wanted: Omit<Wanted, 'isNamed'>,
  agreed: readonly Slot[],
  over: ReadonlySet<string | undefined>,
  onWaiting: (why: FlashError | undefined) => void,
  clock: Clock,
  signal: AbortSignal,
): Promise<Disk | undefined> {
  const told = new Set<string>();
  while (!signal.aborted) {
    let why: FlashError | undefined;
    for (const disk of await listDisks()) {
      const slot = slotOf(disk.path);
      if (slot === undefined || !agreed.some(({ place }) => place === slot.place) || over.has(slot.medium)) continue;
      why = refusalOf(disk, { ...wanted, isNamed: agreed.some(({ medium }) => medium === slot.medium) });
      if (why === undefined) return disk;
    }
    const key = why?.message ?? '';
    if (!told.has(key)) onWaiting(why);
    told.add(key);
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
  return undefined;
}
