/**
 * Takes releases: finds one, checks it, writes it to the other slot, tries it once when the door is quiet, and keeps it when the road holds.
 * Touches neither keys nor outbox. What it does is told by its standing, in the log, and at the next start from its memory.
 */
import { diskCodeOf } from '../../disk/faults.ts';
import { codeOf, type ErrorCode, ReleaseError } from '../../protocol/errors.ts';
import type { Log } from '../../protocol/log.ts';
import { compareVersions, type ReleaseVersion, versionText } from '../../protocol/release-version.ts';
import type { OfferedRelease } from '../../protocol/release-word.ts';
import type { Clock } from '../../protocol/time.ts';
import type { Delivery } from '../test-event.ts';
import { type BundleSource, openFileSource } from './bundle-source.ts';
import type { Candidate } from './candidate.ts';
import { type FetchPiece, GatewaySource } from './gateway-source.ts';
import { findBundles, forgetAsked } from './media.ts';
import { type OpenBundle, openBundle } from './open-bundle.ts';
import { otherSlot, type Slots } from './slots.ts';
import { standingOf, type UpdateStanding } from './standing.ts';
import { takeBundle } from './take-bundle.ts';
import { judgeStart, MOST_TRIES } from './trial.ts';
import type { UpdateLimits } from './update-limits.ts';
import { type Trial, UpdateMemory, type Work } from './update-state.ts';
import type { WordKeeper } from './word-keeper.ts';

export interface UpdaterDoors {
  /** The data directory. */
  readonly dir: string;
  readonly slots: Slots;
  readonly board: string;
  /** Raw Ed25519. */
  readonly keys: readonly Uint8Array[];
  /** Which runs. */
  readonly version: ReleaseVersion;
  /** Of this boot, in hexadecimal. */
  readonly boot: string;
  readonly limits: UpdateLimits;
  readonly word: WordKeeper;
  readonly fetch: FetchPiece;
  readonly isOnline: () => boolean;
  /** Rows that wait for the gateway; `undefined` where that can not be told. */
  readonly queued: () => number | undefined;
  /** Goes up with each answer at the door. */
  readonly served: () => number;
  readonly deliver: (signal: AbortSignal) => Promise<Delivery>;
  readonly clock: Clock;
  readonly log: Log;
  readonly onStanding: (standing: UpdateStanding | undefined) => void;
}

const LOOK_EVERY_MS = 5_000;
/** Between two tries at what can not be read just now. */
const AGAIN_MS = 60_000;
/** A road that delivers nothing all the time may be what the release mends. */
const LONGEST_WAIT_MS = 60_000;
/** A machine that was asked to start anew and still runs was not heard. */
const START_WITHIN_MS = 5 * 60_000;
/** Off line, so long a trial has to run and keep what is appended. */
const OFFLINE_TRIAL_MS = 60_000;
/** A medium gives faster than a card can be written while scans are kept. */
const MEDIUM_BYTES_PER_SECOND = 4 * 1_048_576;
/** Codes that another try of the same bundle meets again. */
const FINAL = /^(release|seal|decode)\./;

export class Updater {
  readonly #doors: UpdaterDoors;
  readonly #memory: UpdateMemory;
  /** Bundles that were refused, or did not hold, since this start. */
  readonly #refused = new Set<string>();
  #wake = new AbortController();
  #offer = new AbortController();
  #total = 0;
  #said = '';
  #servedSeen = -1;
  #quietSinceMs: number;
  #notBeforeMs = 0;
  #startedAtMs = 0;
  #isLeaving = false;

  constructor(doors: UpdaterDoors) {
    this.#doors = doors;
    this.#memory = new UpdateMemory(doors.dir, doors.log);
    this.#quietSinceMs = doors.clock.monotonic();
    doors.word.onWord = () => {
      this.#offer.abort();
      this.#offer = new AbortController();
      this.#wake.abort();
    };
  }

  /** Until abort. A disk that refuses is tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#doors;
    const stop = () => this.#wake.abort();
    signal.addEventListener('abort', stop, { once: true });
    // Once more where the disk refused: until it is settled nothing else is begun.
    while (!signal.aborted && !(await this.#guarded(() => this.#settle(signal)))) await clock.sleep(LOOK_EVERY_MS, signal);
    while (!signal.aborted) {
      this.#watchDoor();
      // Before the look: a word that comes during it is not slept over.
      this.#wake = new AbortController();
      const wasReady = this.#isReady;
      await this.#guarded(() => this.#step(signal));
      if (signal.aborted) return;
      // What lies ready now may be tried at once.
      if (!wasReady && this.#isReady) continue;
      await clock.sleep(LOOK_EVERY_MS, this.#wake.signal);
    }
  }

  get #isReady(): boolean {
    return this.#memory.now.work?.phase === 'ready';
  }

  /** What the last start means for what was on trial. */
  async #settle(signal: AbortSignal): Promise<void> {
    const { slots, boot, clock } = this.#doors;
    const start = { running: slots.running(), lasting: slots.lasting(), boot, atMs: clock.monotonic() };
    const verdict = judgeStart(this.#memory.now.work, start);
    switch (verdict.is) {
      case 'quiet':
        if (verdict.work !== this.#memory.now.work) this.#memory.set({ work: verdict.work });
        break;
      case 'on-trial':
        this.#memory.set({ work: verdict.trial });
        this.#doors.log.debug('update.trial_heard', () => ({}));
        this.#say();
        await this.#try(verdict.trial, verdict.sinceMs, signal);
        break;
      case 'kept':
        this.#kept(verdict.trial);
        break;
      case 'failed':
        this.#failed(verdict.trial, verdict.why);
        break;
    }
    this.#say();
  }

  /** Shows that the road holds: keeps the release, or goes back. */
  async #try(trial: Trial, sinceMs: number, signal: AbortSignal): Promise<void> {
    const { slots, limits, clock, deliver, log } = this.#doors;
    log.warn('update.on_trial', { version: trial.version });
    while (!signal.aborted) {
      const { outcome } = await deliver(signal);
      if (signal.aborted) return;
      const tookMs = clock.monotonic() - sinceMs;
      const isKeptHere = outcome === 'waiting' && !trial.wasOnline && tookMs >= OFFLINE_TRIAL_MS;
      if (outcome === 'delivered' || isKeptHere) {
        await slots.keep();
        log.debug('update.slot_kept', () => ({}));
        this.#kept(trial);
        return;
      }
      if (tookMs >= limits.trialMs) {
        if (outcome === 'waiting' && trial.tries < MOST_TRIES) this.#lacked(trial);
        else this.#failed(trial, 'release.not_healthy');
        log.debug('update.failure_noted', () => ({}));
        this.#say();
        this.#isLeaving = true;
        this.#notBeforeMs = clock.monotonic() + AGAIN_MS;
        await slots.leave();
        return;
      }
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
  }

  async #step(signal: AbortSignal): Promise<void> {
    const { clock, slots } = this.#doors;
    const { work } = this.#memory.now;
    if (work?.phase === 'trial') {
      // The machine is about to be started anew.
      if (clock.monotonic() - this.#startedAtMs >= START_WITHIN_MS) await this.#settle(signal);
      return;
    }
    // The other slot is the one that the machine goes back to: nothing is written there.
    if (slots.running() !== slots.lasting()) {
      if (!this.#isLeaving || clock.monotonic() < this.#notBeforeMs) return;
      this.#notBeforeMs = clock.monotonic() + AGAIN_MS;
      await slots.leave();
      return;
    }
    if (work?.phase === 'ready' && this.#isWanted(work)) {
      // Where it was the gateway that was away, the next trial begins when it is back.
      if (this.#isQuiet && (work.lacked === undefined || this.#doors.isOnline())) await this.#start(work);
      return;
    }
    if (clock.monotonic() < this.#notBeforeMs) return;
    for (const candidate of await this.#candidates()) {
      if (this.#refused.has(candidate.mark)) continue;
      if (await this.#take(candidate, AbortSignal.any([signal, candidate.signal]))) return;
    }
  }

  /** What came from the gateway and is not offered any more is not tried. */
  #isWanted({ from, digest }: Work): boolean {
    const { offered } = this.#doors.word;
    return from === 'medium' || (offered !== undefined && hex(offered.digest) === digest);
  }

  async #start(work: Extract<Work, { phase: 'ready' }>): Promise<void> {
    const { slots, isOnline, clock, log } = this.#doors;
    log.warn('update.starting', { version: work.version });
    this.#startedAtMs = clock.monotonic();
    this.#memory.set({ work: { ...work, phase: 'trial', tries: work.tries + 1, wasOnline: isOnline() } });
    log.debug('update.trial_noted', () => ({}));
    this.#say();
    try {
      await slots.tryOther();
    } catch (error) {
      // Nothing was tried: it lies ready as before.
      this.#memory.set({ work });
      this.#say();
      throw error;
    }
    log.debug('update.other_chosen', () => ({}));
  }

  async #candidates(): Promise<Candidate[]> {
    const { dir, limits, word, version, fetch, clock } = this.#doors;
    const { offered } = word;
    const media = (await findBundles(dir, limits.media)).map(
      ({ path, mark, isAsked }): Candidate => ({
        from: 'medium',
        mark,
        isAsked,
        open: () => openFileSource(path),
        signal: new AbortController().signal,
        done: () => forgetAsked(dir, path),
      }),
    );
    // One that runs here already is no news, and none that is refused.
    if (offered === undefined || compareVersions(offered.version, version) <= 0) return media;
    if (this.#isDone(offered)) return media;
    const ofGateway: Candidate = {
      from: 'gateway',
      mark: hex(offered.digest),
      isAsked: false,
      open: async () => new GatewaySource(offered, fetch, clock),
      signal: this.#offer.signal,
      done: async () => {},
    };
    return [...media, ofGateway];
  }

  /** Whether it was kept here, whatever version its software says; or did not hold: then the gateway is told once more why. */
  #isDone({ digest }: OfferedRelease): boolean {
    if (this.#isKept(hex(digest))) return true;
    const before = this.#memory.now.failed.find((failed) => failed.digest === hex(digest));
    if (before === undefined) return false;
    if (this.#memory.now.last?.digest !== before.digest) {
      this.#memory.set({ work: this.#workBeside(before.digest), last: { ...before, outcome: 'failed' } });
      this.#say();
    }
    return true;
  }

  /** @returns false for an old one, and where it can not be read, or kept, just now: others are not to wait for it. */
  async #take(candidate: Candidate, signal: AbortSignal): Promise<boolean> {
    const { slots, log, clock, board, keys, version, word, limits } = this.#doors;
    const { from, mark } = candidate;
    let bundle: OpenBundle | undefined;
    let source: BundleSource | undefined;
    try {
      source = await candidate.open();
      bundle = await openBundle(source, { keys, board, version, peer: word.peer }, signal);
      this.#refuseDone(bundle);
      if (from === 'gateway' && bundle.digest !== mark) throw new ReleaseError('release.altered', 'release: not the one that was offered');
      this.#total = bundle.chunks.length;
      log.info('update.taking', { version: versionText(bundle.manifest.version) });
      const perSecond = from === 'medium' ? MEDIUM_BYTES_PER_SECOND : limits.bytesPerSecond;
      const doors = {
        memory: this.#memory,
        slots,
        to: otherSlot(slots.running()),
        from,
        giveWay: (bytes: number, ending: AbortSignal) => this.#giveWay(bytes / perSecond, ending),
        onProgress: () => this.#say(),
        log,
      };
      await takeBundle(bundle, source, doors, signal);
      if (!signal.aborted) await candidate.done();
      return true;
    } catch (error) {
      const code = codeOf(error) ?? diskCodeOf(error);
      if (code === undefined) throw error;
      if (signal.aborted) return true;
      log.warn('update.not_taken', { code });
      // An older one on a stick that stays plugged in is nothing to be told of, nor waited for.
      const isOld = code === 'release.older' && !candidate.isAsked;
      if (isOld) this.#refused.add(mark);
      else if (FINAL.test(code)) await this.#refuse(candidate, bundle, code);
      else this.#notBeforeMs = clock.monotonic() + AGAIN_MS;
      return FINAL.test(code) && !isOld;
    } finally {
      await source?.close();
    }
  }

  #isKept = (digest: string): boolean => this.#memory.now.last?.outcome === 'kept' && this.#memory.now.last.digest === digest;

  #refuseDone({ digest }: OpenBundle): void {
    if (this.#isKept(digest)) throw new ReleaseError('release.older', 'release: runs here already');
    if (this.#memory.now.failed.some((failed) => failed.digest === digest))
      throw new ReleaseError('release.failed_before', 'release: was tried here, and did not hold');
  }

  async #refuse({ mark, from, done }: Candidate, bundle: OpenBundle | undefined, why: ErrorCode): Promise<void> {
    this.#refused.add(mark);
    await done();
    const { offered } = this.#doors.word;
    const known =
      bundle !== undefined
        ? { digest: bundle.digest, version: versionText(bundle.manifest.version) }
        : from === 'gateway' && offered !== undefined
          ? { digest: mark, version: versionText(offered.version) }
          : undefined;
    const { digest, version } = known ?? { digest: NO_DIGEST, version: '0.0.0' };
    this.#memory.set({ work: this.#workBeside(digest), last: { digest, version, outcome: 'refused', why } });
    this.#say();
  }

  /** What is gone on with beside a release that is not taken: what is offered. Anything else would stand in the way of saying so. */
  #workBeside(digest: string): Work | undefined {
    const { work } = this.#memory.now;
    const { offered } = this.#doors.word;
    return work !== undefined && work.digest !== digest && offered !== undefined && hex(offered.digest) === work.digest ? work : undefined;
  }

  #kept(trial: Trial): void {
    const { digest, version } = trial;
    this.#doors.log.warn('update.kept', { version });
    this.#memory.set({ work: undefined, last: { digest, version, outcome: 'kept' } });
    this.#doors.log.debug('update.keep_noted', () => ({}));
    this.#say();
  }

  #lacked(trial: Trial): void {
    this.#doors.log.warn('update.no_verdict', { version: trial.version });
    this.#memory.set({ work: { ...trial, lacked: 'link' } });
  }

  #failed({ digest, version }: Trial, why: ErrorCode): void {
    const { failed } = this.#memory.now;
    this.#doors.log.error('update.failed', { version, code: why });
    this.#memory.set({
      work: undefined,
      last: { digest, version, outcome: 'failed', why },
      failed: [...failed, { digest, version, why }],
    });
  }

  /** Scans go first: what waits for the gateway is sent before a piece is asked for, and the pieces have their pace. */
  async #giveWay(seconds: number, signal: AbortSignal): Promise<void> {
    const { clock, queued, isOnline } = this.#doors;
    await clock.sleep(Math.ceil(seconds * 1_000), signal);
    // A store that is not open sends nothing that would be in its way.
    for (let waitedMs = 0; (queued() ?? 0) > 0 && isOnline() && waitedMs < LONGEST_WAIT_MS && !signal.aborted; waitedMs += 1_000)
      await clock.sleep(1_000, signal);
  }

  #watchDoor(): void {
    const served = this.#doors.served();
    if (served === this.#servedSeen) return;
    this.#servedSeen = served;
    this.#quietSinceMs = this.#doors.clock.monotonic();
  }

  get #isQuiet(): boolean {
    return this.#doors.clock.monotonic() - this.#quietSinceMs >= this.#doors.limits.quietMs;
  }

  #say(): void {
    const standing = standingOf(this.#memory.now, this.#total);
    const said = JSON.stringify(standing ?? null);
    if (said === this.#said) return;
    this.#said = said;
    this.#doors.onStanding(standing);
  }

  /** @returns whether it went well. */
  async #guarded(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const code = codeOf(error) ?? diskCodeOf(error);
      if (code === undefined) throw error;
      this.#doors.log.error('update.stuck', { code });
      this.#notBeforeMs = this.#doors.clock.monotonic() + AGAIN_MS;
      return false;
    }
  }
}

/** Of a bundle whose head can not be believed. */
const NO_DIGEST = '0'.repeat(64);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
