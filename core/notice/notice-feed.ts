/**
 * Whom gateways are told of, in RAM: the digest and the end of each noticed card, numbered by when it changed, so that an asker is told what
 * is behind its last answer. It is made anew of core.db at each start; askers then begin anew, too.
 */
import { randomBytes } from 'node:crypto';
import { MOST_NOTICES, type Noticed } from '../../protocol/notice.ts';
import { MOST_IN_PAGE, type NoticeNews, VERSION_FORM } from '../../protocol/notice-news.ts';
import type { Clock } from '../../protocol/time.ts';
import type { EpochMillis } from '../../protocol/units.ts';

interface Change {
  readonly no: number;
  readonly digest: Uint8Array;
  /** `undefined` for one that was withdrawn. */
  readonly endsAtMs: EpochMillis | undefined;
}

/** What is remembered of those that were withdrawn; an asker who was longer away begins anew. */
const MOST_WITHDRAWN = MOST_NOTICES;

export class NoticeFeed {
  readonly #clock: Clock;
  readonly #epoch = randomBytes(8).toString('hex');
  /** By digest, in the order of their numbers: whatever changes goes to the end. */
  readonly #changes = new Map<string, Change>();
  #no = 0;
  #withdrawn = 0;
  /** Of an asker who was told less it is not known any more what was withdrawn since. */
  #knownSince = 0;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Replaces whom it tells of. @param noticed each card once, at most MOST_NOTICES. @returns whether anything changed. */
  set(noticed: readonly Noticed[]): boolean {
    const before = this.#no;
    const named = new Set<string>();
    for (const { digest, endsAtMs } of noticed) {
      const name = nameOf(digest);
      named.add(name);
      if (this.#changes.get(name)?.endsAtMs !== endsAtMs) this.#put(name, digest, endsAtMs);
    }
    for (const [name, { digest, endsAtMs }] of [...this.#changes])
      if (endsAtMs !== undefined && !named.has(name)) this.#put(name, digest, undefined);
    this.#forgetWithdrawn();
    if (this.#no === before) return false;
    for (const wake of [...this.#waiting]) wake();
    return true;
  }

  /**
   * @param after what was told last; anything that this feed did not give begins anew.
   * @returns what changed since; nothing, when nothing did for `waitMs`, or on abort.
   */
  async news(after: string | undefined, waitMs: number, signal: AbortSignal): Promise<NoticeNews> {
    const told = this.#numberIn(after);
    if (told === this.#no) await this.#untilChanged(waitMs, signal);
    return this.#page(told);
  }

  get count(): number {
    return this.#changes.size - this.#withdrawn;
  }

  #page(told: number | undefined): NoticeNews {
    const noticed: Noticed[] = [];
    const withdrawn: Uint8Array[] = [];
    let last = told ?? 0;
    let hasMore = false;
    for (const { no, digest, endsAtMs } of this.#changes.values()) {
      if (no <= (told ?? 0)) continue;
      if (noticed.length + withdrawn.length >= MOST_IN_PAGE) {
        hasMore = true;
        break;
      }
      last = no;
      if (endsAtMs !== undefined) noticed.push({ digest, endsAtMs });
      else if (told !== undefined) withdrawn.push(digest);
    }
    const version = `${this.#epoch}-${hasMore ? last : this.#no}`;
    return { version, isAnew: told === undefined, hasMore, noticed, withdrawn };
  }

  #put(name: string, digest: Uint8Array, endsAtMs: EpochMillis | undefined): void {
    this.#no += 1;
    const before = this.#changes.get(name);
    const wasWithdrawn = before !== undefined && before.endsAtMs === undefined;
    this.#withdrawn += Number(endsAtMs === undefined) - Number(wasWithdrawn);
    this.#changes.delete(name);
    this.#changes.set(name, { no: this.#no, digest, endsAtMs });
  }

  #forgetWithdrawn(): void {
    if (this.#withdrawn <= MOST_WITHDRAWN) return;
    for (const [name, { no, endsAtMs }] of this.#changes) {
      if (this.#withdrawn <= MOST_WITHDRAWN) return;
      if (endsAtMs !== undefined) continue;
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

  #untilChanged(waitMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.#waiting.delete(end);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const cancel = this.#clock.after(waitMs, end);
      this.#waiting.add(end);
      signal.addEventListener('abort', end, { once: true });
    });
  }
}

const nameOf = (digest: Uint8Array): string => Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('latin1');
