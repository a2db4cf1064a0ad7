/**
 * Opens the entries of a gateway's ledger without trusting the gateway's reading of them: verifies the kiosk's signatures, opens the
 * content key that was sealed to this core, opens the rows and places them in time. Touches no store.
 */
import { createHash, hash, type KeyObject } from 'node:crypto';
import { type BatchList, matchRows, verifyBatch } from '../protocol/batch.ts';
import { correct } from '../protocol/clock-correction.ts';
import { DOUBT_REASONS } from '../protocol/doubt.ts';
import { publicKeyFromRaw } from '../protocol/ed25519.ts';
import { codeOf, DecodeError, type ErrorCode, IngestError, SealError } from '../protocol/errors.ts';
import type { VestibuleEvent } from '../protocol/event.ts';
import { decodeEvent } from '../protocol/event-codec.ts';
import { type DeploymentId, isPlaceId, type KioskId, type Seq } from '../protocol/ids.ts';
import { openContentKey, verifyKeyRecord } from '../protocol/key-record.ts';
import { type Log, placeOf } from '../protocol/log.ts';
import { RowOpener, type RowPlace } from '../protocol/row.ts';
import { parseTopic } from '../protocol/topics.ts';
import type { ForeignVenue, NamedVenue } from './gateways.ts';
import type { BatchEntry, DoubtEntry, FlagEntry, LedgerEntry, Placement, RowIdentity } from './intake.ts';
import type { CoreKeys } from './keys.ts';
import { LruMap } from './lru-map.ts';
import type { SetAside } from './notes.ts';
import type { StreamName } from './streams.ts';

/** An event, and where and when it was. */
export interface PlacedEvent {
  readonly stream: StreamName;
  readonly seq: Seq;
  readonly placement: Placement;
  readonly atMs: number;
  readonly uncertaintyMs: number;
  /** Whether its time is only the nearest that could be said: the clock was wrong and nothing places it. */
  readonly isUnplaced: boolean;
  readonly receivedAtMs: number;
  readonly event: VestibuleEvent;
}

/** What an entry came to. */
export interface Opened {
  readonly events: readonly PlacedEvent[];
  readonly flag?: FlagEntry;
  readonly doubt?: DoubtEntry;
  readonly setAside: readonly SetAside[];
}

type ContentKey = Omit<RowPlace, 'seq'> & { readonly opener: RowOpener };

/** The last instant that a day's name of ten characters can hold; a bound that every other number is far below, too. */
const LATEST_MS = Date.UTC(10_000, 0) - 1;

const FLAG_STATES: ReadonlySet<string> = new Set(['confirmed', 'unconfirmed', 'cleared']);
const KNOWN_DOUBTS: ReadonlySet<string> = new Set(DOUBT_REASONS);

/** Content keys remembered: a kiosk makes one at each start, and sends it with each batch. */
const MOST_CONTENT_KEYS = 1_024;

export class EntryOpener {
  readonly #deployment: DeploymentId;
  readonly #keys: CoreKeys;
  readonly #log: Log;
  readonly #contentKeys = new LruMap<string, ContentKey>(MOST_CONTENT_KEYS);
  /** By their bytes, as text: one that is made and thrown away for each batch is work for V8's collector, in pauses that PUBACKs wait for. */
  readonly #kioskKeys = new LruMap<string, KeyObject>(MOST_CONTENT_KEYS);

  constructor(options: { readonly deployment: DeploymentId; readonly keys: CoreKeys; readonly log: Log }) {
    this.#deployment = options.deployment;
    this.#keys = options.keys;
    this.#log = options.log;
  }

  /** Never throws for what is wrong in the entry itself: that is told in `setAside`, for all of it or for single rows. */
  async open(entry: LedgerEntry): Promise<Opened> {
    try {
      if (entry.kind === 'batch') return await this.#openBatch(entry);
      if (entry.kind === 'doubt') {
        refuseBadDoubt(entry);
        return { events: [], doubt: entry, setAside: [] };
      }
      refuseBadFlag(entry);
      return { events: [], flag: entry, setAside: [] };
    } catch (error) {
      return { events: [], setAside: [this.#setAside(entry, undefined, fingerprintOf(entry), error)] };
    }
  }

  /** For an entry of a venue that is not its gateway's. */
  refuseForeign(entry: LedgerEntry, why: ForeignVenue): Opened {
    const error = new IngestError(why, "ledger entry: its venue is not its gateway's");
    return { events: [], setAside: [this.#setAside(entry, undefined, fingerprintOf(entry), error)] };
  }

  /** Forgets the content keys. */
  close(): void {
    this.#contentKeys.clear();
    this.#kioskKeys.clear();
  }

  async #openBatch(entry: BatchEntry): Promise<Opened> {
    refuseBadPlacement(entry);
    const { kiosk, topic } = entry;
    if (parseTopic(topic)?.kiosk !== kiosk)
      throw new SealError('seal.kiosk', 'batch: its topic is not of the kiosk that it is said to be from');
    const publicKey = this.#kioskKey(entry.kioskPublicKey);
    const list = verifyBatch(entry.sign1, { deployment: this.#deployment, topic, publicKey });
    const place = await this.#openKeyRecord(entry, publicKey);
    if (Buffer.compare(place.keyId, list.keyId) !== 0)
      throw new SealError('seal.unknown_key', 'batch: its key record is of another content key');
    const events: PlacedEvent[] = [];
    const setAside: SetAside[] = [];
    for (const { seq, row, digest } of matchRows(list.listed, entry.rows)) {
      try {
        events.push(placed(entry, list, { ...place, seq }, decodeEvent(place.opener.open(row, seq))));
      } catch (error) {
        setAside.push(this.#setAside(entry, seq, hashOf(kiosk, Buffer.from(digest, 'binary')), error));
      }
    }
    return { events, setAside };
  }

  #kioskKey(raw: Uint8Array): KeyObject {
    const name = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('latin1');
    return this.#kioskKeys.getOrMake(name, () => publicKeyFromRaw(raw));
  }

  async #openKeyRecord(entry: BatchEntry, publicKey: KeyObject): Promise<ContentKey> {
    const { kiosk, keyRecord } = entry;
    // Known only together with the key that it was verified under.
    const known = hash('sha256', Buffer.concat([Buffer.from(kiosk), entry.kioskPublicKey, keyRecord]), 'base64');
    const held = this.#contentKeys.get(known);
    if (held !== undefined) return held;
    const kioskPlace = { deployment: this.#deployment, kiosk };
    const record = verifyKeyRecord(keyRecord, { ...kioskPlace, publicKey });
    const holder = { id: this.#keys.recipient.id, privateKey: this.#keys.recipientPrivateKey };
    const contentKey = await openContentKey(record, kioskPlace, [holder]);
    const rowPlace = { ...kioskPlace, epoch: record.epoch, keyId: record.keyId };
    const opened = { ...rowPlace, opener: new RowOpener(rowPlace, contentKey) };
    contentKey.fill(0);
    this.#contentKeys.set(known, opened);
    return opened;
  }

  #setAside(entry: LedgerEntry, seq: Seq | undefined, fingerprint: Uint8Array, error: unknown): SetAside {
    // A bug met on one foreign entry must not bring that entry back for ever.
    const code = codeOf(error);
    const reason: ErrorCode = code ?? 'ingest.internal';
    const { position } = entry;
    const kiosk = entry.kind === 'batch' ? entry.kiosk : rowOf(entry).kiosk;
    const receivedAtMs = entry.kind === 'batch' ? entry.receivedAtMs : entry.raisedAtMs;
    this.#log.warn('entry.set_aside', { kiosk, position, seq, reason, ...(code === undefined ? placeOf(error) : {}) });
    return { fingerprint: hashOf(kiosk, Buffer.from(reason), fingerprint), position, kiosk, seq, reason, receivedAtMs };
  }
}

/** @returns which venue an entry is of; `undefined` for one that speaks of rows: it reaches those of its own gateway alone. */
export function venueIn(entry: LedgerEntry): NamedVenue | undefined {
  if (entry.kind !== 'batch') return undefined;
  const { venue, region } = entry.placement;
  return { venue, ...(region === undefined ? {} : { region }) };
}

function placed(entry: BatchEntry, list: BatchList, row: RowPlace, event: VestibuleEvent): PlacedEvent {
  const { receivedAtMs, placement } = entry;
  const { atMs, uncertaintyMs, basis } = correct({ stamp: event.stamp, sentAt: list.sentAt, receivedAtMs });
  const { deployment, kiosk, keyId, seq } = row;
  return {
    stream: { deployment, kiosk, keyId },
    seq,
    placement,
    atMs,
    uncertaintyMs,
    isUnplaced: basis === 'unplaced',
    receivedAtMs,
    event,
  };
}

// The bytes of an entry prove themselves; what the gateway adds to them is only looked at.
function refuseBadPlacement({ kiosk, placement: { venue, dwellMs, lingeringMs, flagRule }, receivedAtMs }: BatchEntry): void {
  if (!isPlaceId(kiosk) || !isPlaceId(venue)) throw new DecodeError('decode.malformed', 'ledger entry: a kiosk or venue id is none');
  for (const number of [dwellMs, lingeringMs, receivedAtMs, flagRule?.version ?? 1, flagRule?.minimumOverlapMs ?? 0])
    refuseBadNumber(number);
}

function refuseBadRow({ kiosk, keyId, seq }: RowIdentity): void {
  if (!isPlaceId(kiosk) || keyId.length !== 8) throw new DecodeError('decode.malformed', 'ledger entry: names no row');
  refuseBadNumber(seq);
}

function refuseBadDoubt({ row, reason, position, raisedAtMs }: DoubtEntry): void {
  refuseBadRow(row);
  if (!KNOWN_DOUBTS.has(reason)) throw new DecodeError('decode.unsupported', 'doubt: a reason that is none');
  for (const number of [position, raisedAtMs]) refuseBadNumber(number);
}

function refuseBadFlag({ reading, state, position, raisedAtMs, expiresAtMs }: FlagEntry): void {
  refuseBadRow(reading);
  if (!FLAG_STATES.has(state)) throw new DecodeError('decode.unsupported', 'flag: a state that is none');
  for (const number of [position, raisedAtMs, expiresAtMs]) refuseBadNumber(number);
}

function refuseBadNumber(number: number): void {
  if (!Number.isSafeInteger(number) || number < 0 || number > LATEST_MS)
    throw new DecodeError('decode.out_of_range', 'ledger entry: a number that is not whole, below 0 or past the year 9999');
}

const rowOf = (entry: FlagEntry | DoubtEntry): RowIdentity => (entry.kind === 'flag' ? entry.reading : entry.row);

function fingerprintOf(entry: LedgerEntry): Uint8Array {
  if (entry.kind === 'batch') return hashOf(entry.kiosk, entry.keyRecord, entry.sign1, ...entry.rows);
  const { kiosk, keyId, seq } = rowOf(entry);
  const said = entry.kind === 'flag' ? entry.state : entry.reason;
  return hashOf(kiosk, keyId, Buffer.from(`${seq}/${said}/${entry.position}`));
}

/** @returns 16 bytes. */
function hashOf(kiosk: KioskId, ...parts: readonly Uint8Array[]): Uint8Array {
  const whole = createHash('sha256').update(kiosk);
  for (const part of parts) whole.update(`/${part.length}/`).update(part);
  return new Uint8Array(whole.digest().subarray(0, 16));
}
