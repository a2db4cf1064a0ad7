/** A kiosk as the core sees one: seals real rows, key records and batches, and turns them into ledger entries. */
import { type KeyObject, randomBytes } from 'node:crypto';
import type { BatchEntry, DoubtEntry, FlagEntry, Placement } from '../../core/intake.ts';
import type { CoreKeys } from '../../core/keys.ts';
import { decodeBatch, sealBatch } from '../../protocol/batch.ts';
import type { DoubtReason } from '../../protocol/doubt.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import type { ClockState, Happening, VestibuleEvent } from '../../protocol/event.ts';
import {
  type BootId,
  type DeploymentId,
  type EntranceId,
  type Epoch,
  type KeyId,
  type KioskId,
  newPlaceId,
  type Seq,
  type VenueId,
  type VisitorUuid,
} from '../../protocol/ids.ts';
import { sealKeyRecord } from '../../protocol/key-record.ts';
import { RowSealer } from '../../protocol/row.ts';
import { topicOf } from '../../protocol/topics.ts';
import type { CentiCelsius, EpochMillis, MonotonicMillis } from '../../protocol/units.ts';

export const DEPLOYMENT = '0123456789abcdef' as DeploymentId;
export const HOUR = 3_600_000;
export const MINUTE = 60_000;

export const newCard = (): VisitorUuid => new Uint8Array(randomBytes(16)) as VisitorUuid;

/** What happened when, and what the kiosk's own clocks made of it. */
export interface Told {
  readonly happening: Happening;
  /** The truth. */
  readonly atMs: number;
  /** What the kiosk's wall clock said; the truth when not given. */
  readonly wallMs?: number;
  readonly clock?: ClockState;
  /** Another boot than that of the sending, when given. */
  readonly bootId?: BootId;
}

let positions = 0;

export class KioskStub {
  readonly kiosk: KioskId;
  readonly signingKey: KeyObject;
  readonly bootId = new Uint8Array(randomBytes(16)) as BootId;
  readonly epoch = new Uint8Array(randomBytes(8)) as Epoch;
  readonly keyId = new Uint8Array(randomBytes(8)) as KeyId;
  readonly placement: Placement;
  readonly deployment: DeploymentId;
  /** The kiosk has been up for long: its monotonic clock is the true time less this. */
  readonly bootedAtMs = Date.UTC(2026, 8, 1);
  readonly #contentKey = new Uint8Array(randomBytes(32));
  readonly #sealer: RowSealer;
  readonly #keys: CoreKeys;
  #seq = 0;

  constructor(keys: CoreKeys, placement: Partial<Placement> = {}, before?: KioskStub, deployment = before?.deployment ?? DEPLOYMENT) {
    this.#keys = keys;
    this.deployment = deployment;
    this.kiosk = before?.kiosk ?? newPlaceId<KioskId>();
    this.signingKey = before?.signingKey ?? generateSigningKey();
    const place = {
      venue: newPlaceId<VenueId>(),
      entrance: newPlaceId<EntranceId>(),
      direction: 'both',
      dwellMs: HOUR,
      lingeringMs: 0,
    } as const;
    this.placement = { ...place, ...placement };
    const { kiosk, epoch, keyId } = this;
    this.#sealer = new RowSealer({ deployment: this.deployment, kiosk, epoch, keyId }, this.#contentKey);
  }

  /** The same kiosk, its process started again: another content key. */
  restarted(keys: CoreKeys): KioskStub {
    return new KioskStub(keys, this.placement, this);
  }

  /** The sequence number that the next row gets. */
  get nextSeq(): Seq {
    return (this.#seq + 1) as Seq;
  }

  seal(told: Told): { seq: Seq; row: Uint8Array } {
    this.#seq += 1;
    const seq = this.#seq as Seq;
    const { happening, atMs, wallMs = atMs, clock = 'synced', bootId = this.bootId } = told;
    const monotonicMs = (atMs - this.bootedAtMs) as MonotonicMillis;
    const stamp = { wallMs: wallMs as EpochMillis, monotonicMs, bootId, clock };
    return { seq, row: this.#sealer.seal(seq, { stamp, ...happening } as VestibuleEvent) };
  }

  /** Each told happening a row, all in one batch, sent and received at `receivedAtMs`. */
  async batch(told: readonly Told[], receivedAtMs: number): Promise<BatchEntry> {
    return this.entry(
      told.map((one) => this.seal(one)),
      receivedAtMs,
    );
  }

  async entry(rows: readonly { seq: Seq; row: Uint8Array }[], receivedAtMs: number): Promise<BatchEntry> {
    const { kiosk, epoch, keyId, signingKey, placement } = this;
    const contentKey = this.#contentKey;
    const recipients = [this.#keys.recipient];
    const keyRecord = await sealKeyRecord({ deployment: this.deployment, kiosk, epoch, keyId, contentKey, recipients, signingKey });
    positions += 1;
    return {
      kind: 'batch',
      position: positions,
      kiosk,
      kioskPublicKey: rawPublicKey(signingKey),
      placement,
      topic: topicOf(kiosk, 'batch'),
      ...this.sign(rows, signingKey, receivedAtMs),
      keyRecord,
      receivedAtMs: receivedAtMs as EpochMillis,
    };
  }

  /** The list of a batch and its rows, signed with any key. */
  sign(rows: readonly { seq: Seq; row: Uint8Array }[], signingKey: KeyObject, sentMs: number): Pick<BatchEntry, 'sign1' | 'rows'> {
    const topic = topicOf(this.kiosk, 'batch');
    const sentAt = { bootId: this.bootId, monotonicMs: (sentMs - this.bootedAtMs) as MonotonicMillis };
    const keyRecord = new Uint8Array(1);
    const message = sealBatch({ deployment: this.deployment, topic, keyId: this.keyId, sentAt, rows, keyRecord, signingKey });
    const { sign1, rows: sealed } = decodeBatch(message);
    return { sign1, rows: sealed };
  }

  doubt(seq: Seq, reason: DoubtReason, raisedAtMs: number): DoubtEntry {
    positions += 1;
    const row = { kiosk: this.kiosk, keyId: this.keyId, seq };
    return { kind: 'doubt', position: positions, row, reason, raisedAtMs: raisedAtMs as EpochMillis };
  }

  flag(seq: Seq, state: FlagEntry['state'], raisedAtMs: number, expiresAtMs = raisedAtMs + 48 * HOUR): FlagEntry {
    positions += 1;
    const reading = { kiosk: this.kiosk, keyId: this.keyId, seq };
    return {
      kind: 'flag',
      position: positions,
      reading,
      state,
      raisedAtMs: raisedAtMs as EpochMillis,
      expiresAtMs: expiresAtMs as EpochMillis,
    };
  }
}

export const checkIn = (card: VisitorUuid, groupSize = 1): Happening => ({ type: 'check-in', card, groupSize, isSigned: true });
export const checkOut = (card: VisitorUuid): Happening => ({ type: 'check-out', card });
export const undo = (keyId: KeyId, seq: Seq): Happening => ({ type: 'undo', of: { keyId, seq } });
export const reading = (card: VisitorUuid, keyId: KeyId, seq: Seq, centi = 3847): Happening => ({
  type: 'temperature',
  card,
  of: { keyId, seq },
  attempt: 1,
  objectRaw: (centi - 150) as CentiCelsius,
  ambientRaw: 2150 as CentiCelsius,
  estimate: centi as CentiCelsius,
  threshold: 3800 as CentiCelsius,
  offsetId: 1,
  policyVersion: 1,
  calibrationAgeDays: 30,
  isRoomInRange: true,
});

/** A small seeded shuffle of a copy. */
export function shuffled<T>(values: readonly T[], random: () => number): T[] {
  const copy = [...values];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const swapped = copy[i]!;
    copy[i] = copy[j]!;
    copy[j] = swapped;
  }
  return copy;
}
