/**
 * Sends one event the whole road and waits for the gateway's word: what `vestibule doctor` shows before a technician leaves. The event is
 * the state of a device named `doctor`, so that every gateway knows it, and it tells of nobody.
 */
import { type ErrorCode, StoreError } from '../protocol/errors.ts';
import type { Happening, RowRef } from '../protocol/event.ts';
import type { Clock } from '../protocol/time.ts';
import type { HealthSnapshot } from './health.ts';
import type { Outbox } from './outbox.ts';

export type Delivery =
  | { readonly outcome: 'delivered'; readonly tookMs: number }
  /** The gateway has it and could not use it. */
  | { readonly outcome: 'set-aside' }
  /** Kept here: it goes when the link allows. */
  | { readonly outcome: 'waiting'; readonly why: ErrorCode | undefined }
  /** Not even kept. */
  | { readonly outcome: 'refused'; readonly why: ErrorCode };

export interface TestEventOptions {
  readonly append: (happening: Happening) => RowRef;
  readonly outbox: () => Outbox | undefined;
  readonly health: () => HealthSnapshot;
  readonly clock: Clock;
}

/** A drain of a long backlog leaves the live lane free, so that this is plenty for a gateway that answers. */
const LONGEST_MS = 15_000;
/** Where the link is known to be down the next try may be a minute away. */
const DOWN_MS = 3_000;
const LOOK_EVERY_MS = 50;
/** The receipt that says what became of a row comes beside the acknowledgement. */
const RECEIPT_MS = 250;

/** @param signal on abort it says that the event waits. Never rejects for an expected error. */
export async function deliverTestEvent({ append, outbox, health, clock }: TestEventOptions, signal: AbortSignal): Promise<Delivery> {
  const startedMs = clock.monotonic();
  const before = setAsideIn(health());
  let ref: RowRef;
  try {
    ref = append({ type: 'device-state', device: 'doctor', isUp: true, why: undefined });
  } catch (error) {
    if (error instanceof StoreError) return { outcome: 'refused', why: error.code };
    throw error;
  }
  for (;;) {
    const tookMs = clock.monotonic() - startedMs;
    if (isSettled(outbox(), ref)) {
      await clock.sleep(RECEIPT_MS, signal);
      return setAsideIn(health()) > before ? { outcome: 'set-aside' } : { outcome: 'delivered', tookMs };
    }
    const { isOnline, linkWhy } = health();
    if (signal.aborted || tookMs >= (!isOnline && linkWhy !== undefined ? DOWN_MS : LONGEST_MS))
      return { outcome: 'waiting', why: linkWhy };
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}

const setAsideIn = ({ quarantined, conflicts }: HealthSnapshot): number => quarantined + conflicts;

/** A row that was just appended lies at its own number. */
function isSettled(outbox: Outbox | undefined, { seq }: RowRef): boolean {
  try {
    return outbox?.unsentAt([seq]).length === 0;
  } catch (error) {
    if (error instanceof StoreError) return false;
    throw error;
  }
}
