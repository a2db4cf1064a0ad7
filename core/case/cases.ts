/**
 * Cases and the stickers that make them. What kiosks say of stickers is kept as it was said, and what follows is worked out anew from all of
 * it: the same set gives the same cases, in whatever order it came. A health officer's decision outweighs what a source says.
 */
import { createHash } from 'node:crypto';
import { STICKER_LIFE_MS } from '../../protocol/clinic.ts';
import { CaseError, type ErrorCode } from '../../protocol/errors.ts';
import type { StickerLink, StickerResult, TestResult } from '../../protocol/event.ts';
import type { VenueId, VisitorUuid } from '../../protocol/ids.ts';
import type { Log } from '../../protocol/log.ts';
import type { StickerNews as News } from '../../protocol/notice-news.ts';
import type { Clock } from '../../protocol/time.ts';
import type { PlacedEvent } from '../accept.ts';
import type { Notes } from '../notes.ts';
import type { CardNames, CardPseudonym } from '../pseudonym.ts';
import { type Db, inStore, prepared } from '../sqlite.ts';
import type { Case, CaseState } from './case.ts';
import { CaseBook, type CaseSaid } from './case-book.ts';
import { StickerNames } from './sticker-name.ts';
import { StickerNews } from './sticker-news.ts';
import { Stickers, type Verdict } from './stickers.ts';

export interface CasePolicy {
  /** How long after its link a result counts for a sticker. */
  readonly stickerLifeMs: number;
  /** Whether a confirmed high-temperature flag makes a suspected case of its card. */
  readonly areFlaggedSuspected: boolean;
}

/** A flag alone is weak evidence: docs/decisions/0028-cases.md. */
export const DEFAULT_CASE_POLICY: CasePolicy = { stickerLifeMs: STICKER_LIFE_MS.usual, areFlaggedSuspected: false };

export interface CaseParts {
  /** core.db. */
  readonly db: Db;
  readonly notes: Notes;
  readonly names: CardNames;
  /** 32 bytes, of `CoreKeys`. */
  readonly pseudonymKey: Uint8Array;
  readonly policy: CasePolicy;
  readonly clock: Clock;
  readonly log: Log;
}

/** A row of a kiosk about a sticker. */
export type StickerRow = PlacedEvent & { readonly event: StickerLink | StickerResult };

export const isStickerRow = (row: PlacedEvent): row is StickerRow =>
  row.event.type === 'sticker-link' || row.event.type === 'sticker-result';

/** What a clinician says over REST. */
export interface ResultToRecord {
  /** 16 bytes. */
  readonly sticker: Uint8Array;
  readonly result: TestResult;
  /** Who was admitted; no name. */
  readonly recorder: string;
  /** The same request again, with the same key, changes nothing. */
  readonly key: string;
  readonly venue: VenueId | undefined;
}

export interface CaseToRaise {
  readonly card: VisitorUuid;
  readonly state: 'suspected' | 'confirmed';
  readonly source: 'officer' | 'partner';
  /** Who says so, and by which of their requests. */
  readonly by: string;
  readonly key: string;
  readonly confirmedAtMs?: number | undefined;
  readonly testedAtMs?: number | undefined;
  readonly onsetAtMs?: number | undefined;
  readonly region?: string | undefined;
}

export class Cases {
  readonly #parts: CaseParts;
  readonly #stickers: Stickers;
  readonly #stickerNames: StickerNames;
  readonly #book: CaseBook;
  readonly #news: StickerNews;
  readonly #listeners = new Set<() => void>();
  #hasChanged = false;

  constructor(parts: CaseParts) {
    this.#parts = parts;
    this.#stickers = new Stickers(parts.db);
    this.#stickerNames = new StickerNames(parts.pseudonymKey);
    this.#book = new CaseBook(parts.db);
    const { clock, policy } = parts;
    this.#news = new StickerNews({ stickers: this.#stickers, names: this.#stickerNames, lifeMs: policy.stickerLifeMs, clock });
  }

  /** What gateways are told of stickers, as `NoticeSource.stickerNews`. */
  stickerNews(after: string | undefined, waitMs: number, signal: AbortSignal): Promise<News> {
    return this.#news.news(after, waitMs, signal);
  }

  /** @param heard told right after each commit that changed a case; must not throw. @returns ends it. */
  onChanged(heard: () => void): () => void {
    this.#listeners.add(heard);
    return () => this.#listeners.delete(heard);
  }

  /** Within the caller's transaction: keeps a kiosk's row, and what follows of it. Twice changes nothing. `told` is to be called behind the commit. */
  note(row: StickerRow, atMs: number): void {
    const { event, placement } = row;
    const origin = originOf(row);
    const sticker = this.#stickerNames.of(event.sticker);
    const { venue } = placement;
    const isNew =
      event.type === 'sticker-link'
        ? this.#stickers.addLink({ origin, sticker, card: this.#parts.names.of(event.card), atMs, venue })
        : this.#stickers.addResult({ origin, sticker, recorder: hexOf(event.clinician), result: event.result, atMs, venue });
    if (!isNew) return;
    const verdict = this.#judge(sticker);
    if (verdict.isConflicting) this.#setAside(row, sticker, 'case.conflict');
    if (verdict.state === 'expired') this.#setAside(row, sticker, 'case.expired');
  }

  /**
   * Within the caller's transaction, as `note`: makes suspected cases of cards with a confirmed flag, and takes those back whose flag was cleared,
   * where the core's policy or the venue's says so.
   */
  judgeFlags(): void {
    const { db, policy, clock } = this.#parts;
    type Row = { origin: string; card: Uint8Array; state: string; raised_at_ms: number };
    for (const { origin, card, state, raised_at_ms } of inStore(
      'core.db',
      () => prepared(db, FLAGGED).all(Number(policy.areFlaggedSuspected)) as Row[],
    )) {
      const name = `flag:${origin}`;
      if (state !== 'confirmed') this.#changed(this.#book.withdraw(name, clock.wall()));
      else
        this.#say({
          ...{ card: new Uint8Array(card) as CardPseudonym, source: 'temperature-flag', origin: name, said: 'suspected' },
          onsetAtMs: raised_at_ms,
        });
    }
  }

  /** Tells whoever listens of what has changed of stickers and cases: behind the commit that changed it. */
  told(): void {
    this.#news.told();
    if (!this.#hasChanged) return;
    this.#hasChanged = false;
    for (const heard of this.#listeners) heard();
  }

  /** What was changed and not committed is no news. */
  forgetChanges(): void {
    this.#news.forgetChanges();
    this.#hasChanged = false;
  }

  /**
   * Records a result over REST. Durable when it returns; the same request again changes nothing.
   * @returns what holds of the sticker now. @throws CaseError `case.unknown_sticker` for one that no clinic has linked, `case.void`,
   * `case.expired`, `case.conflict` when another result stands: then nothing was recorded; StoreError.
   */
  record({ sticker, result, recorder, key, venue }: ResultToRecord): Verdict['state'] {
    const name = this.#stickerNames.of(sticker);
    const atMs = this.#parts.clock.wall();
    return this.#commit(() => {
      const origin = `rest:${recorder}/${key}/${hexOf(name)}/${result}`;
      const said = { origin, sticker: name, recorder, result, atMs, venue };
      const before = this.#stickers.judge(name, this.#parts.policy.stickerLifeMs);
      if (before.link === undefined && before.state !== 'expired' && result !== 'void')
        throw new CaseError('case.unknown_sticker', 'sticker: no clinic has linked it to a card');
      if (!this.#stickers.addResult(said)) return before.state;
      // Thrown, so that what does not count is not kept.
      if (before.state === 'void' && result !== 'void') throw new CaseError('case.void', 'sticker: it was voided');
      const after = this.#judge(name);
      if (result !== 'void' && after.state === 'expired')
        throw new CaseError('case.expired', 'sticker: it was linked too long ago for a result');
      if (result !== 'void' && after.state !== result) throw new CaseError('case.conflict', 'sticker: another result is recorded');
      return after.state;
    });
  }

  /**
   * Raises a case that an officer or a partner speaks of. Durable when it returns; the same request again gives the same case.
   * @throws CaseError `case.key_used` for another one under the same key; StoreError.
   */
  raise({ card, state, source, by, key, ...rest }: CaseToRaise): Case {
    const origin = `${source}:${by}/${key}`;
    const isConfirmed = state === 'confirmed';
    const confirmedAtMs = isConfirmed ? rest.confirmedAtMs : undefined;
    const said = { ...rest, card: this.#parts.names.of(card), source, origin, said: state, confirmedAtMs };
    return this.#commit(() => {
      const known = this.#book.ofOrigin(origin);
      if (known !== undefined) {
        // To answer with the other's case would say that this one is raised.
        if (!this.#book.isSaid(said))
          throw new CaseError('case.key_used', 'case: the key is of another request; a new one needs a key of its own');
        return known;
      }
      this.#say(isConfirmed ? { ...said, confirmedAtMs: confirmedAtMs ?? this.#parts.clock.wall() } : said);
      const raised = this.#book.ofOrigin(origin);
      if (raised === undefined) throw new TypeError('cases: one that was just raised is not there');
      return raised;
    });
  }

  /** A health officer decides on a case. Durable when it returns. @returns the case; `undefined` when there is none of that number. @throws StoreError. */
  decide(id: number, state: CaseState, { onsetAtMs }: { readonly onsetAtMs?: number | undefined } = {}): Case | undefined {
    const nowMs = this.#parts.clock.wall();
    return this.#commit(() => {
      const times = { ...(state === 'confirmed' ? { confirmedAtMs: nowMs } : {}), ...(onsetAtMs === undefined ? {} : { onsetAtMs }) };
      this.#changed(this.#book.decide(id, state, times, nowMs));
      return this.#book.find(id);
    });
  }

  /** @returns where a sticker was linked; `undefined` for one that was not. */
  venueOfSticker(sticker: Uint8Array): VenueId | undefined {
    return this.#stickers.judge(this.#stickerNames.of(sticker), this.#parts.policy.stickerLifeMs).link?.venue;
  }

  find(id: number): Case | undefined {
    return this.#book.find(id);
  }

  /** Suspected and confirmed ones, by number. */
  open(): Case[] {
    return this.#book.open();
  }

  /** By number, dismissed ones too: at most `limit` behind `afterId`. */
  list(afterId: number, limit: number): Case[] {
    return this.#book.list(afterId, limit);
  }

  /** Stickers that clinics' desks are told of. */
  get stickersTold(): number {
    return this.#news.count;
  }

  counts(): Readonly<Record<CaseState, number>> {
    return this.#book.counts();
  }

  /** Forgets what was said before, and the cases that came of it. @throws StoreError. */
  sweep(keptFromMs: number): void {
    this.#commit(() => {
      for (const name of this.#stickers.sweep(keptFromMs)) this.#news.note(name);
      this.#changed(this.#book.sweep(keptFromMs) > 0);
    });
  }

  #judge(sticker: Uint8Array): Verdict {
    this.#news.note(sticker);
    const verdict = this.#stickers.judge(sticker, this.#parts.policy.stickerLifeMs);
    const { state, link, result } = verdict;
    const origin = `sticker:${hexOf(sticker)}`;
    if (state === 'positive' && link !== undefined && result !== undefined) {
      const times = { confirmedAtMs: result.atMs, testedAtMs: link.atMs };
      this.#say({ card: link.name, source: 'sticker', origin, said: 'confirmed', ...times, venue: result.venue ?? link.venue });
      return verdict;
    }
    // Of a link that retention has dropped nothing more is known: what was concluded of it then stands, unless it is voided.
    if (link !== undefined || state === 'void') this.#changed(this.#book.withdraw(origin, this.#parts.clock.wall()));
    return verdict;
  }

  #say(said: CaseSaid): void {
    this.#changed(this.#book.put(said, this.#parts.clock.wall()));
  }

  #changed(isSo: boolean): void {
    if (isSo) this.#hasChanged = true;
  }

  /** Named once for each sticker and reason, whichever of its rows came first. */
  #setAside({ stream, seq, receivedAtMs }: StickerRow, sticker: Uint8Array, reason: ErrorCode): void {
    const { notes, log } = this.#parts;
    const fingerprint = new Uint8Array(createHash('sha256').update(`${reason}\0`).update(sticker).digest().subarray(0, 16));
    notes.addSetAside({ fingerprint, position: 0, kiosk: stream.kiosk, seq, reason, receivedAtMs });
    log.warn('sticker.set_aside', { kiosk: stream.kiosk, seq, reason });
  }

  #commit<T>(work: () => T): T {
    try {
      const done = inStore('core.db', () => this.#parts.db.transaction(work)());
      this.told();
      return done;
    } catch (error) {
      this.forgetChanges();
      throw error;
    }
  }
}

/** Flags and the readings that they stand on, whichever of them came first. */
const FLAGGED = `SELECT kiosk || '/' || hex(key_id) || '/' || flag.seq AS origin, card, state, raised_at_ms
  FROM flag JOIN high_reading ON high_reading.stream = flag.stream AND high_reading.seq = flag.seq JOIN stream ON stream.id = flag.stream
  WHERE high_reading.is_suspected OR ?`;

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const originOf = ({ stream, seq }: StickerRow): string => `row:${stream.kiosk}/${hexOf(stream.keyId)}/${seq}`;
