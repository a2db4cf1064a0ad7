/**
 * Hears from the core which cards their holders took back, sees to it that nothing of them stays or comes in again here, waits for the kiosks
 * and the sinks to have heard of it, and tells the core how far all that is.
 */
import type { RevocationSource, TierProgress } from '../../core/intake.ts';
import { codeOf } from '../../protocol/errors.ts';
import { cardOfProof, decodeProof } from '../../protocol/holder.ts';
import type { KioskId } from '../../protocol/ids.ts';
import type { Log } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import type { Registry } from '../registry.ts';
import type { ErasedCard } from './erased-cards.ts';
import type { LedgerEraser } from './ledger-eraser.ts';

export interface RevokeDeskDoors {
  /** `undefined` where no core tells. */
  readonly source: RevocationSource | undefined;
  readonly registry: Registry;
  readonly eraser: LedgerEraser;
  /** Up to which number of an erased card a kiosk has said to have heard. */
  readonly heardUpTo: (kiosk: KioskId) => number;
  /** Sinks elsewhere. Nobody there can be told yet: what they hold stays pending until their own retention ends it. */
  readonly farSinks: number;
  readonly clock: Clock;
  readonly log: Log;
}

export class RevokeDesk {
  readonly #doors: RevokeDeskDoors;
  /** Of the core's: all up to here are known. */
  #after = 0;
  #hasSaidKnown = false;
  /** What the core was told last, by the number here. */
  readonly #said = new Map<number, string>();

  constructor(doors: RevokeDeskDoors) {
    this.#doors = doors;
  }

  /** To be called every second; asks one question of the core when there is nothing to do. @throws StoreError, SinkError; the next call goes on. */
  async look(signal: AbortSignal): Promise<void> {
    await this.#hear();
    const all = this.#doors.registry.erasedCards.all();
    await this.#erase(all, signal);
    if (signal.aborted) return;
    for (const card of all) this.#hearKiosks(card);
    await this.#say();
  }

  async #hear(): Promise<void> {
    const { source, registry, clock, log } = this.#doors;
    if (source === undefined) return;
    if (!this.#hasSaidKnown) await source.known(registry.erasedCards.all().map(({ coreTombstone }) => coreTombstone));
    this.#hasSaidKnown = true;
    for (const told of await source.revocations(this.#after)) {
      this.#after = told.no;
      try {
        const card = cardOfProof(decodeProof(told.proof));
        const kiosks = [...registry.kiosks()].filter(({ revokedAtMs }) => revokedAtMs === undefined).map(({ kiosk }) => kiosk);
        if (registry.erasedCards.add(card, told.tombstone, kiosks, clock.wall())) log.info('card.revoked', { kiosks: kiosks.length });
      } catch (error) {
        const code = codeOf(error);
        if (code?.startsWith('holder.') !== true && code?.startsWith('decode.') !== true) throw error;
        // Not what a holder signed: a core can not make this gateway forget for it.
        log.error('card.not_proven', { code });
      }
    }
  }

  async #erase(all: readonly ErasedCard[], signal: AbortSignal): Promise<void> {
    const { registry, eraser, clock, log } = this.#doors;
    const left = all.filter(({ erasedAtMs }) => erasedAtMs === undefined);
    if (left.length === 0) return;
    const rows = await eraser.erase(registry.erasedCards.findsCardsOf(left.map(({ tombstone }) => tombstone)), signal);
    if (rows === undefined) return;
    registry.erasedCards.setErased(
      left.map(({ no }) => no),
      clock.wall(),
    );
    log.info('card.erased', { cards: left.length, rows });
  }

  #hearKiosks({ no, unheard }: ErasedCard): void {
    const { registry, heardUpTo } = this.#doors;
    // One whose admission was taken back can not be told any more, and takes no card either.
    const settled = unheard.filter((kiosk) => registry.kiosk(kiosk)?.revokedAtMs !== undefined || heardUpTo(kiosk) >= no);
    if (settled.length > 0) registry.erasedCards.setHeard(no, settled);
  }

  async #say(): Promise<void> {
    const { source, registry, farSinks } = this.#doors;
    if (source === undefined) return;
    for (const { no, coreTombstone, erasedAtMs, kiosks, unheard } of registry.erasedCards.all()) {
      const tiers: TierProgress[] = [
        { tier: 'gateway', done: erasedAtMs === undefined ? 0 : 1, of: 1 },
        { tier: 'kiosks', done: kiosks - unheard.length, of: kiosks },
        { tier: 'sinks', done: 0, of: farSinks },
      ];
      const said = JSON.stringify(tiers);
      if (this.#said.get(no) === said) continue;
      await source.progress({ tombstone: coreTombstone, tiers });
      this.#said.set(no, said);
    }
  }
}
