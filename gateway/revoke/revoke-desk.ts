/**
 * Hears from the cores which cards their holders took back, sees to it that nothing of them stays or comes in again here, waits for the kiosks
 * to have heard of it, and tells each core how far all that is.
 */
import type { RevocationSource } from '../../core/intake.ts';
import { codeOf, type ErrorCode, HolderError } from '../../protocol/errors.ts';
import { cardOfProof, decodeProof } from '../../protocol/holder.ts';
import type { KioskId, VisitorUuid } from '../../protocol/ids.ts';
import type { Log } from '../../protocol/log.ts';
import {
  MOST_KNOWN,
  MOST_PROGRESS,
  type RevocationReport,
  type TierProgress,
  type ToldRevocation,
} from '../../protocol/revocation-news.ts';
import type { Clock } from '../../protocol/time.ts';
import { Ear } from '../notice/ear.ts';
import type { Registry } from '../registry.ts';
import type { Sinks } from '../sinks/sinks.ts';
import { everySecond } from '../upkeep.ts';
import type { ErasedCard } from './erased-cards.ts';
import type { LedgerEraser } from './ledger-eraser.ts';

export interface RevokeDeskDoors {
  /** The cores, by the names of their sinks; none where nobody tells. */
  readonly sources: ReadonlyMap<string, RevocationSource>;
  readonly registry: Registry;
  readonly eraser: LedgerEraser;
  /** Up to which number of an erased card a kiosk has said to have heard. */
  readonly heardUpTo: (kiosk: KioskId) => number;
  /** The names of all sinks. What one holds that is not the core that asks is pending until it has erased it; for ever where it can not be told. */
  readonly sinks: readonly string[];
  /** Of them, those that can be told, and what they are to be told; to be woken when there is more. */
  readonly elsewhere: Pick<Sinks, 'mayErase' | 'erasures' | 'wake'>;
  readonly clock: Clock;
  readonly log: Log;
}

export class RevokeDesk {
  readonly #doors: RevokeDeskDoors;
  readonly #cores: readonly OneCore[];

  constructor(doors: RevokeDeskDoors) {
    this.#doors = doors;
    this.#cores = [...doors.sources].map(([name, source]) => new OneCore(name, source, doors));
  }

  /** Cores that can not be heard now, by the names of their sinks. */
  unheard(): Readonly<Record<string, ErrorCode>> {
    return Object.fromEntries(this.#cores.flatMap(({ ear }) => (ear.code === undefined ? [] : [[ear.name, ear.code]])));
  }

  /** Until abort; each core with loops of its own, so that one that is slow holds up nobody else. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#doors;
    await Promise.all([
      everySecond(() => this.#look(signal), clock, log, signal, 'revocation'),
      ...this.#cores.flatMap((core) => [core.ear.run(signal), everySecond(() => core.report(), clock, log, signal, 'revocation_report')]),
    ]);
  }

  /** @throws StoreError; the next call goes on. */
  async #look(signal: AbortSignal): Promise<void> {
    for (const core of this.#cores) core.takeHeard();
    const all = this.#doors.registry.erasedCards.all();
    await this.#erase(all, signal);
    if (signal.aborted) return;
    for (const card of all) {
      this.#hearKiosks(card);
      this.#hearSinks(card);
    }
  }

  async #erase(all: readonly ErasedCard[], signal: AbortSignal): Promise<void> {
    const { registry, eraser, elsewhere, clock, log } = this.#doors;
    const { mayErase, erasures } = elsewhere;
    const left = all.filter(({ erasedAtMs }) => erasedAtMs === undefined);
    if (left.length === 0) return;
    const tellers = registry.erasedCards.tellers();
    for (const together of Map.groupBy(left, ({ no }) => (tellers.get(no) ?? []).join(' ')).values()) {
      const nos = together.map(({ no }) => no);
      // The cores that told erase it themselves.
      const knowing = tellers.get(nos[0] ?? 0) ?? [];
      const others = [...mayErase].filter((sink) => !knowing.includes(sink));
      const isSought = registry.erasedCards.findsCardsOf(together.map(({ tombstone }) => tombstone));
      const rows = await eraser.erase(isSought, signal, (going) => erasures.note(others, going));
      if (rows === undefined) return;
      registry.erasedCards.setErased(nos, clock.wall());
      log.info('card.erased', { cards: nos.length, rows });
    }
    elsewhere.wake();
  }

  /** One that has nothing left to erase has erased all of it: what it is to be told is noted before a card counts as erased here. */
  #hearSinks({ no, erasedAtMs, sinks: known }: ErasedCard): void {
    const { registry, elsewhere } = this.#doors;
    const { mayErase, erasures } = elsewhere;
    if (erasedAtMs === undefined) return;
    const done = [...mayErase].filter((sink) => !known.includes(sink) && erasures.count(sink) === 0);
    if (done.length > 0) registry.erasedCards.setSinks(no, done);
  }

  #hearKiosks({ no, unheard }: ErasedCard): void {
    const { registry, heardUpTo } = this.#doors;
    // One whose admission was taken back can not be told any more, and takes no card either.
    const settled = unheard.filter((kiosk) => registry.kiosk(kiosk)?.revokedAtMs !== undefined || heardUpTo(kiosk) >= no);
    if (settled.length > 0) registry.erasedCards.setHeard(no, settled);
  }
}

/** One core: what it told, and what it was told. */
class OneCore {
  readonly ear: Ear<ToldRevocation>;
  readonly #source: RevocationSource;
  readonly #doors: RevokeDeskDoors;
  /** Of which tombstones it knows that they are known here. */
  readonly #known = new Set<string>();
  /** What it was told last, by the number here. */
  readonly #said = new Map<number, string>();

  constructor(name: string, source: RevocationSource, doors: RevokeDeskDoors) {
    this.#source = source;
    this.#doors = doors;
    this.ear = new Ear({
      ...{ name, subject: 'revocations', clock: doors.clock, log: doors.log },
      ask: async (after, waitMs, signal) => {
        const news = await source.revocations(after, waitMs, signal);
        // It was started anew, from a backup perhaps: all is said again.
        if (news.isAnew) this.#sayAnew();
        return news;
      },
      keep: (told) => told,
      stands: () => true,
      onNews: () => {},
    });
  }

  /** Keeps what was heard; of the proofs nothing is left then. @throws StoreError. */
  takeHeard(): void {
    const { registry, clock, log } = this.#doors;
    const { held, name } = this.ear;
    for (const [key, { proof, digest }] of held) {
      const card = this.#cardOf(proof);
      if (card !== undefined) {
        const kiosks = [...registry.kiosks()].filter(({ revokedAtMs }) => revokedAtMs === undefined).map(({ kiosk }) => kiosk);
        if (registry.erasedCards.add(card, { core: name, tombstone: digest }, kiosks, clock.wall()))
          log.info('card.revoked', { kiosks: kiosks.length });
      }
      held.delete(key);
    }
  }

  /** Says what is known here and how far it is, as far as that was not said. @throws StoreError, SinkError; the next call says it. */
  async report(): Promise<void> {
    const { registry } = this.#doors;
    for (;;) {
      const told = registry.erasedCards.toldBy(this.ear.name);
      const known = told
        .flatMap(({ coreTombstone }) => (this.#known.has(textOf(coreTombstone)) ? [] : [coreTombstone]))
        .slice(0, MOST_KNOWN);
      const progress = told
        .map((card) => ({ ...card, tiers: this.#tiersOf(card) }))
        .filter(({ no, tiers }) => this.#said.get(no) !== JSON.stringify(tiers))
        .slice(0, MOST_PROGRESS);
      if (known.length === 0 && progress.length === 0) return;
      const report: RevocationReport = {
        known,
        progress: progress.map(({ coreTombstone, tiers }) => ({ tombstone: coreTombstone, tiers })),
      };
      await this.#source.report(report);
      for (const tombstone of known) this.#known.add(textOf(tombstone));
      for (const { no, tiers } of progress) this.#said.set(no, JSON.stringify(tiers));
    }
  }

  #sayAnew(): void {
    this.#known.clear();
    this.#said.clear();
  }

  #tiersOf({ erasedAtMs, kiosks, unheard, sinks: erased }: ErasedCard): TierProgress[] {
    const others = this.#doors.sinks.filter((sink) => sink !== this.ear.name);
    return [
      { tier: 'gateway', done: erasedAtMs === undefined ? 0 : 1, of: 1 },
      { tier: 'kiosks', done: kiosks - unheard.length, of: kiosks },
      { tier: 'sinks', done: others.filter((sink) => erased.includes(sink)).length, of: others.length },
    ];
  }

  /** @returns `undefined` for what is not what a holder signed: a core can not make this gateway forget for it. */
  #cardOf(text: string): VisitorUuid | undefined {
    try {
      const proof = decodeProof(text);
      if (proof.action !== 'revoke') throw new HolderError('holder.not_proven', 'holder: signed something else');
      return cardOfProof(proof);
    } catch (error) {
      const code = codeOf(error);
      if (code?.startsWith('holder.') !== true && code?.startsWith('decode.') !== true) throw error;
      this.#doors.log.error('card.not_proven', { code, sink: this.ear.name });
      return undefined;
    }
  }
}

const textOf = (tombstone: Uint8Array): string => Buffer.from(tombstone).toString('latin1');
