/**
 * Tells every admitted kiosk for which cards there are notices, and a clinic's desk which stickers are of no more use: hears it from the cores, keeps it in RAM alone, and publishes a document of its
 * own for each kiosk, retained, whenever something has changed for it. It spends one part in twenty of its time on that at most.
 */
import { type KeyObject, randomBytes } from 'node:crypto';
import type { NoticeSource } from '../../core/intake.ts';
import { codeOf, type ErrorCode } from '../../protocol/errors.ts';
import type { DeploymentId, KioskId } from '../../protocol/ids.ts';
import type { KioskStateReport } from '../../protocol/kiosk-state.ts';
import type { Log } from '../../protocol/log.ts';
import { FILTER_KEY_BYTES } from '../../protocol/marks.ts';
import {
  encodeNotice,
  endStep,
  GREATEST_NOTICE_VERSION,
  groupNotices,
  layOutNotices,
  MOST_NOTICES,
  type Noticed,
  type NoticeRuns,
} from '../../protocol/notice.ts';
import { MOST_STICKERS, markStickers, TOLD_STANDINGS, type ToldSticker } from '../../protocol/sticker-mark.ts';
import type { Clock } from '../../protocol/time.ts';
import { DELIVERY, topicOf } from '../../protocol/topics.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import type { Kiosk } from '../registry.ts';
import { SteadyLog } from '../steady-log.ts';
import { Ear } from './ear.ts';

export interface NoticeDeskDoors {
  /** The cores, by the names of their sinks; none where nobody traces. */
  readonly sources: ReadonlyMap<string, NoticeSource>;
  readonly registry: { revision(): number; kiosks(): Iterable<Pick<Kiosk, 'kiosk' | 'role' | 'revokedAtMs'>> };
  readonly deployment: DeploymentId;
  /** Ed25519. */
  readonly receiptKey: KeyObject;
  readonly publish: (topic: string, payload: Uint8Array, delivery: { readonly qos: 0 | 1; readonly retain: boolean }) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
  onBug(error: unknown): void;
}

/** How far notices are on their way: counts and codes, of nobody. */
export interface NoticeSummary {
  /** Cores that are asked, by the name of their sink: why one could not be heard, or `undefined` while it is. */
  readonly unheard: Readonly<Record<string, ErrorCode>>;
  /** Since when, of each of those. */
  readonly unheardSinceMs: Readonly<Record<string, EpochMillis>>;
  /** Cards that there are notices for, as kiosks are told. */
  readonly cards: number;
  /** Cards beyond those, for whom there was no room in a document. */
  readonly leftOut: number;
  readonly kiosks: number;
  /** Those whose document says all that is known here. */
  readonly told: number;
}

/** No notice lasts longer unseen. */
const LIFETIME_MS = 14 * 86_400_000;
const RENEW_BEFORE_END_MS = 7 * 86_400_000;
/** How often it is looked whether a kiosk came or went; news are told at once. */
const LOOK_EVERY_MS = 1_000;
/** Between two rounds at least. */
const PAUSE_MS = 250;
/** Of each time that is spent on documents, so many times as long on none. */
const REST = 19;
/** Between two slices kiosks are served: a millisecond or two each, whether of so many documents or of so many marks. */
const MOST_IN_SLICE = 4;
const MARKS_IN_SLICE = 4_000;
/** A PUBACK takes several turns of the event loop: with no more than a turn between slices it would wait for as many of them. */
const SLICE_REST_MS = 5;
/** A test more or less is told to clinics' desks so often at most: each time is a whole document for each. */
const STICKERS_EVERY_MS = 2_000;
/** So long after the start kiosks keep what they hold, rather than be told half of it, while a core can not be heard. */
const PATIENCE_MS = 30_000;

interface Told {
  readonly version: number;
  readonly revision: number;
  /** Of what a clinic's desk was told of stickers. */
  readonly stickerRevision: number;
  readonly expiresAtMs: number;
}

export class NoticeDesk {
  readonly #doors: NoticeDeskDoors;
  readonly #notices: readonly Ear<Noticed>[];
  readonly #stickers: readonly Ear<ToldSticker>[];
  readonly #startedMs: number;
  readonly #told = new Map<KioskId, Told>();
  /** Kiosks that hold a later version than they were sent: this machine's clock went back. */
  readonly #ahead = new Map<KioskId, number>();
  /** Steps up with all that is heard. */
  #news = 0;
  /** Steps up with each change that kiosks have to be told of. */
  #revision = 0;
  #ends: ReadonlyMap<string, Noticed> = new Map();
  /** The same two of stickers. */
  #stickerNews = 0;
  #stickerRevision = 0;
  #stickersToldMs = Number.NEGATIVE_INFINITY;
  #registryRevision: number | undefined;
  #usedStickers: readonly ToldSticker[] = [];
  #noticed: NoticeRuns = [];
  #cards = 0;
  #leftOut = 0;
  #kiosks = 0;
  #wake = () => {};

  constructor(doors: NoticeDeskDoors) {
    this.#doors = doors;
    const { sources, clock, log } = doors;
    this.#notices = [...sources].map(
      ([name, source]) =>
        new Ear({
          ...{ name, subject: 'notices', clock, log },
          ask: (...asked) => source.noticeNews(...asked),
          keep: ({ digest, endsAtMs }) => ({ digest, endsAtMs: Math.min(endsAtMs, endStep(clock.wall() + LIFETIME_MS)) as EpochMillis }),
          stands: ({ endsAtMs }) => endsAtMs > clock.wall(),
          onNews: () => {
            this.#news += 1;
            this.#wake();
          },
        }),
    );
    this.#stickers = [...sources].map(
      ([name, source]) =>
        new Ear({
          ...{ name, subject: 'stickers', clock, log },
          ask: (...asked) => source.stickerNews(...asked),
          keep: (sticker) => sticker,
          stands: () => true,
          onNews: () => {
            this.#stickerNews += 1;
            this.#wake();
          },
        }),
    );
    this.#startedMs = doors.clock.monotonic();
  }

  /** Hears and tells until aborted. A bug ends it with that error. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#doors.sources.size === 0) return;
    await Promise.all([...[...this.#notices, ...this.#stickers].map((ear) => ear.run(signal)), this.#tellAll(signal)]);
  }

  /** Hears a kiosk's state. Only what it says of its notices is taken from it. */
  heard(kiosk: KioskId, { isUp, notices }: KioskStateReport): void {
    const version = this.#told.get(kiosk)?.version;
    if (!isUp || notices === undefined || version === undefined) return;
    if (notices.version <= version || notices.version >= GREATEST_NOTICE_VERSION) return;
    this.#ahead.set(kiosk, notices.version);
    this.#registryRevision = undefined;
  }

  summary(): NoticeSummary {
    const unheard = [...this.#stickers, ...this.#notices].flatMap(({ name, code }) => (code === undefined ? [] : [[name, code] as const]));
    const told = [...this.#told.values()].filter(({ revision }) => revision === this.#revision).length;
    const since = [...this.#stickers, ...this.#notices].flatMap(({ name, failedAtMs }) =>
      failedAtMs === undefined ? [] : [[name, failedAtMs] as const],
    );
    return {
      unheard: Object.fromEntries(unheard),
      unheardSinceMs: Object.fromEntries(since),
      cards: this.#cards,
      leftOut: this.#leftOut,
      kiosks: this.#kiosks,
      told,
    };
  }

  async #tellAll(signal: AbortSignal): Promise<void> {
    const { clock, log, registry } = this.#doors;
    const trouble = new SteadyLog(log, clock, 'notice_documents');
    let gathered: number | undefined;
    let gatheredStickers: number | undefined;
    while (!signal.aborted) {
      const sinceMs = clock.monotonic();
      let restedMs = 0;
      try {
        const registryRevision = registry.revision();
        const areStickersDue = this.#stickerNews !== gatheredStickers && sinceMs - this.#stickersToldMs >= STICKERS_EVERY_MS;
        const isDue = registryRevision !== this.#registryRevision || this.#news !== gathered || areStickersDue || this.#isRenewalDue();
        if (this.#mayTell() && isDue) {
          const news = this.#news;
          const stickerNews = this.#stickerNews;
          if (news !== gathered) this.#gather();
          if (stickerNews !== gatheredStickers) this.#gatherStickers(sinceMs);
          // Before: a kiosk that says meanwhile that it is ahead asks for another round by it.
          this.#registryRevision = registryRevision;
          restedMs = await this.#tellKiosks(signal);
          gathered = news;
          gatheredStickers = stickerNews;
        }
        trouble.recovered();
      } catch (error) {
        this.#registryRevision = undefined;
        const code = codeOf(error);
        if (code === undefined) throw error;
        trouble.failed({ code });
      }
      const workedMs = clock.monotonic() - sinceMs - restedMs;
      await clock.sleep(Math.max(PAUSE_MS, workedMs * REST - restedMs), signal);
      if (this.#news === gathered) await this.#untilNews(signal);
    }
  }

  /** Before a core that is asked was heard once, kiosks keep what they hold; for a while. */
  #mayTell(): boolean {
    if ([...this.#notices, ...this.#stickers].every(({ isWhole }) => isWhole)) return true;
    return this.#notices.some(({ isWhole }) => isWhole) && this.#doors.clock.monotonic() - this.#startedMs >= PATIENCE_MS;
  }

  #isRenewalDue(): boolean {
    const nowMs = this.#doors.clock.wall();
    return [...this.#told.values()].some(({ expiresAtMs }) => expiresAtMs - nowMs < RENEW_BEFORE_END_MS);
  }

  /** What all cores say together; of a card that several name, the latest end. Those that end last are told where there is no room for all. */
  #gather(): void {
    const nowMs = this.#doors.clock.wall();
    const ends = new Map<string, Noticed>();
    for (const { held } of this.#notices)
      for (const [name, one] of held) if (one.endsAtMs > Math.max(nowMs, ends.get(name)?.endsAtMs ?? 0)) ends.set(name, one);
    const all = [...ends.values()];
    this.#leftOut = Math.max(0, all.length - MOST_NOTICES);
    const noticed = this.#leftOut === 0 ? all : all.sort((a, b) => b.endsAtMs - a.endsAtMs).slice(0, MOST_NOTICES);
    this.#noticed = layOutNotices(noticed);
    this.#cards = noticed.length;
    // A core that begins anew mostly says what it said before.
    if (this.#revision === 0 || !areSame(ends, this.#ends)) this.#revision += 1;
    this.#ends = ends;
  }

  /** What all cores say together; of a sticker that several name, what weighs most. */
  #gatherStickers(nowMs: number): void {
    const weightOf = (sticker: ToldSticker | undefined): number => (sticker === undefined ? -1 : TOLD_STANDINGS.indexOf(sticker.standing));
    const stickers = new Map<string, ToldSticker>();
    for (const { held } of this.#stickers)
      for (const [name, one] of held) if (weightOf(one) > weightOf(stickers.get(name))) stickers.set(name, one);
    this.#usedStickers = [...stickers.values()].slice(-MOST_STICKERS);
    this.#stickerRevision += 1;
    this.#stickersToldMs = nowMs;
  }

  /** @returns how long it rested between slices, ms. */
  async #tellKiosks(signal: AbortSignal): Promise<number> {
    const { registry, clock, log } = this.#doors;
    const revision = this.#revision;
    const all = [...registry.kiosks()];
    const admitted = all.filter(({ revokedAtMs }) => revokedAtMs === undefined);
    for (const { kiosk, revokedAtMs } of all) if (revokedAtMs !== undefined) this.#withdraw(kiosk);
    this.#kiosks = admitted.length;
    const nowMs = clock.wall();
    const due = admitted.filter(({ kiosk, role }) => {
      const told = this.#told.get(kiosk);
      if (told === undefined || told.revision !== revision || this.#ahead.has(kiosk)) return true;
      return told.expiresAtMs - nowMs < RENEW_BEFORE_END_MS || (role === 'clinic' && told.stickerRevision !== this.#stickerRevision);
    });
    const slice = Math.max(1, Math.min(MOST_IN_SLICE, Math.floor(MARKS_IN_SLICE / Math.max(1, this.#cards))));
    let restedMs = 0;
    for (let from = 0; from < due.length && !signal.aborted; from += slice) {
      for (const { kiosk, role } of due.slice(from, from + slice)) this.#tell(kiosk, role, revision, nowMs);
      const restsAtMs = clock.monotonic();
      if (from + slice < due.length) await clock.sleep(SLICE_REST_MS, signal);
      restedMs += clock.monotonic() - restsAtMs;
    }
    if (due.length > 0 && !signal.aborted) log.info('notices.told', { kiosks: due.length, cards: this.#cards, leftOut: this.#leftOut });
    return restedMs;
  }

  #tell(kiosk: KioskId, role: Kiosk['role'], revision: number, nowMs: EpochMillis): void {
    const { deployment, receiptKey, publish, onBug } = this.#doors;
    const least = Math.max(this.#told.get(kiosk)?.version ?? 0, this.#ahead.get(kiosk) ?? 0) + 1;
    const version = Math.min(Math.max(least, Math.floor(nowMs / 1_000)), GREATEST_NOTICE_VERSION);
    const expiresAtMs = (nowMs + LIFETIME_MS) as EpochMillis;
    const key = new Uint8Array(randomBytes(FILTER_KEY_BYTES));
    const stickers = role === 'clinic' ? { stickers: markStickers(this.#usedStickers, key) } : {};
    const document = { version, issuedAtMs: nowMs, expiresAtMs, key, groups: groupNotices(this.#noticed, key), ...stickers };
    this.#told.set(kiosk, { version, revision, stickerRevision: this.#stickerRevision, expiresAtMs });
    this.#ahead.delete(kiosk);
    publish(topicOf(kiosk, 'notice'), encodeNotice(document, { deployment, kiosk }, receiptKey), DELIVERY.notice).catch(onBug);
  }

  /** A revoked kiosk's document is taken off the broker; it is told a new one when it is admitted again. */
  #withdraw(kiosk: KioskId): void {
    this.#ahead.delete(kiosk);
    if (!this.#told.delete(kiosk)) return;
    this.#doors.publish(topicOf(kiosk, 'notice'), new Uint8Array(0), DELIVERY.notice).catch(this.#doors.onBug);
  }

  /** Or until it is time to look whether a kiosk came. */
  #untilNews(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    const stop = () => woken.abort();
    signal.addEventListener('abort', stop, { once: true });
    return this.#doors.clock.sleep(LOOK_EVERY_MS, woken.signal).finally(() => {
      this.#wake = () => {};
      signal.removeEventListener('abort', stop);
    });
  }
}

/** Whether they say the same of the same cards. */
function areSame(a: ReadonlyMap<string, Noticed>, b: ReadonlyMap<string, Noticed>): boolean {
  if (a.size !== b.size) return false;
  for (const [name, { endsAtMs }] of a) if (b.get(name)?.endsAtMs !== endsAtMs) return false;
  return true;
}
