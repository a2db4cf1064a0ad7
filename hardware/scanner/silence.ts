/** Silence of a device, told apart from a pause of this process. */
import type { Clock } from '../../protocol/time.ts';

/** Enough for the event loop to take what waits in the kernel. */
const LOOK_AGAIN_MS = 20;

/**
 * Calls `fire` once after `silenceMs` in which it was not cancelled. When this process stood still (a slow disk, a suspended laptop), timers are
 * the first thing it sees, before all that came meanwhile: so the last LOOK_AGAIN_MS are waited for apart, and what came cancels them.
 * @param silenceMs more than LOOK_AGAIN_MS. @returns cancels it.
 */
export function afterSilence(clock: Clock, silenceMs: number, fire: () => void): () => void {
  let cancel = clock.after(silenceMs - LOOK_AGAIN_MS, () => {
    cancel = clock.after(LOOK_AGAIN_MS, fire);
  });
  return () => cancel();
}
