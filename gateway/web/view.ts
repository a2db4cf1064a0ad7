/** What page, terminal and API show of a gateway, as one value; metrics are told from the same sources. Changes nothing. */
import { DOUBT_CODES } from '../../disk/retention-clock.ts';
import type { DeploymentId, KioskId } from '../../protocol/ids.ts';
import type { Clock } from '../../protocol/time.ts';
import type { SecondPlaceState } from '../backup/second-place.ts';
import type { Kiosk, Venue } from '../registry.ts';
import type { RolloutStep } from '../rollout/rollout-book.ts';
import type { RolloutSummary } from '../rollout/rollout-desk.ts';
import type { PinSummary } from '../rotate/pin-desk.ts';
import type { SealSummary } from '../rotate/seal-desk.ts';
import type { StateBoard } from '../state-board.ts';
import { ACK_BOUNDS_S, type Histogram, type Watch } from '../watch.ts';
import type { WordsFor } from './error-words.ts';
import { keyTroubles, sealTroubles } from './key-words.ts';
import { downSinceOf, kioskWords, plural } from './kiosk-words.ts';
import { noticesOf, noticeTroubles } from './notice-words.ts';
import { placeTroubles, type Restored, restoreTroubles } from './restore-words.ts';
import { releaseOf, rolloutOf, rolloutTroubles } from './rollout-words.ts';
import type { GatewayView, KioskView, Overview, Tone, Trouble, VenueView } from './schema.ts';
import { sinkTroubles } from './sink-words.ts';

export interface DiskUse {
  readonly freeBytes: number;
  readonly usedBytes: number;
  readonly growthBytesPerDay: number | undefined;
  readonly daysLeft: number | undefined;
}

export interface FlagCounts {
  readonly confirmed: number;
  readonly unconfirmed: number;
  readonly pending: number;
}

/** The last rollout, and how far each kiosk is with it. */
export interface RolloutSource {
  summary(): RolloutSummary | undefined;
  step(kiosk: KioskId): RolloutStep | undefined;
}

/** Which kiosks seal for the gateway's newest key. */
export interface SealSource {
  summary(): SealSummary;
  behindSinceMs(kiosk: KioskId): number | undefined;
}

export interface ViewSources {
  readonly clock: Clock;
  readonly deployment: DeploymentId;
  readonly version: string;
  readonly registry: { venues(): Venue[]; kiosks(): Iterable<Kiosk> };
  /** `undefined` for a gateway that was not brought back from a backup lately. */
  readonly restored: () => Restored | undefined;
  readonly secondPlace: () => SecondPlaceState | undefined;
  readonly takenBack: () => GatewayView['takenBack'];
  /** How far kiosks are with the gateway's TLS key. */
  readonly pins: () => PinSummary;
  readonly seals: SealSource;
  readonly rollout: RolloutSource;
  readonly board: StateBoard;
  readonly watch: Watch;
  readonly words: WordsFor;
  readonly disk: () => DiskUse;
  /** Those that stand now. */
  readonly flags: () => FlagCounts;
  readonly auditEntries: () => number;
  readonly logLevel: () => string;
}

const RANK: Readonly<Record<Tone, number>> = { act: 0, look: 1, good: 2, off: 3 };
const FEW_DAYS = 14;
/** A refusal that does not come again is no news the day after. */
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const REFUSED_SHOWN_MS = DAY_MS;

/** @throws StoreError when the registry can not be read. */
export function overviewOf(sources: ViewSources): Overview {
  const nowMs = sources.clock.wall();
  const admitted = new Map([...sources.registry.kiosks()].map((kiosk) => [kiosk.kiosk, kiosk]));
  const all = new Set<KioskId>([...admitted.keys(), ...sources.board.kiosks()]);
  const kiosks = [...all]
    .map((kiosk) => kioskViewOf(sources, kiosk, admitted.get(kiosk), nowMs))
    .sort((a, b) => RANK[a.tone] - RANK[b.tone] || a.kiosk.localeCompare(b.kiosk));
  const venues = sources.registry.venues().map(venueViewOf);
  return { gateway: gatewayViewOf(sources, kiosks, nowMs), venues, kiosks };
}

const venueViewOf = ({
  id,
  name,
  organisation,
  site,
  region,
  kind,
  timezone,
  dwellMs,
  lingeringMs,
  threshold,
  unsignedCards,
  areFlagsTold,
  flagOverlapMs,
  areFlaggedSuspected,
  entrances,
}: Venue): VenueView => ({
  id,
  name,
  organisation,
  site,
  region,
  kind,
  timezone,
  dwellMs,
  lingeringMs,
  ...(threshold === undefined ? {} : { thresholdCelsius: threshold / 100 }),
  unsignedCards,
  areFlagsTold,
  flagOverlapMs,
  areFlaggedSuspected,
  entrances: entrances.map((entrance) => ({ id: entrance.id, name: entrance.name, direction: entrance.direction })),
});

function kioskViewOf(sources: ViewSources, kiosk: KioskId, admission: Kiosk | undefined, nowMs: number): KioskView {
  const { board, watch, words } = sources;
  const problems = board.kiosk(kiosk);
  const activity = watch.kiosk(kiosk);
  const { report, reportedAtMs, lastReceivedAtMs, occupancy } = activity;
  const { tone, summary, troubles } = kioskWords(
    { admission, problems, activity, refusedAtMs: refusedAtMsOf(board, kiosk), behindSinceMs: sources.seals.behindSinceMs(kiosk) },
    words,
    nowMs,
    watch.startedAtMs,
  );
  const step = sources.rollout.step(kiosk);
  return {
    kiosk,
    ...(admission?.name !== undefined && { name: admission.name }),
    ...(admission && {
      venue: admission.placement.venue,
      entrance: admission.placement.entrance,
      direction: admission.placement.direction,
    }),
    standing: admission === undefined ? 'unknown' : admission.revokedAtMs === undefined ? 'admitted' : 'revoked',
    tone,
    summary,
    troubles: [...troubles],
    isConnected: problems?.isConnected ?? false,
    ...(report && { clock: report.clock, version: report.version }),
    ...(report?.queued === undefined ? {} : { queued: report.queued }),
    ...(report?.oldestQueuedMs === undefined ? {} : { oldestQueuedMs: report.oldestQueuedMs }),
    ...(report?.scans && { scans: report.scans }),
    isCopied: problems?.isCloned ?? false,
    takeovers: problems?.takeovers ?? 0,
    doubts: Object.values(problems?.doubts ?? {}).reduce((sum, n) => sum + n, 0),
    devices: (report?.devices ?? []).map(({ name, isUp, why, path, downForMs }) => {
      const downSinceMs = downSinceOf(downForMs, reportedAtMs);
      return {
        name,
        isUp,
        ...(why === undefined ? {} : { why: words(why).meaning }),
        ...(path === undefined ? {} : { path }),
        ...(downSinceMs === undefined ? {} : { downSinceMs }),
      };
    }),
    ...(report?.settings && { settings: report.settings }),
    ...(reportedAtMs === undefined ? {} : { reportedAtMs }),
    ...(lastReceivedAtMs === undefined ? {} : { lastReceivedAtMs }),
    rowsPerMinute: [...activity.rowsPerMinute],
    ...(occupancy && {
      occupancy: {
        ...(occupancy.tokens === undefined ? {} : { tokens: occupancy.tokens }),
        slotMs: occupancy.slotMs,
        receivedAtMs: occupancy.receivedAtMs,
      },
    }),
    ...(step && { release: releaseOf(step, report, words) }),
    withheldBatches: problems?.withheld?.batches ?? 0,
    quarantined: problems?.quarantine.items ?? 0,
    missingRows: problems?.missingRows ?? 0,
  };
}

const refusedAtMsOf = ({ refusals }: StateBoard, kiosk: KioskId): number | undefined =>
  refusals.findLast((refusal) => refusal.kiosk === kiosk && refusal.code === 'admission.revoked')?.lastAtMs;

function gatewayViewOf(sources: ViewSources, kiosks: readonly KioskView[], nowMs: number): GatewayView {
  const { board, watch, words } = sources;
  const disk = sources.disk();
  const sinks = [...board.sinks].map(([name, { behindEntries, waitingSinceMs, setAsideEntries, droppedEntries, unerasedRows, code }]) => ({
    name,
    behindEntries,
    setAsideEntries,
    droppedEntries,
    ...(waitingSinceMs === undefined ? {} : { waitingSinceMs }),
    ...(unerasedRows === undefined ? {} : { unerasedRows }),
    ...(code === undefined ? {} : { code, why: words(code).meaning }),
  }));
  const restored = sources.restored();
  const secondPlace = sources.secondPlace();
  const pins = sources.pins();
  const seals = sources.seals.summary();
  const rollout = sources.rollout.summary();
  const notices = noticesOf(board.noticeSummary, words);
  const troubles = [
    ...sinkTroubles(sinks, words, nowMs),
    ...diskTroubles(disk, board.hasReserve),
    ...placeTroubles(secondPlace, words, nowMs),
    ...restoreTroubles(restored),
    ...keyTroubles(pins),
    ...sealTroubles(seals, nowMs),
    ...rolloutTroubles(rollout, words),
    ...noticeTroubles(notices, nowMs),
    ...clockTroubles(board, words),
    ...lateTroubles(board, words),
  ];
  const admitted = kiosks.filter(({ standing }) => standing === 'admitted');
  const acting = admitted.filter(({ tone }) => tone === 'act').length;
  const looking = kiosks.filter(({ tone }) => tone === 'look').length;
  const isOursToAct = troubles.some(({ tone }) => tone === 'act');
  const acknowledgedInS = p99Of(watch.tallies().ack);
  return {
    deployment: sources.deployment,
    version: sources.version,
    tone: acting > 0 || isOursToAct ? 'act' : looking > 0 || troubles.length > 0 ? 'look' : 'good',
    headline: headlineOf({ acting, looking, isOursToAct, hasKiosks: admitted.length > 0, hasTroubles: troubles.length > 0 }),
    troubles,
    atMs: nowMs,
    startedAtMs: watch.startedAtMs,
    admittedKiosks: admitted.length,
    connectedKiosks: admitted.filter(({ isConnected }) => isConnected).length,
    queued: admitted.reduce((sum, { queued = 0 }) => sum + queued, 0),
    queueUnknownKiosks: admitted.filter(({ queued }) => queued === undefined).length,
    rowsPerMinute: watch.rowsPerMinute(),
    ...(acknowledgedInS === undefined ? {} : { acknowledgedInS }),
    sinks,
    disk: {
      freeBytes: disk.freeBytes,
      usedBytes: disk.usedBytes,
      ...(disk.growthBytesPerDay === undefined ? {} : { growthBytesPerDay: disk.growthBytesPerDay }),
      ...(disk.daysLeft === undefined ? {} : { daysLeft: disk.daysLeft }),
    },
    flags: sources.flags(),
    quarantined: kiosks.reduce((sum, { quarantined }) => sum + quarantined, 0),
    refused: [...board.refusals, ...board.door.heldNow]
      .filter(({ lastAtMs }) => nowMs - lastAtMs < REFUSED_SHOWN_MS)
      .map(({ kiosk, code, count, lastAtMs }) => ({ ...(kiosk && { kiosk }), code, meaning: words(code).meaning, count, lastAtMs }))
      .sort((a, b) => b.lastAtMs - a.lastAtMs),
    ...policyOf(board),
    ...(restored && { restored }),
    ...(rollout && { rollout: rolloutOf(rollout, words) }),
    ...(notices && { notices }),
    takenBack: sources.takenBack(),
    key: {
      ...(pins.madeAtMs === undefined ? {} : { madeAtMs: pins.madeAtMs }),
      kiosks: pins.kiosks,
      followed: pins.followed,
      mayNotFollow: pins.mayNotFollow,
    },
    recipient: {
      ...(seals.madeAtMs === undefined ? {} : { madeAtMs: seals.madeAtMs }),
      kiosks: seals.kiosks,
      followed: seals.followed,
      earlier: seals.earlier,
      ...(seals.earlierMayGoAtMs === undefined ? {} : { earlierMayGoAtMs: seals.earlierMayGoAtMs }),
    },
    ...(secondPlace && {
      secondPlace: {
        ...(secondPlace.staleSinceMs === undefined ? {} : { staleSinceMs: secondPlace.staleSinceMs }),
        ...(secondPlace.code === undefined ? {} : { code: secondPlace.code, why: words(secondPlace.code).meaning }),
      },
    }),
    late: { checkpoints: board.checkpointFault !== undefined, opening: board.openingFault !== undefined },
    ...(board.clockDoubt && { clock: board.clockDoubt }),
    droppedEvents: board.droppedEvents,
    auditEntries: sources.auditEntries(),
    logLevel: sources.logLevel(),
  };
}

function policyOf({ policySummary: summary }: StateBoard): Pick<GatewayView, 'policy'> {
  if (summary === undefined) return {};
  const { kiosks, confirmed, refused } = summary;
  const refusing = Object.values(refused).reduce((sum, n) => sum + n, 0);
  return { policy: { confirmed, unconfirmed: Math.max(0, kiosks - confirmed - refusing), refused } };
}

const NO_RESERVE: Trouble = {
  tone: 'act',
  text: 'The disk is so full that nothing can be forgotten any more.',
  advice: 'Make room: what is past its time goes by itself then.',
  code: 'store.disk_full',
};

function diskTroubles({ daysLeft, freeBytes }: DiskUse, hasReserve: boolean): Trouble[] {
  if (!hasReserve) return [NO_RESERVE];
  if (daysLeft === undefined || daysLeft >= FEW_DAYS) return [];
  const text = `The disk is full in ${plural(Math.floor(daysLeft), 'day', 'days')} as things go: ${Math.floor(freeBytes / 1_048_576).toLocaleString('en')} MiB are free.`;
  return [{ tone: daysLeft < 3 ? 'act' : 'look', text, advice: 'Make room, or shorten retentionDays.', code: 'store.disk_full' }];
}

function clockTroubles({ clockDoubt: doubt }: StateBoard, words: WordsFor): Trouble[] {
  if (doubt === undefined) return [];
  const code = DOUBT_CODES[doubt.kind];
  const days = plural(Math.floor(doubt.byMs / DAY_MS), 'day', 'days');
  const { advice } = words(code);
  if (doubt.believedInMs === undefined)
    return [{ tone: 'act', text: `The machine's clock is ${days} behind: what comes now is kept longer.`, advice, code }];
  const hours = plural(Math.ceil(doubt.believedInMs / HOUR_MS), 'hour', 'hours');
  return [
    { tone: 'act', text: `The machine's clock is ${days} ahead: it is believed in ${hours}, and forgotten by it then.`, advice, code },
  ];
}

/** Nothing is lost by it, and kiosks are answered later. */
function lateTroubles({ checkpointFault, openingFault }: StateBoard, words: WordsFor): Trouble[] {
  return [checkpointFault, openingFault]
    .filter((code) => code !== undefined)
    .map((code) => {
      const { meaning, advice } = words(code);
      return { tone: 'look', text: `Kiosks may be answered late: ${meaning}`, advice, code };
    });
}

function headlineOf(about: {
  readonly acting: number;
  readonly looking: number;
  readonly isOursToAct: boolean;
  readonly hasKiosks: boolean;
  readonly hasTroubles: boolean;
}): string {
  const needs = about.acting > 0 ? plural(about.acting, 'kiosk needs you', 'kiosks need you') : '';
  if (about.isOursToAct) return needs === '' ? 'The gateway needs you' : `The gateway and ${needs.replace('needs you', 'need you')}`;
  if (needs !== '') return needs;
  if (about.looking > 0) return `${plural(about.looking, 'kiosk is', 'kiosks are')} worth a look`;
  if (about.hasTroubles) return 'The gateway is worth a look';
  return about.hasKiosks ? 'All is well' : 'No kiosk is admitted yet';
}

/** @returns the bound under which 99 of 100 lie; the last bound for what lies above all. */
export function p99Of({ counts }: Histogram): number | undefined {
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return undefined;
  let under = 0;
  const slot = counts.findIndex((count) => {
    under += count;
    return under >= all * 0.99;
  });
  return ACK_BOUNDS_S[Math.min(slot, ACK_BOUNDS_S.length - 1)];
}
