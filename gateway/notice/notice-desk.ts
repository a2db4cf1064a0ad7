/**
 * Tells every admitted kiosk for which cards there are notices: hears it from the cores, keeps it in RAM alone, and publishes a document of its
 * own for each kiosk, retained, whenever something has changed for it. It spends one part in twenty of its time on that at most.
 */
import { type KeyObject, randomBytes } from 'node:crypto';
import type { NoticeSource } from '../../core/intake.ts';
import { codeOf, type ErrorCode } from '../../protocol/errors.ts';
import type { DeploymentId, KioskId } from '../../protocol/ids.ts';
import type { KioskStateReport } from '../../protocol/kiosk-state.ts';
import type { Log } from '../../protocol/log.ts';
import { FILTER_KEY_BYTES } from '../../protocol/marks.ts';
import { encodeNotice, endStep, GREATEST_NOTICE_VERSION, groupNotices, MOST_NOTICES, type Noticed } from '../../protocol/notice.ts';
import { NEWS_WAIT_MS, type NoticeNews } from '../../protocol/notice-news.ts';
import type { Clock } from '../../protocol/time.ts';
import { DELIVERY, topicOf } from '../../protocol/topics.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import type { Kiosk } from '../registry.ts';
import { SteadyLog } from '../steady-log.ts';

export interface NoticeDeskDoors {
  /** The cores, by the names of their sinks; none where nobody traces. */
  readonly sources: ReadonlyMap<string, NoticeSource>;
  readonly registry: { revision(): number; kiosks(): Iterable<Pick<Kiosk, 'kiosk' | 'revokedAtMs'>> };
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
/** Between two slices kiosks are served: about 10 ms each, whether of 32 documents or of so many marks. */
const MOST_IN_SLICE = 32;
const MARKS_IN_SLICE = 10_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 30_000;
/** So long after the start kiosks keep what they hold, rather than be told half of it, while a core can not be heard. */
const PATIENCE_MS = 30_000;

interface Heard {
  /** Ends by digest; whole only once `version` is there. */
  readonly ends: Map<string, Noticed>;
  version: string | undefined;
  isWhole: boolean;
  /** Whether kiosks have to be told of what came since they were. */
  isNews: boolean;
  code: ErrorCode | undefined;
}

interface Told {
  readonly version: number;
  readonly revision: number;
  readonly expiresAtMs: number;
}

export class NoticeDesk {
  readonly #doors: NoticeDeskDoors;
  readonly #heard: ReadonlyMap<string, Heard>;
  readonly #startedMs: number;
  readonly #told = new Map<KioskId, Told>();
  /** Kiosks that hold a later version than they were sent: this machine's clock went back. */
  readonly #ahead = new Map<KioskId, number>();
  /** Steps up with all that is heard. */
  #news = 0;
  /** Steps up with each change that kiosks have to be told of. */
  #revision = 0;
  #ends: ReadonlyMap<string, Noticed> = new Map();
  #registryRevision: number | undefined;
  #noticed: readonly Noticed[] = [];
  #leftOut = 0;
  #kiosks = 0;
  #wake = () => {};

  constructor(doors: NoticeDeskDoors) {
    this.#doors = doors;
    this.#heard = new Map(
      [...doors.sources.keys()].map((name) => [
        name,
        { ends: new Map(), version: undefined, isWhole: false, isNews: false, code: undefined },
      ]),
    );
    this.#startedMs = doors.clock.monotonic();
  }

  /** Hears and tells until aborted. A bug ends it with that error. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#doors.sources.size === 0) return;
    await Promise.all([...[...this.#doors.sources].map(([name, source]) => this.#hear(name, source, signal)), this.#tellAll(signal)]);
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
    const unheard = [...this.#heard].flatMap(([name, { code }]) => (code === undefined ? [] : [[name, code] as const]));
    const told = [...this.#told.values()].filter(({ revision }) => revision === this.#revision).length;
    return { unheard: Object.fromEntries(unheard), cards: this.#noticed.length, leftOut: this.#leftOut, kiosks: this.#kiosks, told };
  }

  async #hear(name: string, source: NoticeSource, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#doors;
    const heard = this.#heard.get(name);
    if (heard === undefined) return;
    const trouble = new SteadyLog(log, clock, 'notices');
    let retryMs = FIRST_RETRY_MS;
    while (!signal.aborted) {
      try {
        const news = await source.noticeNews(heard.version, NEWS_WAIT_MS, signal);
        if (signal.aborted) return;
        heard.code = undefined;
        retryMs = FIRST_RETRY_MS;
        trouble.recovered({ sink: name });
        if (this.#take(heard, news)) this.#change();
      } catch (error) {
        if (signal.aborted) return;
        const code = codeOf(error);
        if (code === undefined) throw error;
        heard.code = code;
        trouble.failed({ sink: name, code });
        await clock.sleep(retryMs, signal);
        retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
      }
    }
  }

  /** @returns whether kiosks have to be told. One whose time has come they know of themselves. */
  #take(heard: Heard, { version, isAnew, hasMore, noticed, withdrawn }: NoticeNews): boolean {
    const nowMs = this.#doors.clock.wall();
    if (isAnew) heard.ends.clear();
    const latestMs = endStep(nowMs + LIFETIME_MS);
    if (isAnew || noticed.length > 0) heard.isNews = true;
    for (const { digest, endsAtMs } of noticed)
      heard.ends.set(nameOf(digest), { digest, endsAtMs: Math.min(endsAtMs, latestMs) as EpochMillis });
    for (const digest of withdrawn) {
      const name = nameOf(digest);
      if ((heard.ends.get(name)?.endsAtMs ?? 0) > nowMs) heard.isNews = true;
      heard.ends.delete(name);
    }
    heard.version = version;
    heard.isWhole = !hasMore;
    if (hasMore || !heard.isNews) return false;
    heard.isNews = false;
    return true;
  }

  #change(): void {
    this.#news += 1;
    this.#wake();
  }

  async #tellAll(signal: AbortSignal): Promise<void> {
    const { clock, log, registry } = this.#doors;
    const trouble = new SteadyLog(log, clock, 'notice_documents');
    let gathered: number | undefined;
    while (!signal.aborted) {
      const sinceMs = clock.monotonic();
      try {
        const registryRevision = registry.revision();
        const isDue = registryRevision !== this.#registryRevision || this.#news !== gathered || this.#isRenewalDue();
        if (this.#mayTell() && isDue) {
          const news = this.#news;
          if (news !== gathered) this.#gather();
          await this.#tellKiosks(signal);
          gathered = news;
          this.#registryRevision = registryRevision;
        }
        trouble.recovered();
      } catch (error) {
        const code = codeOf(error);
        if (code === undefined) throw error;
        trouble.failed({ code });
      }
      const tookMs = clock.monotonic() - sinceMs;
      await clock.sleep(Math.max(PAUSE_MS, tookMs * REST), signal);
      if (this.#news === gathered) await this.#untilNews(signal);
    }
  }

  /** Before a core that is asked was heard once, kiosks keep what they hold; for a while. */
  #mayTell(): boolean {
    const heard = [...this.#heard.values()];
    if (heard.every(({ isWhole }) => isWhole)) return true;
    return heard.some(({ isWhole }) => isWhole) && this.#doors.clock.monotonic() - this.#startedMs >= PATIENCE_MS;
  }

  #isRenewalDue(): boolean {
    const nowMs = this.#doors.clock.wall();
    return [...this.#told.values()].some(({ expiresAtMs }) => expiresAtMs - nowMs < RENEW_BEFORE_END_MS);
  }

  /** What all cores say together; of a card that several name, the latest end. Those that end last are told where there is no room for all. */
  #gather(): void {
    const nowMs = this.#doors.clock.wall();
    const ends = new Map<string, Noticed>();
    for (const heard of this.#heard.values())
      for (const [name, one] of heard.ends) if (one.endsAtMs > Math.max(nowMs, ends.get(name)?.endsAtMs ?? 0)) ends.set(name, one);
    const all = [...ends.values()];
    this.#leftOut = Math.max(0, all.length - MOST_NOTICES);
    this.#noticed = this.#leftOut === 0 ? all : all.sort((a, b) => b.endsAtMs - a.endsAtMs).slice(0, MOST_NOTICES);
    // A core that begins anew mostly says what it said before.
    if (this.#revision === 0 || !areSame(ends, this.#ends)) this.#revision += 1;
    this.#ends = ends;
  }

  async #tellKiosks(signal: AbortSignal): Promise<void> {
    const { registry, clock, log } = this.#doors;
    const revision = this.#revision;
    const all = [...registry.kiosks()];
    const admitted = all.filter(({ revokedAtMs }) => revokedAtMs === undefined).map(({ kiosk }) => kiosk);
    for (const { kiosk, revokedAtMs } of all) if (revokedAtMs !== undefined) this.#withdraw(kiosk);
    this.#kiosks = admitted.length;
    const nowMs = clock.wall();
    const due = admitted.filter((kiosk) => {
      const told = this.#told.get(kiosk);
      return told === undefined || told.revision !== revision || told.expiresAtMs - nowMs < RENEW_BEFORE_END_MS || this.#ahead.has(kiosk);
    });
    const slice = Math.max(1, Math.min(MOST_IN_SLICE, Math.floor(MARKS_IN_SLICE / Math.max(1, this.#noticed.length))));
    for (let from = 0; from < due.length; from += slice) {
      if (signal.aborted) return;
      for (const kiosk of due.slice(from, from + slice)) this.#tell(kiosk, revision, nowMs);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    if (due.length > 0) log.info('notices.told', { kiosks: due.length, cards: this.#noticed.length, leftOut: this.#leftOut });
  }

  #tell(kiosk: KioskId, revision: number, nowMs: EpochMillis): void {
    const { deployment, receiptKey, publish, onBug } = this.#doors;
    const least = Math.max(this.#told.get(kiosk)?.version ?? 0, this.#ahead.get(kiosk) ?? 0) + 1;
    const version = Math.min(Math.max(least, Math.floor(nowMs / 1_000)), GREATEST_NOTICE_VERSION);
    const expiresAtMs = (nowMs + LIFETIME_MS) as EpochMillis;
    const key = new Uint8Array(randomBytes(FILTER_KEY_BYTES));
    const document = { version, issuedAtMs: nowMs, expiresAtMs, key, groups: groupNotices(this.#noticed, key) };
    this.#told.set(kiosk, { version, revision, expiresAtMs });
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

const nameOf = (digest: Uint8Array): string => Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('latin1');
