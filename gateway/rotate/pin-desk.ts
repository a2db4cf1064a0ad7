/** Hears from kiosks' states which of the gateway's keys they know it by, and keeps it. */
import type { KioskId } from '../../protocol/ids.ts';
import type { KioskStateReport } from '../../protocol/kiosk-state.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import type { Kiosk } from '../registry.ts';
import type { PinBook } from './pin-book.ts';

/** How far the kiosks are with the key that follows. */
export interface PinSummary {
  /** When the key that the gateway shows was made; `undefined` for the first. */
  readonly madeAtMs: EpochMillis | undefined;
  /** Admitted kiosks. */
  readonly kiosks: number;
  /** Those of them that know the gateway by that key. */
  readonly followed: number;
  /** Those that have not said that they can follow to another. */
  readonly mayNotFollow: number;
}

export interface PinDeskDoors {
  readonly registry: { readonly pinBook: PinBook; kiosks(): Iterable<Pick<Kiosk, 'kiosk' | 'revokedAtMs'>> };
  /** Of the key that the gateway shows. */
  readonly generation: number;
}

export class PinDesk {
  readonly #doors: PinDeskDoors;
  readonly #known: Map<KioskId, number>;
  /** Said since the last look. */
  readonly #unwritten = new Set<KioskId>();

  /** @throws StoreError. */
  constructor(doors: PinDeskDoors) {
    this.#doors = doors;
    this.#known = doors.registry.pinBook.all();
  }

  /** Hears a kiosk's state. Only what it says of the gateway's key is taken from it. */
  heard(kiosk: KioskId, { isUp, gatewayKey }: KioskStateReport): void {
    if (!isUp || gatewayKey === undefined || this.#known.get(kiosk) === gatewayKey) return;
    this.#known.set(kiosk, gatewayKey);
    this.#unwritten.add(kiosk);
  }

  /** Keeps what was said. To be called every second. @throws StoreError; the next call does what was left. */
  look(): void {
    if (this.#unwritten.size === 0) return;
    this.#doors.registry.pinBook.put([...this.#unwritten].map((kiosk) => [kiosk, this.#known.get(kiosk) ?? 0] as const));
    this.#unwritten.clear();
  }

  summary(): PinSummary {
    const { registry, generation } = this.#doors;
    const admitted = [...registry.kiosks()].filter(({ revokedAtMs }) => revokedAtMs === undefined);
    return {
      madeAtMs: generation === 0 ? undefined : ((generation * 1_000) as EpochMillis),
      kiosks: admitted.length,
      followed: admitted.filter(({ kiosk }) => this.#known.get(kiosk) === generation).length,
      mayNotFollow: admitted.filter(({ kiosk }) => !this.#known.has(kiosk)).length,
    };
  }
}
