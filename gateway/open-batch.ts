/**
 * Reads one batch message down to its events: decode, verify the key record and the list, match the rows, open each.
 * Keeps nothing but the content keys it opened lately, in memory.
 */
import type { KeyObject } from 'node:crypto';
import { decodeBatch, type MatchedRow, matchRows, type SentAt, verifyBatchBy } from '../protocol/batch.ts';
import { type CheckSignature, isSignedBy, publicKeyFromRaw } from '../protocol/ed25519.ts';
import { codeOf, type ErrorCode, SealError } from '../protocol/errors.ts';
import type { VestibuleEvent } from '../protocol/event.ts';
import { decodeEvent } from '../protocol/event-codec.ts';
import type { DeploymentId, Epoch, KeyId } from '../protocol/ids.ts';
import { type Holder, openContentKey, verifyKeyRecord } from '../protocol/key-record.ts';
import { digestTextOf, RowOpener } from '../protocol/row.ts';
import type { ArrivedRow } from './ledger.ts';
import type { Kiosk } from './registry.ts';

/** A row and what is in it, or why that can not be read. */
export type OpenedRow = ArrivedRow & ({ readonly event: VestibuleEvent } | { readonly fault: ErrorCode });

export interface OpenedBatch<Row = OpenedRow> {
  readonly keyRecord: Uint8Array;
  readonly sign1: Uint8Array;
  readonly epoch: Epoch;
  readonly keyId: KeyId;
  readonly sentAt: SentAt;
  /** Ascending by sequence number. */
  readonly rows: readonly Row[];
}

/** A batch that is verified and open, to be read when it is decided: one that a thread opened is bytes until then, and a dozen objects a row after. */
export interface UnreadBatch {
  /** May read anew at each call: whoever waits for the batch keeps this, not what it gives. */
  read(): OpenedBatch;
}

/** A row and the bytes of its event, not looked at yet. */
export type UnsealedRow = ArrivedRow & { readonly plaintext: Uint8Array };

/** Whose batch it is. */
export type Signer = Pick<Kiosk, 'kiosk' | 'publicKey'>;

/** Opens batches, here or on another thread. */
export interface Opener {
  /** As BatchOpener's. */
  open(message: Uint8Array, topic: string, kiosk: Signer): Promise<UnreadBatch>;
}

interface OpenKey {
  readonly epoch: Epoch;
  readonly keyId: KeyId;
  readonly opener: RowOpener;
}

/** A kiosk has one content key for each of its starts, and its backlog may span a few. */
const MOST_OPEN_KEYS = 8_192;

export class BatchOpener implements Opener {
  readonly #deployment: DeploymentId;
  readonly #holders: readonly Holder[];
  /** In order of last use, by kiosk and digest of the whole verified record. */
  readonly #keys = new Map<string, OpenKey>();
  /** Made once: it costs a third of the verification it is for. */
  readonly #publicKeys = new WeakMap<Signer, KeyObject>();

  readonly #check: CheckSignature;

  /** @param holders the gateway as a recipient. @param check of lists; key records are few. */
  constructor(deployment: DeploymentId, holders: readonly Holder[], check: CheckSignature = isSignedBy) {
    this.#deployment = deployment;
    this.#holders = holders;
    this.#check = check;
  }

  /**
   * @param topic the one the message came on.
   * @returns the batch with its rows open; a row that alone is wrong has its fault instead of an event.
   * @throws DecodeError and SealError when the batch is wrong in itself; `seal.unknown_recipient` when it is sealed for others,
   * which may be the gateway's own fault; `seal.unknown_key` when list and key record name different keys.
   */
  async open(message: Uint8Array, topic: string, kiosk: Signer): Promise<UnreadBatch> {
    const opened = await this.#openEach(message, topic, kiosk, openOne);
    return { read: () => opened };
  }

  /** As `open`, the events as bytes. @throws as `open`, and for a row that alone is wrong. */
  async unseal(message: Uint8Array, topic: string, kiosk: Signer): Promise<OpenedBatch<UnsealedRow>> {
    return this.#openEach(message, topic, kiosk, ({ opener }, row) => ({ ...row, plaintext: opener.open(row.row, row.seq) }));
  }

  async #openEach<Row>(
    message: Uint8Array,
    topic: string,
    kiosk: Signer,
    openRow: (key: OpenKey, row: MatchedRow) => Row,
  ): Promise<OpenedBatch<Row>> {
    const { keyRecord, sign1, rows } = decodeBatch(message);
    const publicKey = this.#publicKeyOf(kiosk);
    const { keyId, sentAt, listed } = await verifyBatchBy(this.#check, sign1, { deployment: this.#deployment, topic, publicKey });
    const matched = ascending(matchRows(listed, rows));
    const key = this.#cached(kiosk, keyRecord) ?? (await this.#openKey(kiosk, keyRecord));
    if (Buffer.compare(key.keyId, keyId) !== 0) throw new SealError('seal.unknown_key', 'batch: list and key record name different keys');
    return { keyRecord, sign1, epoch: key.epoch, keyId, sentAt, rows: matched.map((row) => openRow(key, row)) };
  }

  #publicKeyOf(kiosk: Signer): KeyObject {
    const known = this.#publicKeys.get(kiosk);
    if (known !== undefined) return known;
    const made = publicKeyFromRaw(kiosk.publicKey);
    this.#publicKeys.set(kiosk, made);
    return made;
  }

  #cached(kiosk: Signer, keyRecord: Uint8Array): OpenKey | undefined {
    const name = nameOf(kiosk, keyRecord);
    const key = this.#keys.get(name);
    if (key === undefined) return undefined;
    this.#keys.delete(name);
    this.#keys.set(name, key);
    return key;
  }

  async #openKey(kiosk: Signer, keyRecord: Uint8Array): Promise<OpenKey> {
    const place = { deployment: this.#deployment, kiosk: kiosk.kiosk };
    const record = verifyKeyRecord(keyRecord, { ...place, publicKey: this.#publicKeyOf(kiosk) });
    const { epoch, keyId } = record;
    const opener = new RowOpener({ ...place, epoch, keyId }, await openContentKey(record, place, this.#holders));
    const key = { epoch, keyId, opener };
    this.#keys.set(nameOf(kiosk, keyRecord), key);
    const oldest = this.#keys.size > MOST_OPEN_KEYS ? this.#keys.keys().next().value : undefined;
    if (oldest !== undefined) this.#keys.delete(oldest);
    return key;
  }
}

const nameOf = (kiosk: Signer, keyRecord: Uint8Array): string => `${kiosk.kiosk} ${digestTextOf(keyRecord)}`;

const openOne = ({ opener }: OpenKey, row: MatchedRow): OpenedRow => withEvent(row, () => opener.open(row.row, row.seq));

/** @returns the row with its event, or with why that can not be read. */
export function withEvent({ seq, row, digest }: ArrivedRow, plaintext: () => Uint8Array): OpenedRow {
  try {
    return { seq, row, digest, event: decodeEvent(plaintext()) };
  } catch (error) {
    const fault = codeOf(error);
    if (fault === undefined) throw error;
    return { seq, row, digest, fault };
  }
}

const ascending = (rows: MatchedRow[]): MatchedRow[] =>
  rows.every(({ seq }, index) => index === 0 || seq > (rows[index - 1]?.seq ?? 0)) ? rows : rows.toSorted((a, b) => a.seq - b.seq);
