/** How far kiosks have followed to other keys of the gateway, in words. Pure. */
import type { PinSummary } from '../rotate/pin-desk.ts';
import type { SealSummary } from '../rotate/seal-desk.ts';
import { plural } from './kiosk-words.ts';
import type { Trouble } from './schema.ts';

/** @returns nothing while the first key is gone by, and once all have followed. */
export function keyTroubles({ madeAtMs, kiosks, followed }: PinSummary): Trouble[] {
  if (madeAtMs === undefined || followed >= kiosks) return [];
  const text = `The gateway has another TLS key: ${followed} of ${plural(kiosks, 'kiosk has', 'kiosks have')} followed.`;
  const advice =
    'The others do by themselves when they are connected: see to those that are off. One of an earlier release has to be updated.';
  return [{ tone: 'look', text, advice, sinceMs: madeAtMs }];
}

/** @returns nothing while the first key is gone by, and once those before the newest are gone. */
export function sealTroubles({ madeAtMs, kiosks, followed, earlier, earlierMayGoAtMs }: SealSummary, nowMs: number): Trouble[] {
  if (madeAtMs === undefined) return [];
  if (followed < kiosks) {
    const text = `Kiosks are to seal for another key: ${followed} of ${plural(kiosks, 'kiosk does', 'kiosks do')}.`;
    const advice =
      'Keep the keys before it (gateway/keys/recipient….key): the page and “vestibule status” name the kiosks that still seal for them.';
    return [{ tone: 'look', text, advice, sinceMs: madeAtMs }];
  }
  if (earlier === 0 || earlierMayGoAtMs === undefined || nowMs < earlierMayGoAtMs) return [];
  const text = `${plural(earlier, 'earlier key of the gateway opens', 'earlier keys of the gateway open')} nothing any more that is here or at a kiosk.`;
  const advice =
    'Erase gateway/keys/recipient….key but the newest, here and in old backups: “vestibule gateway rotate” in the operator’s guide.';
  return [{ tone: 'look', text, advice, sinceMs: earlierMayGoAtMs }];
}
