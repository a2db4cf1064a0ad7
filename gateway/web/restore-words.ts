/** How far a restore has come, and whether the second place would serve for one: in words, and what to do about it. */
import type { SecondPlaceState } from '../backup/second-place.ts';
import type { Registry } from '../registry.ts';
import type { WordsFor } from './error-words.ts';
import { plural } from './kiosk-words.ts';
import type { GatewayView, Trouble } from './schema.ts';

export type Restored = NonNullable<GatewayView['restored']>;

/** No kiosk keeps what a restore asks for longer than that. */
const TOLD_MS = 21 * 86_400_000;
/** A disk that is mounted again, a network that comes back. */
const PATIENCE_MS = 60_000;
const LONG_MS = 3_600_000;

/** @returns `undefined` for a gateway that was not brought back from a backup lately. @throws StoreError. */
export function restoredOf(registry: Pick<Registry, 'restoreBook' | 'kiosks'>, nowMs: number): Restored | undefined {
  const restore = registry.restoreBook.newest();
  if (restore === undefined || nowMs - restore.restoredAtMs > TOLD_MS) return undefined;
  const done = registry.restoreBook.sentAgain(restore.version);
  const { backupAtMs, restoredAtMs } = restore;
  const asked = [...registry.kiosks()].filter(({ revokedAtMs, admittedAtMs }) => revokedAtMs === undefined && admittedAtMs <= restoredAtMs);
  return { backupAtMs, restoredAtMs, kiosks: asked.length, sentAgain: asked.filter(({ kiosk }) => done.has(kiosk)).length };
}

export function restoreTroubles(restored: Restored | undefined): Trouble[] {
  if (restored === undefined || restored.sentAgain >= restored.kiosks) return [];
  const text = `Brought back from a backup: ${restored.sentAgain} of ${plural(restored.kiosks, 'kiosk has', 'kiosks have')} sent again what came since.`;
  const advice = 'The others do when they are connected. A kiosk keeps it for 48 hours of running: see to those that are off.';
  return [{ tone: 'look', text, advice, sinceMs: restored.restoredAtMs }];
}

export function placeTroubles(place: SecondPlaceState | undefined, words: WordsFor, nowMs: number): Trouble[] {
  const sinceMs = place?.staleSinceMs;
  if (sinceMs === undefined || nowMs - sinceMs < PATIENCE_MS) return [];
  const why = place?.code === undefined ? 'it does not answer.' : words(place.code).meaning;
  const text = `The second place of the log of revocations is behind: ${why}`;
  const advice = 'See that its disk is there and writable. A restore now would bring back what was revoked since.';
  return [
    { tone: nowMs - sinceMs < LONG_MS ? 'look' : 'act', text, advice, sinceMs, ...(place?.code === undefined ? {} : { code: place.code }) },
  ];
}
