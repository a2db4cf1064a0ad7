/** The cards that were reported lost, in the registry's file: the digest of each and when, never the card. */
import { ConfigError } from '../../protocol/errors.ts';
import type { VisitorUuid } from '../../protocol/ids.ts';
import { lostDigestOf, MOST_LOST_CARDS } from '../../protocol/lost-card.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import type { Change, RevocationLog } from '../backup/revocation-log.ts';
import { type Db, translating } from '../database.ts';

export class LostList {
  readonly #db: Db;
  readonly #revocations: RevocationLog;
  readonly #onChange: () => void;

  /** @param db the registry's. @param revocations told of each change before it stands. @param onChange told after each change made here. */
  constructor(db: Db, revocations: RevocationLog, onChange: () => void) {
    this.#db = db;
    this.#revocations = revocations;
    this.#onChange = onChange;
  }

  /** Adds all of them, or none. @returns how many were not reported before. @throws ConfigError `config.invalid` past 10,000 in all; StoreError. */
  add(cards: readonly VisitorUuid[], nowMs: EpochMillis): number {
    return this.#write(() => {
      const insert = this.#db.prepare('INSERT INTO lost_cards (digest, reported_at_ms) VALUES (?, ?) ON CONFLICT DO NOTHING');
      const added = cards.reduce((sum, card) => sum + insert.run(lostDigestOf(card), nowMs).changes, 0);
      if (this.count() > MOST_LOST_CARDS)
        throw new ConfigError('config.invalid', `lost cards: more than ${MOST_LOST_CARDS} do not fit on the list`);
      this.#revocations.add(...cards.map((card) => ({ kind: 'lost' as const, atMs: nowMs, digest: lostDigestOf(card) })));
      return added;
    });
  }

  /** @returns false when it was not on the list. @throws StoreError. */
  remove(card: VisitorUuid, nowMs: EpochMillis): boolean {
    const digest = lostDigestOf(card);
    return this.#write(() => {
      const isRemoved = this.#db.prepare('DELETE FROM lost_cards WHERE digest = ?').run(digest).changes > 0;
      if (isRemoved) this.#revocations.add({ kind: 'found', atMs: nowMs, digest });
      return isRemoved;
    });
  }

  /** Does again what was done after the backup that this list is of. Past the bound of the list, later ones are left out. @throws StoreError. */
  replay({ kind, digest, atMs }: Extract<Change, { kind: 'lost' | 'found' }>): void {
    this.#write(() => {
      if (kind === 'found') this.#db.prepare('DELETE FROM lost_cards WHERE digest = ?').run(digest);
      else if (this.count() < MOST_LOST_CARDS)
        this.#db.prepare('INSERT INTO lost_cards (digest, reported_at_ms) VALUES (?, ?) ON CONFLICT DO NOTHING').run(digest, atMs);
    });
  }

  has(card: VisitorUuid): boolean {
    return translating(
      'registry',
      () => this.#db.prepare('SELECT 1 FROM lost_cards WHERE digest = ?').get(lostDigestOf(card)) !== undefined,
    );
  }

  count(): number {
    return translating('registry', () => this.#db.prepare('SELECT count(*) FROM lost_cards').pluck().get() as number);
  }

  /** 16 bytes each, as `lostDigestOf` gives them; at most 10,000. */
  digests(): Uint8Array[] {
    return translating('registry', () => this.#db.prepare('SELECT digest FROM lost_cards').pluck().all() as Uint8Array[]);
  }

  #write<T>(work: () => T): T {
    const done = translating('registry', () => this.#db.transact(work));
    this.#onChange();
    return done;
  }
}
