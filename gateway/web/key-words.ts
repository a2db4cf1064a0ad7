/** How far kiosks have followed to another TLS key of the gateway, in words. Pure. */
import type { PinSummary } from '../rotate/pin-desk.ts';
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
