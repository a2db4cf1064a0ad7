/**
 * What gateways are told of, in RAM: noticed cards and their ends, or stickers and how they stand, by digest and numbered by when each changed,
 * so that an asker is told what is behind its last answer. It is made anew of core.db at each start; askers then begin anew, too.
 */

import { randomBytes } from 'node:crypto';
import { MOST_NOTICES, type Noticed } from '../../protocol/notice.ts';
import { MOST_IN_PAGE, type News, VERSION_FORM } from '../../protocol/notice-news.ts';
import type { Clock } from '../../protocol/time.ts';
import { Bell } from '../bell.ts';

interface Change<Item> {
  readonly no: number;
  readonly digest: Uint8Array;
  /** `undefined` for one that was withdrawn. */
  readonly item: Item | undefined;
}

interface Told {
  readonly digest: Uint8Array;
  readonly endsAtMs: number;
}

/** What is remembered of those that were withdrawn; an asker who was longer away begins anew. */
const MOST_WITHDRAWN = MOST_NOTICES;

export class NoticeFeed<Item extends Told = Noticed> {
  readonly #bell: Bell;
  readonly #areSame: (one: Item, other: Item) => boolean;
  readonly #epoch = randomBytes(8).toString('hex');
  /** By digest, in the order of their numbers: whatever changes goes to the end. */
  readonly #changes = new Map<string, Change<Item>>();
  #no = 0;
  #withdrawn = 0;
  /** Of an asker who was told less it is not known any more what was withdrawn since. */
  #knownSince = 0;

  /** @param areSame of two of one digest: whether there is nothing to tell. */
  constructor(clock: Clock, areSame: (one: Item, other: Item) => boolean = (one, other) => one.endsAtMs === other.endsAtMs) {
    this.#bell = new Bell(clock);
    this.#areSame = areSame;
  }

  /** Replaces what it tells of. @param noticed each digest once, at most MOST_NOTICES. @returns whether anything changed. */
  set(noticed: readonly Item[]): boolean {
    const named = new Set(noticed.map(({ digest }) => nameOf(digest)));
    const gone = [...this.#changes.values()].filter(({ item, digest }) => item !== undefined && !named.has(nameOf(digest)));
    return this.change(
      noticed,
      gone.map(({ digest }) => digest),
    );
  }

  /** Tells of these, and of the others as before. @param withdrawn digests. @returns whether anything changed. */
  change(noticed: readonly Item[], withdrawn: readonly Uint8Array[]): boolean {
    const before = this.#no;
    for (const item of noticed) {
      const name = nameOf(item.digest);
      const known = this.#changes.get(name)?.item;
      if (known === undefined || !this.#areSame(known, item)) this.#put(name, item.digest, item);
    }
    for (const digest of withdrawn) {
      const name = nameOf(digest);
      if (this.#changes.get(name)?.item !== undefined) this.#put(name, digest, undefined);
    }
    this.#forgetWithdrawn();
    if (this.#no === before) return false;
    this.#bell.ring();
    return true;
  }

  /** Digests of those that changed longest ago, where there are more than so many. */
  beyond(most: number): Uint8Array[] {
    const gone: Uint8Array[] = [];
    let over = this.count - most;
    for (const { digest, item } of this.#changes.values()) {
      if (over <= 0) break;
      if (item === undefined) continue;
      gone.push(digest);
      over -= 1;
    }
    return gone;
  }

  /**
   * @param after what was told last; anything that this feed did not give begins anew.
   * @returns what changed since; nothing, when nothing did for `waitMs`, or on abort.
   */
  async news(after: string | undefined, waitMs: number, signal: AbortSignal): Promise<News<Item>> {
    const told = this.#numberIn(after);
    if (told === this.#no) await this.#bell.wait(waitMs, signal);
    return this.#page(told);
  }

  get count(): number {
    return this.#changes.size - this.#withdrawn;
  }

  #page(told: number | undefined): News<Item> {
    const noticed: Item[] = [];
    const withdrawn: Uint8Array[] = [];
    let last = told ?? 0;
    let hasMore = false;
    for (const { no, digest, item } of this.#changes.values()) {
      if (no <= (told ?? 0)) continue;
      if (noticed.length + withdrawn.length >= MOST_IN_PAGE) {
        hasMore = true;
        break;
      }
      last = no;
      if (item !== undefined) noticed.push(item);
      else if (told !== undefined) withdrawn.push(digest);
    }
    const version = `${this.#epoch}-${hasMore ? last : this.#no}`;
    return { version, isAnew: told === undefined, hasMore, noticed, withdrawn };
  }

  #put(name: string, digest: Uint8Array, item: Item | undefined): void {
    this.#no += 1;
    const before = this.#changes.get(name);
    const wasWithdrawn = before !== undefined && before.item === undefined;
    this.#withdrawn += Number(item === undefined) - Number(wasWithdrawn);
    this.#changes.delete(name);
    this.#changes.set(name, { no: this.#no, digest, item });
  }

  #forgetWithdrawn(): void {
    if (this.#withdrawn <= MOST_WITHDRAWN) return;
    for (const [name, { no, item }] of this.#changes) {
      if (this.#withdrawn <= MOST_WITHDRAWN) return;
      if (item !== undefined) continue;
      this.#changes.delete(name);
      this.#withdrawn -= 1;
      this.#knownSince = no;
    }
  }

  #numberIn(after: string | undefined): number | undefined {
    if (after === undefined || !VERSION_FORM.test(after)) return undefined;
    const [epoch, text] = after.split('-');
    const no = Number(text);
    return epoch === this.#epoch && no <= this.#no && no >= this.#knownSince ? no : undefined;
  }
}

const nameOf = (digest: Uint8Array): string => Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('latin1');
