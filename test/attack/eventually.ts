/** Waits in real time, leaving the processor to those that are waited for: attacks are measured in seconds. */
import { systemClock } from '../../protocol/time.ts';

const LOOK_EVERY_MS = 5;
const LONGEST_MS = 120_000;
const never = new AbortController().signal;

export const pause = (ms: number): Promise<void> => systemClock.sleep(ms, never);

/** @returns once `isSo()` is true. @throws when it is not within two minutes. */
export async function eventually(what: string, isSo: () => boolean): Promise<void> {
  const fromMs = systemClock.monotonic();
  while (!isSo()) {
    if (systemClock.monotonic() - fromMs > LONGEST_MS) throw new Error(`waited two minutes for: ${what}`);
    await pause(LOOK_EVERY_MS);
  }
}
