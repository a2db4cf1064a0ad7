/** Tells of a device that gives nothing but noise no more often than a person could hold something before it. */
import type { Clock } from '../protocol/time.ts';
import type { MonotonicMillis } from '../protocol/units.ts';

/** A scanner at the wrong speed, or a defective one, is refused some thousand times a second: each would be a line on the terminal, a sound, a frame for each screen. */
const APART_MS = 1_000;

/** @returns tells of a device's first at once, and of what follows once a second at most, each device for itself. */
export function seldom(clock: Clock, tell: (device: string) => void): (device: string) => void {
  const toldMs = new Map<string, MonotonicMillis>();
  return (device) => {
    const nowMs = clock.monotonic();
    const before = toldMs.get(device);
    if (before !== undefined && nowMs - before < APART_MS) return;
    toldMs.set(device, nowMs);
    tell(device);
  };
}
