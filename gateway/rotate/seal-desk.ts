/**
 * Sees by what kiosks send which of them seal for the gateway's newest key, and says when those before it are of no use any more. What a kiosk
 * says of itself is not gone by: a batch under a key record that names the newest key is the proof.
 */
import type { KioskId } from '../../protocol/ids.ts';
import { recipientsIn } from '../../protocol/key-record.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import type { Identity } from '../identity.ts';
import type { Decided } from '../ingest.ts';
import type { Kiosk } from '../registry.ts';
import type { SealBook } from './seal-book.ts';

const DAY_MS = 86_400_000;
/** As long as a kiosk keeps what it could not deliver. */
const KIOSK_KEEPS_MS = 21 * DAY_MS;

/** How far kiosks are with the key for which they seal. */
export interface SealSummary {
  /** When the newest was made; `undefined` for the first. */
  readonly madeAtMs: EpochMillis | undefined;
  /** Admitted kiosks. */
  readonly kiosks: number;
  /** Those of them that have sealed for it; all, for the first. */
  readonly followed: number;
  /** How many keys before it are here. */
  readonly earlier: number;
  /** From when on nothing is here or at a kiosk that they would have to open; `undefined` while a kiosk has not followed, and where there is none. */
  readonly earlierMayGoAtMs: EpochMillis | undefined;
}

export interface SealDeskDoors {
  readonly registry: { readonly sealBook: SealBook; kiosks(): Iterable<Pick<Kiosk, 'kiosk' | 'revokedAtMs'>> };
  readonly identity: Pick<Identity, 'recipient' | 'recipientMadeAtMs' | 'holders'>;
  readonly retentionDays: number;
}

export class SealDesk {
  readonly #doors: SealDeskDoors;
  readonly #followed: Map<KioskId, EpochMillis>;
  /** Content keys that were looked at and are sealed for an earlier one: the last of each kiosk, so that each is read once. */
  readonly #earlierKeys = new Map<KioskId, string>();
  readonly #unwritten = new Set<KioskId>();

  /** @throws StoreError. */
  constructor(doors: SealDeskDoors) {
    this.#doors = doors;
    this.#followed = new Map(doors.registry.sealBook.followed(doors.identity.recipient.id).map(({ kiosk, sinceMs }) => [kiosk, sinceMs]));
  }

  /** Looks at what was taken, after its commit. */
  decided(decided: readonly Decided[]): void {
    const { recipient, recipientMadeAtMs } = this.#doors.identity;
    if (recipientMadeAtMs === undefined) return;
    for (const { kiosk, decision } of decided) {
      if (decision.kind !== 'taken' || this.#followed.has(kiosk.kiosk)) continue;
      const key = Buffer.from(decision.batch.keyId).toString('latin1');
      if (this.#earlierKeys.get(kiosk.kiosk) === key) continue;
      if (recipientsIn(decision.batch.keyRecord).some((id) => Buffer.compare(id, recipient.id) === 0)) {
        this.#earlierKeys.delete(kiosk.kiosk);
        this.#followed.set(kiosk.kiosk, decision.receivedAtMs);
        this.#unwritten.add(kiosk.kiosk);
      } else this.#earlierKeys.set(kiosk.kiosk, key);
    }
  }

  /** @returns when the newest key was made, of a kiosk that has not sealed for it yet; `undefined` of the others. */
  behindSinceMs(kiosk: KioskId): EpochMillis | undefined {
    return this.#followed.has(kiosk) ? undefined : this.#doors.identity.recipientMadeAtMs;
  }

  /** Keeps what was seen. To be called every second. @throws StoreError; the next call does what was left. */
  look(): void {
    if (this.#unwritten.size === 0) return;
    const { registry, identity } = this.#doors;
    const seen = [...this.#unwritten].map((kiosk) => ({ kiosk, sinceMs: this.#followed.get(kiosk) ?? (0 as EpochMillis) }));
    registry.sealBook.put(identity.recipient.id, seen);
    this.#unwritten.clear();
  }

  summary(): SealSummary {
    const { registry, identity, retentionDays } = this.#doors;
    const madeAtMs = identity.recipientMadeAtMs;
    const earlier = identity.holders.length - 1;
    const admitted = [...registry.kiosks()].filter(({ revokedAtMs }) => revokedAtMs === undefined);
    const followed = admitted.filter(({ kiosk }) => this.behindSinceMs(kiosk) === undefined).length;
    const isOver = madeAtMs !== undefined && earlier > 0 && followed === admitted.length;
    const lastMs = Math.max(madeAtMs ?? 0, ...this.#followed.values());
    const earlierMayGoAtMs = isOver ? ((lastMs + KIOSK_KEEPS_MS + retentionDays * DAY_MS) as EpochMillis) : undefined;
    return { madeAtMs, kiosks: admitted.length, followed, earlier, earlierMayGoAtMs };
  }
}
