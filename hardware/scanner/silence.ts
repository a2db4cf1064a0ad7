/** Silence of a device, told apart from a pause of this process or of the machine. */
import type { Clock } from '../../protocol/time.ts';

/** Enough for whoever reads the device to hand on what waits in the kernel. */
const PART_MS = 20;

/**
 * Calls `fire` once after `silenceMs` in which it was not cancelled. When this process stood still (a slow disk, a suspended laptop, a virtual
 * machine whose host is busy), timers are the first thing it sees, before all that came meanwhile: so silence is waited for in parts, one after
 * the other. However long a pause is, it counts as one part, and what came meanwhile cancels the others.
 * @returns cancels it.
 */
export function afterSilence(clock: Clock, silenceMs: number, fire: () => void): () => void {
  let cancel = () => {};
  const wait = (leftMs: number): void => {
    const partMs = Math.min(leftMs, PART_MS);
    cancel = clock.after(partMs, () => (leftMs > partMs ? wait(leftMs - partMs) : fire()));
  };
  wait(silenceMs);
  return () => cancel();
}
