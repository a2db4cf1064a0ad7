/** Whether a kiosk has anything to scan with. One that has nothing welcomes nobody, and no device of it is down. */
import type { Clock } from '../protocol/time.ts';
import type { MonotonicMillis } from '../protocol/units.ts';
import type { KioskConfig } from './config.ts';

/** Finding scanners takes seconds, and a browser that loads the page anew is away for one. */
const PATIENCE_MS = 15_000;

/**
 * @param hasScreen whether the kiosk's page is open somewhere: a scanner that types may type into it.
 * @returns to be asked with all devices that the kiosk knows of, up or not (one that is gone is told of by itself): whether none of them
 * scans, for 15 s by now.
 */
export function scannerLack(
  { thermometers, sniffers, boards }: Pick<KioskConfig, 'thermometers' | 'sniffers' | 'boards'>,
  clock: Clock,
  hasScreen: () => boolean,
): (devices: readonly { readonly name: string }[]) => boolean {
  const parts = boards.flatMap(({ thermometer }) => thermometer ?? []);
  const others = new Set([...thermometers, ...sniffers, ...boards, ...parts].map(({ name }) => name));
  let sinceMs: MonotonicMillis | undefined;
  return (devices) => {
    const canScan = hasScreen() || devices.some(({ name }) => !others.has(name));
    const nowMs = clock.monotonic();
    sinceMs = canScan ? undefined : (sinceMs ?? nowMs);
    return sinceMs !== undefined && nowMs - sinceMs >= PATIENCE_MS;
  };
}
