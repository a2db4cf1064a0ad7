/**
 * Tells every admitted kiosk what it is to go by: makes its policy document whenever the rules behind it have changed or the last one grows
 * old, publishes it retained, and hears from the kiosk's state which version it holds.
 */
import { createHash, type KeyObject, randomBytes } from 'node:crypto';
import { encodeCbor } from '../../protocol/cbor.ts';
import type { DeploymentId, KioskId } from '../../protocol/ids.ts';
import type { KioskStateReport } from '../../protocol/kiosk-state.ts';
import type { Log } from '../../protocol/log.ts';
import { makeLostCardFilter } from '../../protocol/lost-card.ts';
import { FILTER_KEY_BYTES } from '../../protocol/marks.ts';
import { encodePolicy, GREATEST_POLICY_VERSION, type Policy } from '../../protocol/policy.ts';
import { MOST_REVOKED_CARDS, makeRevokedCards } from '../../protocol/revoked-cards.ts';
import type { Clock } from '../../protocol/time.ts';
import { DELIVERY, topicOf } from '../../protocol/topics.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import type { Kiosk, Registry } from '../registry.ts';
import { type Issued, isConfirmed } from './policy-book.ts';
import type { VenueRules } from './venue.ts';

export interface PolicyDeskDoors {
  readonly registry: Registry;
  readonly deployment: DeploymentId;
  /** Ed25519. */
  readonly receiptKey: KeyObject;
  /** Raw Ed25519, 32 bytes each: the issuers that this gateway knows now. */
  readonly issuers: () => readonly Uint8Array[];
  /** For venues that do not say. */
  readonly mayTakeUnsigned: boolean;
  /** How long after its link a result may be recorded for a sticker. */
  readonly stickerLifeMs: number;
  readonly publish: (topic: string, payload: Uint8Array, delivery: { readonly qos: 0 | 1; readonly retain: boolean }) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
  onBug(error: unknown): void;
}

/** How far the kiosks are with what they were told. */
export interface PolicySummary {
  /** Admitted kiosks. */
  readonly kiosks: number;
  /** Those that hold the newest version. */
  readonly confirmed: number;
  /** Those that refuse theirs, by the code. */
  readonly refused: Readonly<Record<string, number>>;
  readonly lostCards: number;
}

type Rules = Omit<Policy, 'version' | 'issuedAtMs' | 'expiresAtMs'>;

/** Longer than any kiosk is offline with rows still within retention, so that one that comes back finds a document that it may take. */
const LIFETIME_MS = 30 * 86_400_000;
const RENEW_BEFORE_END_MS = 20 * 86_400_000;
/** Between two slices of documents kiosks are served: 10 to 20 ms each, whether of 64 documents or of so many marks of lost cards. */
const MOST_IN_SLICE = 64;
const MARKS_IN_SLICE = 20_000;

export class PolicyDesk {
  readonly #doors: PolicyDeskDoors;
  readonly #issued = new Map<KioskId, Issued>();
  /** What is on the broker. */
  readonly #published = new Map<KioskId, number>();
  /** Said by kiosks since the last look. */
  readonly #unwritten = new Set<KioskId>();
  /** Kiosks that hold a later version than they were ever sent: this registry was brought back from a backup. */
  readonly #ahead = new Map<KioskId, number>();
  #revision: number | undefined;
  /** That all were told of, one after the other. */
  #issuers = '';
  #renewAtMs = 0;
  #admitted = 0;
  #lostCards = 0;
  /** The last erased card that documents made now tell of, and the last that the newest one of each kiosk tells of. */
  #erasedUpTo = 0;
  readonly #erasedTold = new Map<KioskId, number>();
  /** The version with which a kiosk said that nothing is left of the cards that it tells of; heard since this gateway started. */
  readonly #forgotten = new Map<KioskId, number>();

  /** @throws StoreError. */
  constructor(doors: PolicyDeskDoors) {
    this.#doors = doors;
    for (const issued of doors.registry.policyBook.all()) this.#issued.set(issued.kiosk, issued);
  }

  /**
   * Publishes what has to be published and keeps what kiosks have said. To be called every second; takes a microsecond when nothing changed.
   * @throws StoreError; the next call does what was left.
   */
  async look(signal: AbortSignal): Promise<void> {
    this.#keepWhatWasSaid();
    const { registry, clock, log } = this.#doors;
    const revision = registry.revision();
    const issuers = Buffer.concat(this.#doors.issuers()).toString('base64url');
    const areAllDue = revision !== this.#revision || issuers !== this.#issuers || clock.wall() >= this.#renewAtMs;
    if (!areAllDue && this.#ahead.size === 0) return;
    const rulesOf = this.#ruleMaker();
    // One for all, so that one change has one version, however long the signing takes.
    const nowMs = clock.wall();
    const all = [...registry.kiosks()];
    // A kiosk that says ever later versions makes work for itself alone.
    const kiosks = areAllDue ? all : all.filter(({ kiosk }) => this.#ahead.has(kiosk));
    let signed = 0;
    const slice = Math.max(1, Math.min(MOST_IN_SLICE, Math.floor(MARKS_IN_SLICE / Math.max(1, this.#lostCards))));
    for (let from = 0; from < kiosks.length; from += slice) {
      if (signal.aborted) return;
      signed += this.#tell(kiosks.slice(from, from + slice), rulesOf, nowMs);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    const admitted = all.filter(({ revokedAtMs }) => revokedAtMs === undefined);
    this.#admitted = admitted.length;
    this.#revision = revision;
    this.#issuers = issuers;
    const ends = admitted.flatMap(({ kiosk }) => this.#issued.get(kiosk)?.expiresAtMs ?? []);
    this.#renewAtMs = ends.reduce((first, end) => Math.min(first, end), Number.POSITIVE_INFINITY) - RENEW_BEFORE_END_MS;
    if (signed > 0) log.info('policy.signed', { kiosks: signed, lostCards: this.#lostCards });
  }

  /** Hears a kiosk's state. Only what it says of its policy is taken from it. */
  heard(kiosk: KioskId, { isUp, policy }: KioskStateReport): void {
    const issued = this.#issued.get(kiosk);
    if (!isUp || policy === undefined || issued === undefined) return;
    const { version, why } = policy;
    if (policy.isForgetting !== true) this.#forgotten.set(kiosk, version);
    if (version > issued.version && version < GREATEST_POLICY_VERSION) this.#ahead.set(kiosk, version);
    if (issued.heldVersion === version && issued.refusedCode === why) return;
    if (why !== undefined && why !== issued.refusedCode) this.#doors.log.warn('policy.refused', { kiosk, code: why });
    const heldAtMs = issued.heldVersion === version ? issued.heldAtMs : this.#doors.clock.wall();
    this.#issued.set(kiosk, { ...issued, heldVersion: version, heldAtMs, refusedCode: why });
    this.#unwritten.add(kiosk);
  }

  /** Up to which number of an erased card a kiosk has said that it goes by a document that tells of it, and has nothing more of the card. */
  erasedToldTo(kiosk: KioskId): number {
    const version = this.#issued.get(kiosk)?.version;
    return version !== undefined && version === this.#forgotten.get(kiosk) ? (this.#erasedTold.get(kiosk) ?? 0) : 0;
  }

  summary(): PolicySummary {
    const known = [...this.#published.keys()].flatMap((kiosk) => this.#issued.get(kiosk) ?? []);
    const refused = Map.groupBy(
      known.filter(({ refusedCode }) => refusedCode !== undefined),
      ({ refusedCode = '' }) => refusedCode,
    );
    return {
      kiosks: this.#admitted,
      confirmed: known.filter(isConfirmed).length,
      refused: Object.fromEntries([...refused].map(([code, kiosks]) => [code, kiosks.length])),
      lostCards: this.#lostCards,
    };
  }

  #keepWhatWasSaid(): void {
    const said = [...this.#unwritten].flatMap((kiosk) => this.#issued.get(kiosk) ?? []);
    this.#doors.registry.policyBook.put(said);
    this.#unwritten.clear();
  }

  /** Signs anew where it is needed, keeps that, and only then publishes it. @returns how many were signed anew. */
  #tell(kiosks: readonly Kiosk[], rulesOf: (kiosk: Kiosk, filterKey: Uint8Array) => Rules, nowMs: EpochMillis): number {
    const { registry, deployment, receiptKey, publish, onBug } = this.#doors;
    const signed: Issued[] = [];
    const ready: { readonly kiosk: KioskId; readonly policy: Policy }[] = [];
    for (const kiosk of kiosks) {
      if (kiosk.revokedAtMs !== undefined) {
        this.#withdraw(kiosk.kiosk);
        continue;
      }
      const before = this.#issued.get(kiosk.kiosk);
      const filterKey = before?.filterKey ?? new Uint8Array(randomBytes(FILTER_KEY_BYTES));
      const rules = rulesOf(kiosk, filterKey);
      const issued = this.#issueFor(kiosk.kiosk, before, { filterKey, rules, nowMs });
      if (issued !== before) signed.push(issued);
      const { version, issuedAtMs, expiresAtMs } = issued;
      if (this.#published.get(kiosk.kiosk) !== version)
        ready.push({ kiosk: kiosk.kiosk, policy: { ...rules, version, issuedAtMs, expiresAtMs } });
    }
    registry.policyBook.put(signed);
    for (const issued of signed) {
      this.#issued.set(issued.kiosk, issued);
      this.#ahead.delete(issued.kiosk);
    }
    for (const { kiosk } of kiosks) this.#erasedTold.set(kiosk, this.#erasedUpTo);
    for (const { kiosk, policy } of ready) {
      this.#published.set(kiosk, policy.version);
      publish(topicOf(kiosk, 'policy'), encodePolicy(policy, { deployment, kiosk }, receiptKey), DELIVERY.policy).catch(onBug);
    }
    return signed.length;
  }

  /** @returns `before` itself while it says the same and is good for long enough. */
  #issueFor(
    kiosk: KioskId,
    before: Issued | undefined,
    { filterKey, rules, nowMs }: { readonly filterKey: Uint8Array; readonly rules: Rules; readonly nowMs: EpochMillis },
  ): Issued {
    const rulesDigest = digestOf(rules);
    const isSame = before !== undefined && Buffer.compare(before.rulesDigest, rulesDigest) === 0;
    if (isSame && before.expiresAtMs - nowMs > RENEW_BEFORE_END_MS && !this.#ahead.has(kiosk)) return before;
    // The second it was signed in: a registry brought back from a backup goes on above all that it ever signed.
    const least = Math.max(before?.version ?? 0, this.#ahead.get(kiosk) ?? 0) + 1;
    return {
      kiosk,
      filterKey,
      rulesDigest,
      version: Math.min(Math.max(least, Math.floor(nowMs / 1_000)), GREATEST_POLICY_VERSION),
      issuedAtMs: nowMs,
      expiresAtMs: (nowMs + LIFETIME_MS) as EpochMillis,
      heldVersion: before?.heldVersion,
      heldAtMs: before?.heldAtMs,
      refusedCode: before?.refusedCode,
    };
  }

  /** A revoked kiosk's document is taken off the broker; it is told a new one when it is admitted again. */
  #withdraw(kiosk: KioskId): void {
    this.#ahead.delete(kiosk);
    if (!this.#published.delete(kiosk)) return;
    this.#doors.publish(topicOf(kiosk, 'policy'), new Uint8Array(0), DELIVERY.policy).catch(this.#doors.onBug);
  }

  /** Reads the venues and the lost cards once for all kiosks. @throws StoreError. */
  #ruleMaker(): (kiosk: Kiosk, filterKey: Uint8Array) => Rules {
    const { registry, mayTakeUnsigned, stickerLifeMs } = this.#doors;
    const issuers = this.#doors.issuers();
    const venues = new Map(registry.venues().map((venue) => [venue.id, venue]));
    const lost = registry.lostList.digests();
    this.#lostCards = lost.length;
    const { erasedCards } = registry;
    const erased = erasedCards.newest(MOST_REVOKED_CARDS);
    this.#erasedUpTo = erased.upTo;
    return ({ placement, isDirectionTold, role }, filterKey) => {
      const venue = venues.get(placement.venue);
      return {
        venue: placement.venue,
        entrance: placement.entrance,
        direction: isDirectionTold ? placement.direction : undefined,
        issuers,
        mayTakeUnsigned: takesUnsigned(venue?.unsignedCards ?? 'as-gateway', mayTakeUnsigned),
        dwellMs: placement.dwellMs,
        threshold: venue?.threshold,
        lostCards: makeLostCardFilter(lost, filterKey),
        ...makeRevokedCards(erased.tombstones, erasedCards.tombstoneKey, filterKey),
        ...(role === 'clinic' ? { clinic: { stickerLifeMs, clinicians: registry.clinicians.digestsAt(placement.venue) } } : {}),
      };
    };
  }
}

function takesUnsigned(atVenue: VenueRules['unsignedCards'], atGateway: boolean): boolean {
  switch (atVenue) {
    case 'as-gateway':
      return atGateway;
    case 'taken':
      return true;
    case 'refused':
      return false;
  }
}

/** The filter's key is the kiosk's for good and says nothing new. */
const digestOf = ({
  venue,
  entrance,
  direction,
  issuers,
  mayTakeUnsigned,
  dwellMs,
  threshold,
  lostCards,
  revokedCards,
  clinic,
}: Rules): Uint8Array => {
  const rules = [venue, entrance, direction ?? null, issuers, mayTakeUnsigned, dwellMs, threshold ?? null, lostCards.marks];
  const ofClinic = clinic === undefined ? [] : [[clinic.stickerLifeMs, clinic.clinicians]];
  return new Uint8Array(
    createHash('sha256')
      .update(encodeCbor([...rules, ...ofClinic, ...(revokedCards === undefined ? [] : [revokedCards.marks])]))
      .digest(),
  );
};
