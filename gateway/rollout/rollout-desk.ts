/**
 * Tells every admitted kiosk which revisions of the wire this gateway speaks, and those whose turn it is which release to take; hears from
 * their states how far they are; and pauses by itself when too many did not hold.
 */
import type { KeyObject } from 'node:crypto';
import { AdmissionError, codeOf, type ErrorCode } from '../../protocol/errors.ts';
import type { DeploymentId, KioskId } from '../../protocol/ids.ts';
import type { KioskStateReport } from '../../protocol/kiosk-state.ts';
import type { Log } from '../../protocol/log.ts';
import { compareVersions, parseVersion } from '../../protocol/release-version.ts';
import { encodeReleaseWord } from '../../protocol/release-word.ts';
import type { Clock } from '../../protocol/time.ts';
import { DELIVERY, topicOf } from '../../protocol/topics.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { OUR_WIRE, type WireRevisions } from '../../protocol/wire-revision.ts';
import type { Kiosk } from '../registry.ts';
import type { BundlePiece, BundleShelf } from './bundle-shelf.ts';
import { hasFailed, isMeant, isOver, type Rollout, type RolloutBook, type RolloutPhase, type RolloutStep } from './rollout-book.ts';

export interface RolloutDeskDoors {
  readonly registry: { readonly rolloutBook: RolloutBook; kiosks(): Iterable<Kiosk>; revision(): number };
  readonly shelf: BundleShelf;
  readonly deployment: DeploymentId;
  /** Ed25519. */
  readonly receiptKey: KeyObject;
  /** What this gateway speaks; its software's own when left out. */
  readonly wire?: WireRevisions;
  readonly isConnected: (kiosk: KioskId) => boolean;
  readonly publish: (topic: string, payload: Uint8Array, delivery: { readonly qos: 0 | 1; readonly retain: boolean }) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
  onBug(error: unknown): void;
}

/** How far the kiosks are with a release. */
export interface RolloutSummary {
  readonly number: number;
  readonly version: string;
  readonly state: Rollout['state'];
  readonly why: ErrorCode | undefined;
  readonly percent: number;
  readonly startedAtMs: EpochMillis;
  /** Admitted kiosks that it goes to, at this percentage; those that were heard since this gateway started. */
  readonly meant: number;
  readonly mostFailed: number;
  /** Kiosks by how far they are. */
  readonly phases: Readonly<Partial<Record<RolloutPhase, number>>>;
  readonly failed: readonly { readonly kiosk: KioskId; readonly code: ErrorCode }[];
}

interface Told {
  readonly number: number;
  readonly offered: string;
  readonly expiresAtMs: number;
}

const LIFETIME_MS = 14 * 86_400_000;
const RENEW_BEFORE_END_MS = 7 * 86_400_000;
/** Between two slices kiosks are served. */
const MOST_IN_SLICE = 64;
const MOST_NAMED = 50;
/**
 * A kiosk that is off may be so for weeks: others have their turn then. But not before one on trial must have said how that ended: it is away while it
 * starts, and stays away when what it tries is no good. A trial is over after 20 minutes (kiosk/update/slots.ts), and two starts are.
 */
const HELD_MS = 30 * 60_000;
const RELEASE_LETTERS = 16;

export class RolloutDesk {
  readonly #doors: RolloutDeskDoors;
  readonly #told = new Map<KioskId, Told>();
  #steps = new Map<KioskId, RolloutStep>();
  #rollout: Rollout | undefined;
  /** Said by kiosks since the last look. */
  readonly #unwritten = new Set<KioskId>();
  /** Of kiosks that take releases, as they said since this gateway started. */
  readonly #boards = new Map<KioskId, string>();
  #revision: number | undefined;
  #renewAtMs = 0;
  /** When a kiosk that is away keeps nobody from having a turn any more. */
  #freeAtMs = Infinity;
  #meant = 0;
  #hasChanged = true;

  constructor(doors: RolloutDeskDoors) {
    this.#doors = doors;
    this.#read();
  }

  /** Tells whom it has to, and keeps what kiosks have said. To be called every second. @throws StoreError; the next call does what was left. */
  async look(signal: AbortSignal): Promise<void> {
    const { registry, clock } = this.#doors;
    const revision = registry.revision();
    if (revision !== this.#revision) {
      this.#keepWhatWasSaid();
      this.#read();
      this.#hasChanged = true;
      this.#revision = revision;
    }
    this.#keepWhatWasSaid();
    this.#pauseIfNeeded();
    if (!this.#hasChanged && clock.wall() < Math.min(this.#renewAtMs, this.#freeAtMs)) return;
    this.#hasChanged = false;
    const kiosks = [...registry.kiosks()];
    this.#offerToMore(kiosks);
    for (let from = 0; from < kiosks.length; from += MOST_IN_SLICE) {
      if (signal.aborted) return;
      for (const kiosk of kiosks.slice(from, from + MOST_IN_SLICE)) this.#tell(kiosk);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.#renewAtMs =
      [...this.#told.values()].reduce((first, { expiresAtMs }) => Math.min(first, expiresAtMs), Infinity) - RENEW_BEFORE_END_MS;
  }

  /** Hears a kiosk's state. Only what it says of its release is taken from it. */
  heard(kiosk: KioskId, report: KioskStateReport): void {
    // Who comes or goes may make room for another.
    this.#hasChanged = true;
    if (report.isUp && report.board !== undefined) this.#boards.set(kiosk, report.board);
    const step = this.#steps.get(kiosk);
    if (!report.isUp || step === undefined || this.#rollout === undefined) return;
    const said = stepIn(report, this.#rollout);
    if (said === undefined || (said.phase === step.phase && said.why === step.why)) return;
    this.#steps.set(kiosk, { kiosk, ...said, atMs: this.#doors.clock.wall() });
    this.#unwritten.add(kiosk);
    const level = hasFailed(said) ? 'warn' : 'info';
    this.#doors.log[level]('rollout.step', { kiosk, phase: said.phase, ...(said.why && { code: said.why }) });
  }

  /**
   * A piece of the bundle that is rolled out, for an admitted kiosk.
   * @param digest in hexadecimal. @returns `undefined` for any other bundle.
   * @throws AdmissionError `admission.unknown_kiosk`, `admission.revoked`.
   */
  async piece(digest: string, first: number, last: number, publicKey: Uint8Array): Promise<BundlePiece | undefined> {
    const kiosk = [...this.#doors.registry.kiosks()].find((one) => Buffer.compare(one.publicKey, publicKey) === 0);
    if (kiosk === undefined) throw new AdmissionError('admission.unknown_kiosk', 'rollout: a key that is not admitted here');
    if (kiosk.revokedAtMs !== undefined) throw new AdmissionError('admission.revoked', `kiosk ${kiosk.kiosk}: is revoked`);
    if (this.#rollout?.state !== 'running' || this.#rollout.digest !== digest) return undefined;
    return await this.#doors.shelf.piece(digest, first, last);
  }

  /** @returns `undefined` before the first rollout. */
  summary(): RolloutSummary | undefined {
    if (this.#rollout === undefined) return undefined;
    const { number, version, state, why, percent, startedAtMs, mostFailed } = this.#rollout;
    const steps = [...this.#steps.values()];
    const phases: Partial<Record<RolloutPhase, number>> = {};
    for (const { phase } of steps) phases[phase] = (phases[phase] ?? 0) + 1;
    const failed = steps.filter(hasFailed).slice(0, MOST_NAMED);
    return {
      ...{ number, version, state, why, percent, startedAtMs, mostFailed, meant: this.#meant, phases },
      failed: failed.map(({ kiosk, why: code = 'release.not_healthy' }) => ({ kiosk, code })),
    };
  }

  /** How far a kiosk is with the last release; `undefined` for one that was not told of it. */
  step(kiosk: KioskId): RolloutStep | undefined {
    return this.#steps.get(kiosk);
  }

  #read(): void {
    const { rolloutBook } = this.#doors.registry;
    const rollout = rolloutBook.newest();
    this.#rollout = rollout;
    this.#steps = new Map((rollout === undefined ? [] : rolloutBook.steps(rollout.number)).map((step) => [step.kiosk, step]));
  }

  #keepWhatWasSaid(): void {
    if (this.#unwritten.size === 0 || this.#rollout === undefined) return;
    const said = [...this.#unwritten].flatMap((kiosk) => this.#steps.get(kiosk) ?? []);
    this.#doors.registry.rolloutBook.put(this.#rollout.number, said);
    this.#unwritten.clear();
    this.#hasChanged = true;
  }

  #pauseIfNeeded(): void {
    if (this.#rollout?.state !== 'running') return;
    const { number, version, mostFailed } = this.#rollout;
    const failed = [...this.#steps.values()].filter(hasFailed).length;
    if (failed <= mostFailed) return;
    // Somebody may have stopped it this very moment.
    const now = this.#doors.registry.rolloutBook.newest();
    if (now?.number !== number || now.state !== 'running') return;
    this.#rollout = this.#doors.registry.rolloutBook.pause(number, 'release.too_many_failed');
    this.#doors.log.error('rollout.paused', { version, code: 'release.too_many_failed', kiosks: failed });
    this.#hasChanged = true;
  }

  /** Whose turn it is now: as many as may take it at the same time, of those that are there. */
  #offerToMore(kiosks: readonly Kiosk[]): void {
    const rollout = this.#rollout;
    if (rollout === undefined) return;
    const { clock, isConnected, registry } = this.#doors;
    const meant = kiosks.filter(
      ({ kiosk, placement, revokedAtMs }) =>
        revokedAtMs === undefined && this.#boards.get(kiosk) === rollout.board && isMeant(rollout, kiosk, placement.venue),
    );
    this.#meant = meant.length;
    this.#freeAtMs = Infinity;
    if (rollout.state !== 'running') return;
    const nowMs = clock.wall();
    const open = [...this.#steps.values()].filter((step) => !isOver(step));
    const away = open.filter(({ kiosk }) => !isConnected(kiosk));
    const held = away.map(({ atMs }) => atMs + HELD_MS).filter((endMs) => endMs > nowMs);
    this.#freeAtMs = Math.min(...held);
    const busy = open.length - away.length + held.length;
    const next = meant.filter(({ kiosk }) => !this.#steps.has(kiosk) && isConnected(kiosk)).slice(0, Math.max(0, rollout.atOnce - busy));
    const offered = next.map(({ kiosk }): RolloutStep => ({ kiosk, phase: 'offered', why: undefined, atMs: nowMs }));
    registry.rolloutBook.put(rollout.number, offered);
    for (const step of offered) this.#steps.set(step.kiosk, step);
  }

  #tell({ kiosk, revokedAtMs }: Kiosk): void {
    const { deployment, receiptKey, wire = OUR_WIRE, publish, clock, onBug } = this.#doors;
    const before = this.#told.get(kiosk);
    if (revokedAtMs !== undefined) {
      if (this.#told.delete(kiosk)) publish(topicOf(kiosk, 'release'), new Uint8Array(), DELIVERY.release).catch(onBug);
      return;
    }
    const rollout = this.#rollout?.state === 'running' && this.#steps.has(kiosk) ? this.#rollout : undefined;
    const nowMs = clock.wall();
    const offered = rollout?.digest ?? '';
    if (before?.offered === offered && before.expiresAtMs - nowMs > RENEW_BEFORE_END_MS) return;
    const number = Math.max((before?.number ?? 0) + 1, Math.floor(nowMs / 1_000));
    const expiresAtMs = (nowMs + LIFETIME_MS) as EpochMillis;
    const word = { number, issuedAtMs: nowMs, expiresAtMs, wire, offered: rollout && offeredOf(rollout) };
    this.#told.set(kiosk, { number, offered, expiresAtMs });
    publish(topicOf(kiosk, 'release'), encodeReleaseWord(word, { deployment, kiosk }, receiptKey), DELIVERY.release).catch(onBug);
  }
}

const offeredOf = ({ digest, lengthBytes, version }: Rollout) => ({
  digest: new Uint8Array(Buffer.from(digest, 'hex')),
  lengthBytes,
  version: parseVersion(version),
});

/** @returns how far a kiosk says that it is with this release; `undefined` where it says nothing of it. */
function stepIn({ version, update }: KioskStateReport, rollout: Rollout): Pick<RolloutStep, 'phase' | 'why'> | undefined {
  const isThis = update?.release === rollout.digest.slice(0, RELEASE_LETTERS);
  if (isThis) return { phase: update.phase, why: update.why as ErrorCode | undefined };
  // It may have had it, or a later one, from a stick.
  return isAtLeast(version, rollout.version) ? { phase: 'kept', why: undefined } : undefined;
}

function isAtLeast(version: string, wanted: string): boolean {
  try {
    return compareVersions(parseVersion(version), parseVersion(wanted)) >= 0;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return false;
  }
}
