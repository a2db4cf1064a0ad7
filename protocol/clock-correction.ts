/**
 * When did it happen? Pure: a kiosk's stamp, the kiosk's monotonic time when it sent the batch, and the gateway's own time. Never
 * drops an event for its clock: what can not be placed gets a wide uncertainty instead.
 * Source: docs/protocol.md, "Time".
 */
import type { SentAt } from './batch.ts';
import type { Stamp } from './event.ts';
import type { BootId } from './ids.ts';
import type { EpochMillis } from './units.ts';

/** A stamp this far from where the monotonic clock puts it, or from the gateway's present, is not believed. */
export const TOLERANCE_MS = 120_000;
/** What a synced clock may be off: NTP over a venue's network, and the scan's own delay. */
const SYNCED_UNCERTAINTY_MS = 2_000;
/** A batch is on its way for less than this, or it is signed anew. */
const SAME_BOOT_UNCERTAINTY_MS = 120_000;
const UNPLACED_UNCERTAINTY_MS = 86_400_000;
const BOOT_ID_BYTES = 16;
/** The retention limit: an outbox keeps nothing older. */
const OLDEST_MS = 21 * 86_400_000;

export interface CorrectedTime {
  /** Never later than the receipt by more than 2 min, never below 0. */
  readonly atMs: EpochMillis;
  /** The true time lies within `atMs` plus or minus this. */
  readonly uncertaintyMs: number;
  /** `kiosk`: the stamp is believed. `same-boot`: placed by the monotonic clock. `unplaced`: the stamp, clamped. */
  readonly basis: 'kiosk' | 'same-boot' | 'unplaced';
}

/** @param receivedAtMs by the gateway's clock, which is taken to be right. */
export function correct(observed: { readonly stamp: Stamp; readonly sentAt: SentAt; readonly receivedAtMs: EpochMillis }): CorrectedTime {
  const { stamp, sentAt, receivedAtMs } = observed;
  const isSameBoot = isBoot(stamp.bootId, sentAt.bootId) && sentAt.monotonicMs >= stamp.monotonicMs;
  const placedMs = receivedAtMs - (sentAt.monotonicMs - stamp.monotonicMs);
  // What claims to be older than an outbox keeps anything was stamped by a clock that was wrong, whatever it thought of itself.
  const isWithinRetention = stamp.wallMs <= receivedAtMs + TOLERANCE_MS && stamp.wallMs >= receivedAtMs - OLDEST_MS;
  const isPlausible = isSameBoot ? Math.abs(stamp.wallMs - placedMs) <= TOLERANCE_MS : isWithinRetention;
  if (stamp.clock === 'synced' && isPlausible) return { atMs: stamp.wallMs, uncertaintyMs: SYNCED_UNCERTAINTY_MS, basis: 'kiosk' };
  if (isSameBoot) {
    return { atMs: Math.max(placedMs, 0) as EpochMillis, uncertaintyMs: SAME_BOOT_UNCERTAINTY_MS, basis: 'same-boot' };
  }
  const atMs = Math.max(receivedAtMs - OLDEST_MS, Math.min(stamp.wallMs, receivedAtMs)) as EpochMillis;
  return { atMs, uncertaintyMs: UNPLACED_UNCERTAINTY_MS, basis: 'unplaced' };
}

/** Asked for each row: by Node's own comparison it takes ten times as long, most of it to get there. */
export function isBoot(one: BootId, other: BootId): boolean {
  for (let at = 0; at < BOOT_ID_BYTES; at++) if (one[at] !== other[at]) return false;
  return true;
}
