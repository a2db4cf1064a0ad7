/**
 * Answers holders, and nobody else: gives challenges, looks at proofs, and does what a proof asks for. From it gateways hear which cards were
 * taken back, and to it they say how far they are.
 */
import { type KeyObject, randomBytes } from 'node:crypto';
import { Bucket, type Rate } from '../../protocol/bucket.ts';
import { codeOf, HolderError } from '../../protocol/errors.ts';
import { cardOfProof, decodeProof, encodeChallenge, type HolderAction, type HolderProof } from '../../protocol/holder.ts';
import type { VisitorUuid } from '../../protocol/ids.ts';
import type { Log } from '../../protocol/log.ts';
import { VERSION_FORM } from '../../protocol/notice-news.ts';
import { MOST_TOLD, type RevocationNews, type RevocationReport } from '../../protocol/revocation-news.ts';
import type { Clock } from '../../protocol/time.ts';
import { Bell } from '../bell.ts';
import { DAY_MS } from '../day.ts';
import type { HolderDoor, HolderNotice, RevocationSource } from '../intake.ts';
import type { CardNames } from '../pseudonym.ts';
import { Challenges } from './challenges.ts';
import type { Eraser } from './eraser.ts';
import { receiptKeyOf, receiptOf, signReceipt } from './receipt.ts';
import type { Revocation, Revocations } from './revocations.ts';
import { Tries } from './tries.ts';

export interface HolderDeskDoors {
  /** 8 bytes: this core as a recipient. */
  readonly core: Uint8Array;
  /** 32 bytes. */
  readonly storeKey: Uint8Array;
  readonly revocations: Revocations;
  readonly eraser: Eraser;
  readonly names: CardNames;
  /** A card is gone from core.db: what is remembered of it elsewhere goes, too. */
  readonly onErased: () => void;
  readonly noticesOf: (card: VisitorUuid) => readonly HolderNotice[];
  /** The numbers of the gateways that send to this core. */
  readonly gateways: () => readonly number[];
  readonly retentionDays: number;
  readonly clock: Clock;
  readonly log: Log;
}

const TRY_AGAIN_MS = 60_000;
/** Tombstones without a card: each has to be looked for among all names. A restored core lacks those of some days. */
const MOST_BARE = 10_000;
/** Kiosks are told the newest 1,500 cards: that strangers fill that takes them a week, and is seen. */
const UNSEEN: Rate = { perSecond: 8 / 3_600, burst: 24 };

export class HolderDesk implements HolderDoor {
  readonly #doors: HolderDeskDoors;
  readonly #challenges: Challenges;
  readonly #tries: Tries;
  readonly #receiptKey: KeyObject;
  readonly #bell: Bell;
  /** Of this start: numbers go on elsewhere after a restore. */
  readonly #epoch = randomBytes(8).toString('hex');
  /** Cards taken back of which nothing was held. */
  readonly #unseen: Bucket;
  #cancelRetry: (() => void) | undefined;
  /** One erasing after the other. */
  #erasing: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(doors: HolderDeskDoors) {
    this.#doors = doors;
    this.#challenges = new Challenges(doors.clock);
    this.#tries = new Tries(doors.clock);
    this.#bell = new Bell(doors.clock);
    this.#unseen = new Bucket(UNSEEN, doors.clock.monotonic());
    this.#receiptKey = receiptKeyOf(doors.storeKey);
  }

  /** Goes on with what a crash, a restore or an unreadable file left to be erased. */
  open(): void {
    this.#eraseLater();
  }

  challenge(): string {
    return encodeChallenge({ core: this.#doors.core, challenge: this.#challenges.make() });
  }

  /** Whether nothing is to be kept under a card any more. */
  isTakenBack(card: VisitorUuid): boolean {
    return this.#doors.revocations.has(card);
  }

  async ask(body: string, from: string, onProved: (action: HolderAction) => void = () => {}): Promise<string> {
    this.#tries.add(from);
    const proof = decodeProof(body);
    if (Buffer.compare(proof.core, this.#doors.core) !== 0)
      throw new HolderError('holder.challenge', 'holder: a challenge of another core');
    this.#challenges.use(proof.challenge);
    const card = cardOfProof(proof);
    if (proof.action === 'revoke') this.#refuseMadeUp(card);
    onProved(proof.action);
    switch (proof.action) {
      case 'read':
        return JSON.stringify(this.#read(card));
      case 'revoke':
        return JSON.stringify({ receipt: await this.#revoke(card, body, proof) });
      case 'receipt':
        return JSON.stringify({ receipt: this.#receiptFor(card) ?? null });
    }
  }

  /** What a gateway is told, and what it says of itself. @param gateway its number. */
  sourceFor(gateway: number): RevocationSource {
    return {
      revocations: (after, waitMs, signal) => this.#news(after, waitMs, signal),
      report: (report) => this.#hear(gateway, report),
    };
  }

  async #news(after: string | undefined, waitMs: number, signal: AbortSignal): Promise<RevocationNews> {
    const { revocations } = this.#doors;
    const told = this.#numberIn(after);
    let found = revocations.untold(told ?? 0, MOST_TOLD);
    if (found.length === 0 && told !== undefined) {
      await this.#bell.wait(waitMs, signal);
      found = this.#isClosed ? [] : revocations.untold(told, MOST_TOLD);
    }
    return {
      version: `${this.#epoch}-${found.at(-1)?.no ?? told ?? 0}`,
      isAnew: told === undefined,
      hasMore: found.length === MOST_TOLD,
      noticed: found.flatMap(({ proof, tombstone }) => (proof === undefined ? [] : [{ proof, digest: tombstone }])),
      withdrawn: [],
    };
  }

  /** @returns `undefined` for what was not told since this start. */
  #numberIn(after: string | undefined): number | undefined {
    if (after === undefined || !VERSION_FORM.test(after)) return undefined;
    const [epoch, no] = after.split('-');
    return epoch === this.#epoch ? Number(no) : undefined;
  }

  #hear(gateway: number, { known, progress }: RevocationReport): void {
    const { revocations, clock } = this.#doors;
    if (known.length > 0) this.#restore(known);
    for (const { tombstone, tiers } of progress) {
      const of = revocations.findTombstone(tombstone);
      if (of !== undefined) revocations.setTiers(of.no, gateway, tiers, clock.wall());
    }
  }

  #restore(known: readonly Uint8Array[]): void {
    const { revocations, clock, log } = this.#doors;
    const room = Math.max(0, MOST_BARE - revocations.bareCount);
    const added = revocations.addTombstones(known, clock.wall(), room);
    if (added === 0) return;
    log.warn('holder.tombstones_restored', { added });
    this.#eraseLater();
  }

  /** Resolves once no erasing is under way. */
  async settled(): Promise<void> {
    await this.#erasing;
  }

  /** What nobody can be told any more is forgotten. @param keptFromMs what came before is past retention everywhere. @throws StoreError. */
  sweep(keptFromMs: number): void {
    this.#doors.revocations.forgetProofsBefore(keptFromMs);
  }

  close(): void {
    this.#isClosed = true;
    this.#bell.ring();
    this.#cancelRetry?.();
  }

  #read(card: VisitorUuid): { readonly notices: readonly HolderNotice[]; readonly revokedAtMs: number | null } {
    const { revocations, noticesOf } = this.#doors;
    const revoked = revocations.find(card);
    return { notices: revoked === undefined ? noticesOf(card) : [], revokedAtMs: revoked?.revokedAtMs ?? null };
  }

  async #revoke(card: VisitorUuid, body: string, { action }: HolderProof): Promise<string> {
    const { revocations, gateways, clock, log } = this.#doors;
    const isNew = revocations.find(card) === undefined;
    revocations.add(card, body, gateways(), clock.wall());
    if (isNew) log.info('holder.revoked', { action });
    this.#bell.ring();
    this.#eraseLater();
    await this.#erasing;
    const receipt = this.#receiptFor(card);
    if (receipt === undefined) throw new TypeError('holder: no receipt of a card that was just taken back');
    return receipt;
  }

  #receiptFor(card: VisitorUuid): string | undefined {
    const { revocations, core, clock, retentionDays } = this.#doors;
    const of = revocations.find(card);
    if (of === undefined) return undefined;
    const backupsUntilMs = of.revokedAtMs + retentionDays * DAY_MS;
    return signReceipt(receiptOf(of, revocations.tiersOf(of.no), { core, nowMs: clock.wall(), backupsUntilMs }), this.#receiptKey);
  }

  /**
   * A key is made in a moment, by anybody, and each card that is taken back is remembered for good: of cards that nothing is held of, only few may be.
   * @throws HolderError `holder.too_often`.
   */
  #refuseMadeUp(card: VisitorUuid): void {
    const { revocations, eraser, names, clock } = this.#doors;
    if (revocations.has(card) || eraser.holds(names.of(card)) || this.#unseen.takeOne(clock.monotonic())) return;
    throw new HolderError('holder.too_often', 'holder: too many cards that were never seen here; later');
  }

  #eraseLater(): void {
    this.#erasing = this.#erasing.then(() => this.#eraseAll());
  }

  async #eraseAll(): Promise<void> {
    const { revocations, log } = this.#doors;
    try {
      const left = revocations.unerased();
      const bare = left.filter(({ proof }) => proof === undefined);
      for (const of of left) if (of.proof !== undefined) await this.#erase(of, [cardOfProof(decodeProof(of.proof))]);
      if (bare.length === 0) return;
      const found = await this.#cardsOf(bare);
      for (const of of bare) await this.#erase(of, found.get(of.no) ?? []);
    } catch (error) {
      if (this.#isClosed) return;
      const code = codeOf(error);
      if (code === undefined) throw error;
      log.error('holder.not_erased', { code });
      this.#tryAgain();
    }
  }

  /** Finds the cards of tombstones that came without a proof: every name in the files is turned back and tried. */
  async #cardsOf(bare: readonly Revocation[]): Promise<Map<number, VisitorUuid[]>> {
    const { eraser, names, revocations } = this.#doors;
    const found = new Map<number, VisitorUuid[]>();
    for await (const name of eraser.cards()) {
      const card = names.cardOf(name);
      const of = revocations.has(card) ? bare.find((one) => revocations.isTombstone(card, one)) : undefined;
      if (of !== undefined) found.set(of.no, [card]);
    }
    return found;
  }

  async #erase(of: Revocation, cards: readonly VisitorUuid[]): Promise<void> {
    const { revocations, eraser, names, clock, log } = this.#doors;
    let unreadableDays = 0;
    for (const card of cards) unreadableDays += (await eraser.erase(names.of(card))).unreadableDays;
    this.#doors.onErased();
    if (unreadableDays === 0) revocations.setErased(of.no, clock.wall());
    else {
      log.error('holder.not_erased', { unreadableDays });
      this.#tryAgain();
    }
  }

  #tryAgain(): void {
    if (this.#isClosed) return;
    this.#cancelRetry?.();
    this.#cancelRetry = this.#doors.clock.after(TRY_AGAIN_MS, () => this.#eraseLater());
  }
}
