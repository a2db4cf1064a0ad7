/**
 * A kiosk for load: seals and signs each batch when it is to be sent, at little cost of its own. Rows are a check-in whose card
 * changes; what differs from row to row is written into bytes that were encoded once.
 */
import { createCipheriv, createSecretKey, hash, type KeyObject, randomBytes, randomFillSync, sign } from 'node:crypto';
import { encodeCbor, headLength, MAJOR, writeHead } from '../../protocol/cbor.ts';
import { signatureStructure } from '../../protocol/cose.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { encodeEvent } from '../../protocol/event-codec.ts';
import type { Recipient } from '../../protocol/hpke.ts';
import { type BootId, type DeploymentId, type Epoch, type KeyId, type KioskId, newPlaceId, type VisitorUuid } from '../../protocol/ids.ts';
import { sealKeyRecord } from '../../protocol/key-record.ts';
import { systemClock } from '../../protocol/time.ts';
import { topicOf } from '../../protocol/topics.ts';
import type { EpochMillis, MonotonicMillis } from '../../protocol/units.ts';

/** Whom the kiosks seal for. */
export interface Target {
  readonly deployment: DeploymentId;
  readonly recipient: Recipient;
  /** A core that opens rows itself. */
  readonly core?: Recipient;
}

/** What it sends is a backlog of an earlier boot, as much as a door can have: visitors in the day, none at night. */
const BACKLOG_MS = 20 * 86_400_000;
const VISITOR_EVERY_MS = 1_600;
const MORNING_HOUR = 5;
/** Encoded in 8 bytes, like every later one. */
const FIRST_MONOTONIC_MS = 2 ** 33;

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

const CARD = new Uint8Array(16).fill(0xab);
const SIGN1_HEADER = encodeCbor(new Map([[1, -19]]));
/** An array of 3, the protected header of A256GCM with a counter of 0, an empty map. */
const ROW_START = Buffer.from('8351a20103054c000000000000000000000000a0', 'hex');
const COUNTER_AT = 11;
const IV_AT = 7;
const TAG_BYTES = 16;

const headed = (major: number, argument: number): Uint8Array => {
  const bytes = new Uint8Array(headLength(argument));
  writeHead(bytes, 0, major, argument);
  return bytes;
};

export class BenchKiosk {
  readonly kiosk = newPlaceId<KioskId>();
  readonly signingKey: KeyObject = generateSigningKey();
  readonly topic = topicOf(this.kiosk, 'batch');
  readonly #cards = Buffer.alloc(65_536);
  readonly #contentKey = randomBytes(32);
  readonly #key = createSecretKey(this.#contentKey);
  readonly #keyId = new Uint8Array(randomBytes(8)) as KeyId;
  readonly #epoch = new Uint8Array(randomBytes(8)) as Epoch;
  readonly #bootId = new Uint8Array(randomBytes(16)) as BootId;
  readonly #event: Buffer;
  readonly #cardAt: number;
  readonly #wallAt: number;
  readonly #monotonicAt: number;
  readonly #bootWallMs: number;
  #wallMs: number;
  #target: Target | undefined;
  #keyRecord: Uint8Array = new Uint8Array();
  #aad: Uint8Array = new Uint8Array();
  #batchAad: Uint8Array = new Uint8Array();
  #cardsAt = 65_536;
  #seq = 0;
  #backlog = new Backlog(0, () => EMPTY_ROW);

  constructor() {
    this.#wallMs = systemClock.wall() - BACKLOG_MS;
    const stamp = {
      wallMs: this.#wallMs as EpochMillis,
      monotonicMs: FIRST_MONOTONIC_MS as MonotonicMillis,
      bootId: new Uint8Array(randomBytes(16)) as BootId,
      clock: 'synced' as const,
    };
    this.#event = Buffer.from(encodeEvent({ stamp, type: 'check-in', card: CARD as VisitorUuid, groupSize: 1, isSigned: true }));
    this.#cardAt = this.#event.indexOf(CARD);
    this.#wallAt = this.#event.indexOf(uint64(this.#wallMs));
    this.#monotonicAt = this.#event.indexOf(uint64(FIRST_MONOTONIC_MS));
    this.#bootWallMs = this.#wallMs - FIRST_MONOTONIC_MS;
  }

  get publicKey(): string {
    return Buffer.from(rawPublicKey(this.signingKey)).toString('base64url');
  }

  async sealFor(target: Target): Promise<void> {
    const { deployment, recipient, core } = target;
    const place = { deployment, kiosk: this.kiosk, epoch: this.#epoch, keyId: this.#keyId };
    this.#keyRecord = await sealKeyRecord({
      ...place,
      contentKey: this.#contentKey,
      recipients: core === undefined ? [recipient] : [recipient, core],
      signingKey: this.signingKey,
    });
    this.#aad = encodeCbor(['vestibule-row-1', deployment, this.kiosk, this.#epoch, this.#keyId, 0]).slice(0, -1);
    this.#batchAad = encodeCbor(['vestibule-batch-1', deployment, this.topic]);
    this.#target = target;
  }

  /**
   * Seals rows before they are sent, as a kiosk does when they happen: what it drains later it only lists and signs. They take the place
   * of what was sealed ahead before.
   */
  sealAhead(rows: number): void {
    this.#backlog = new Backlog(rows, (index) => this.#row(this.#seq + 1 + index));
  }

  /** @returns the next batch of this many rows, listed and signed now; sealed now too, unless they were sealed ahead. */
  batch(rows: number): Buffer {
    if (this.#target === undefined) throw new Error('bench: sealed for nobody');
    const entries: Uint8Array[] = [];
    const sealed: Uint8Array[] = [];
    for (let i = 0; i < rows; i++) {
      this.#seq += 1;
      const row = this.#backlog.next() ?? this.#row(this.#seq);
      entries.push(headed(MAJOR.array, 2), headed(MAJOR.unsigned, this.#seq), DIGEST_HEAD, hash('sha256', row, 'buffer'));
      sealed.push(headed(MAJOR.bytes, row.length), row);
    }
    const sentAt = encodeCbor([this.#bootId, systemClock.monotonic()]);
    const payload = Buffer.concat([headed(MAJOR.array, 3), encodeCbor(this.#keyId), sentAt, headed(MAJOR.array, rows), ...entries]);
    const signature = sign(null, signatureStructure(SIGN1_HEADER, this.#batchAad, payload), this.signingKey);
    const sign1 = Buffer.concat([
      headed(MAJOR.array, 4),
      encodeCbor(SIGN1_HEADER),
      EMPTY_MAP,
      headed(MAJOR.bytes, payload.length),
      payload,
      SIGNATURE_HEAD,
      signature,
    ]);
    return Buffer.concat([
      headed(MAJOR.array, 3),
      headed(MAJOR.bytes, this.#keyRecord.length),
      this.#keyRecord,
      headed(MAJOR.bytes, sign1.length),
      sign1,
      headed(MAJOR.array, rows),
      ...sealed,
    ]);
  }

  /** One event as JSON with a signature of its own, for a road without batches. */
  signedJson(): Buffer {
    this.#seq += 1;
    const body = `{"kiosk":"${this.kiosk}","seq":${this.#seq},"atMs":${systemClock.wall()},"type":"check-in","card":"${this.#nextCard().toString('hex')}","groupSize":1,"isSigned":true`;
    return Buffer.from(`${body},"signature":"${sign(null, Buffer.from(body), this.signingKey).toString('base64')}"}`);
  }

  #nextCard(): Buffer {
    if (this.#cardsAt + CARD.length > this.#cards.length) {
      randomFillSync(this.#cards);
      this.#cardsAt = 0;
    }
    this.#cardsAt += CARD.length;
    return this.#cards.subarray(this.#cardsAt - CARD.length, this.#cardsAt);
  }

  #stepTime(): void {
    this.#wallMs += VISITOR_EVERY_MS;
    const hour = new Date(this.#wallMs).getUTCHours();
    if (hour < MORNING_HOUR) this.#wallMs += (MORNING_HOUR - hour) * 3_600_000;
    this.#event.writeBigUInt64BE(BigInt(this.#wallMs), this.#wallAt);
    this.#event.writeBigUInt64BE(BigInt(this.#wallMs - this.#bootWallMs), this.#monotonicAt);
  }

  #row(seq: number): Buffer {
    const sealedBytes = this.#event.length + TAG_BYTES;
    const row = Buffer.allocUnsafe(ROW_START.length + headLength(sealedBytes) + sealedBytes);
    ROW_START.copy(row);
    // One nonce for each sequence number: a bench never seals one twice.
    row.writeUInt32BE(Math.floor(seq / 4_294_967_296), COUNTER_AT);
    row.writeUInt32BE(seq % 4_294_967_296, COUNTER_AT + 4);
    const at = writeHead(row, ROW_START.length, MAJOR.bytes, sealedBytes);
    const aadBytes = this.#aad.length + headLength(seq);
    const aad = Buffer.allocUnsafe(11 + 17 + headLength(aadBytes) + aadBytes);
    aad.set(ENCRYPT0_START);
    row.copy(aad, 11, 2, 19);
    const aadAt = writeHead(aad, 28, MAJOR.bytes, aadBytes);
    aad.set(this.#aad, aadAt);
    writeHead(aad, aadAt + this.#aad.length, MAJOR.unsigned, seq);
    const cipher = createCipheriv('aes-256-gcm', this.#key, row.subarray(IV_AT, IV_AT + 12));
    cipher.setAAD(aad);
    this.#nextCard().copy(this.#event, this.#cardAt);
    this.#stepTime();
    row.set(cipher.update(this.#event), at);
    cipher.final();
    row.set(cipher.getAuthTag(), at + this.#event.length);
    return row;
  }
}

/** Sealed rows of one length, one behind the other in one piece of memory: millions of them are no work for the garbage collector. */
class Backlog {
  readonly #bytes: Buffer;
  readonly #rowBytes: number;
  #at = 0;

  constructor(rows: number, seal: (index: number) => Buffer) {
    const first = rows > 0 ? seal(0) : EMPTY_ROW;
    this.#rowBytes = first.length;
    this.#bytes = Buffer.allocUnsafeSlow(rows * first.length);
    for (let index = 0; index < rows; index++) (index === 0 ? first : seal(index)).copy(this.#bytes, index * this.#rowBytes);
  }

  next(): Buffer | undefined {
    if (this.#at === this.#bytes.length) return undefined;
    this.#at += this.#rowBytes;
    return this.#bytes.subarray(this.#at - this.#rowBytes, this.#at);
  }
}

const EMPTY_ROW = Buffer.alloc(0);
const EMPTY_MAP = Uint8Array.of(0xa0);
const DIGEST_HEAD = Uint8Array.of(0x58, 32);
const SIGNATURE_HEAD = Uint8Array.of(0x58, 64);
/** Enc_structure up to the protected header: an array of 3, the text "Encrypt0", a byte string of 17. */
const ENCRYPT0_START = Buffer.concat([Uint8Array.of(0x83, 0x68), Buffer.from('Encrypt0'), Uint8Array.of(0x51)]);
