/**
 * From an event to a promise: stamped, sealed, appended. Holds the outbox and the content key, and brings both back after the store
 * failed: a damaged outbox is set aside, a store that refused is tried again every few seconds.
 */
import { createPublicKey } from 'node:crypto';
import type { Seen } from '../protocol/enrol.ts';
import { codeOf, DecodeError, type ErrorCode, SealError, StoreError } from '../protocol/errors.ts';
import type { Happening, RowRef, Stamp } from '../protocol/event.ts';
import type { KeyId } from '../protocol/ids.ts';
import { verifyKeyRecord } from '../protocol/key-record.ts';
import type { Log } from '../protocol/log.ts';
import type { RowOpener } from '../protocol/row.ts';
import type { Clock } from '../protocol/time.ts';
import type { EpochMillis, MonotonicMillis } from '../protocol/units.ts';
import { type ContentKey, type KeyParts, makeContentKey } from './content-key.ts';
import { type OpenedOutbox, openOutbox } from './open-outbox.ts';
import type { Outbox } from './outbox.ts';
import type { KeptKey, KeyNumber, OutboxLimits, OutboxRow } from './outbox-row.ts';

/** When something happened, by both clocks. */
export interface Moment {
  readonly wallMs: EpochMillis;
  readonly monotonicMs: MonotonicMillis;
}

export interface RecorderOptions {
  readonly dir: string;
  readonly limits: OutboxLimits;
  /** As they are at present. */
  readonly keyParts: () => KeyParts;
  readonly clock: Clock;
  readonly log: Log;
  readonly stamp: (at: Moment) => Stamp;
  /** Whether the store keeps what it is given; told of each change. */
  readonly onStore: (why: ErrorCode | undefined) => void;
  /** An outbox came into use, in place of the one before; with the rows saved where a damaged one was set aside. */
  readonly onOutbox: (outbox: Outbox, salvagedRows: number | undefined) => void;
  /**
   * The outbox that was in use is let go of: resolves once nothing else has its files open. A connection that opens the file before it is moved
   * aside, and the log by its name after, moves the new outbox's rows into the old one's file.
   */
  readonly leaveOutbox: () => Promise<void>;
  /** A row is durable, and whoever appended it has gone on: what answers a scan does not wait for this. */
  readonly onAppended: (row: OutboxRow) => void;
}

const TRY_AGAIN_MS = 5_000;

export class Recorder {
  readonly #options: RecorderOptions;
  #outbox: Outbox | undefined;
  #contentKey: ContentKey | undefined;
  /** Under which the present key's record is kept; `undefined` until it is. */
  #key: KeyNumber | undefined;
  #why: ErrorCode | undefined;
  #wake = new AbortController();
  #isFrozen = false;
  #appended = 0;
  /** Steps up each time that recipients are others: a key that was begun before is not gone by. */
  #renewals = 0;
  /** The key records of an outbox in which damage was met, until another one is open. */
  #ofDamaged: ReadonlyMap<KeyNumber, KeptKey> | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** The present outbox; `undefined` while none can be opened. */
  get outbox(): Outbox | undefined {
    return this.#outbox;
  }

  /** Rows appended since this process started. */
  get appended(): number {
    return this.#appended;
  }

  /** Opens the outbox and makes its key. A store that can not be opened is reported, and tried again by `keepOpen`. */
  async open(): Promise<void> {
    if (this.#isFrozen) return;
    const { dir, limits, clock, log, keyParts, onOutbox } = this.#options;
    let opened: OpenedOutbox;
    try {
      const records = { isSound: (record: Uint8Array) => this.#isSound(record), inMemory: this.#ofDamaged };
      opened = openOutbox(dir, limits, { wallMs: clock.wall(), monotonicMs: clock.monotonic() }, log, records);
    } catch (error) {
      this.#note(error);
      return;
    }
    this.#ofDamaged = undefined;
    let renewals: number;
    do {
      renewals = this.#renewals;
      this.#contentKey = await makeContentKey(keyParts(), opened.outbox.epoch);
    } while (renewals !== this.#renewals);
    this.#outbox = opened.outbox;
    onOutbox(opened.outbox, opened.salvagedRows);
    try {
      this.#keepKey(opened.outbox, this.#contentKey);
      this.#note(undefined);
    } catch (error) {
      this.failed(error);
    }
  }

  /**
   * When this returns, a power cut can not lose the event.
   * @param at when it happened. @returns what names its row.
   * @throws StoreError when it was not kept; then nothing was.
   */
  append(happening: Happening, at: Moment): RowRef {
    const { log } = this.#options;
    const outbox = this.#outbox;
    const contentKey = this.#contentKey;
    if (outbox === undefined || contentKey === undefined) throw new StoreError(storeCode(this.#why), 'recorder: no outbox is open');
    try {
      const key = this.#key ?? this.#keepKey(outbox, contentKey);
      const stamp = this.#options.stamp(at);
      let row = new Uint8Array();
      const seal = (seq: OutboxRow['seq']) => {
        row = new Uint8Array(contentKey.sealer.seal(seq, { ...happening, stamp }));
        log.debug('row.sealed', () => ({ seq, lengthBytes: row.length }));
        return row;
      };
      const wallMs = stamp.clock === 'synced' ? stamp.wallMs : undefined;
      const seq = outbox.append(key, seal, { wallMs, monotonicMs: at.monotonicMs });
      this.#appended += 1;
      log.debug('row.appended', () => ({ seq }));
      this.#note(undefined);
      // Once the answer is out.
      queueMicrotask(() => {
        this.#options.onAppended({ position: seq, key, seq, row });
        contentKey.sealer.makeReady(outbox.nextSeq);
      });
      return { keyId: contentKey.keyId, seq };
    } catch (error) {
      this.failed(error);
      throw error;
    }
  }

  /**
   * The key record to send rows under `key` with.
   * @throws StoreError store.corrupt when it is damaged: sent with it, its rows could be opened by nobody, and would be settled.
   */
  keyFor(outbox: Outbox, key: KeyNumber): KeptKey {
    if (key === this.#key && outbox === this.#outbox && this.#contentKey !== undefined) return this.#contentKey;
    const kept = outbox.keyOf(key);
    if (!this.#isSound(kept.record)) throw new StoreError('store.corrupt', 'outbox: a key record is damaged');
    return kept;
  }

  /** The key that rows are sealed under at present; `undefined` until its record is kept. */
  get present(): { readonly key: KeyNumber; readonly opener: RowOpener } | undefined {
    return this.#key === undefined || this.#contentKey === undefined ? undefined : { key: this.#key, opener: this.#contentKey.opener };
  }

  /** Seals under another key from the next row on: recipients are others than they were. */
  async renewKey(): Promise<void> {
    const renewals = ++this.#renewals;
    const outbox = this.#outbox;
    if (outbox === undefined) return;
    const made = await makeContentKey(this.#options.keyParts(), outbox.epoch);
    if (this.#outbox !== outbox || this.#renewals !== renewals) return;
    this.#contentKey = made;
    this.#key = undefined;
    this.#options.log.info('key.renewed');
  }

  /** The id of the key that rows are sealed under at present. */
  get keyId(): KeyId | undefined {
    return this.#contentKey?.keyId;
  }

  /**
   * Takes note of a failure of the store, met here or by whoever reads the outbox. A damaged outbox is let go of at once.
   * @throws `error` itself when it is no StoreError.
   */
  failed(error: unknown): void {
    this.#note(error);
    if (codeOf(error) !== 'store.corrupt') return;
    this.#ofDamaged = new Map(this.#key === undefined || this.#contentKey === undefined ? [] : [[this.#key, this.#contentKey]]);
    this.#letGo();
    this.#wake.abort();
  }

  /**
   * Told how far the gateway has the rows of this kiosk's outboxes. One that is behind that is an older copy of itself, from an image or a
   * backup: it is set aside as a damaged one is, its rows carried over, and numbers are counted anew in a new epoch.
   */
  heard(seen: readonly Seen[]): void {
    const outbox = this.#outbox;
    if (outbox === undefined) return;
    try {
      const { epoch, nextSeq } = outbox;
      const lastSeq = seen.find((one) => Buffer.compare(one.epoch, epoch) === 0)?.seq ?? 0;
      if (lastSeq < nextSeq) return;
      this.#options.log.error('outbox.older_than_seen', { byRows: lastSeq - nextSeq + 1 });
      throw new StoreError('store.corrupt', 'outbox: an older copy of itself');
    } catch (error) {
      this.failed(error);
    }
  }

  /** The disk does not answer, or does again: nothing is begun meanwhile that could not be ended. */
  frozen(isFrozen: boolean): void {
    this.#isFrozen = isFrozen;
    this.#outbox?.freeze(isFrozen);
    if (isFrozen) this.#note(new StoreError('store.hung', 'recorder: the disk does not answer'));
    else this.#wake.abort();
  }

  /** Until abort: opens what is not open, and asks a store that refused whether it keeps again. */
  async keepOpen(signal: AbortSignal): Promise<void> {
    // Not AbortSignal.any: of each the long-lived signal keeps some bytes.
    const stop = () => this.#wake.abort();
    signal.addEventListener('abort', stop, { once: true });
    while (!signal.aborted) {
      await this.#options.clock.sleep(TRY_AGAIN_MS, this.#wake.signal);
      if (signal.aborted) return;
      this.#wake = new AbortController();
      if (this.#outbox === undefined) {
        await this.#options.leaveOutbox();
        if (signal.aborted) return;
        await this.open();
      }
      if (this.#why !== undefined && this.#outbox !== undefined) this.#probe();
    }
  }

  close(): void {
    this.#letGo();
  }

  /** The event that tells of the recovery is the question whether there is one. */
  #probe(): void {
    const { clock } = this.#options;
    try {
      this.append({ type: 'kiosk-state', state: 'store-recovered', byMs: 0 }, { wallMs: clock.wall(), monotonicMs: clock.monotonic() });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }

  #keepKey(outbox: Outbox, { keyId, record }: ContentKey): KeyNumber {
    this.#key = outbox.keepKey(keyId, record);
    this.#options.log.debug('key.kept');
    return this.#key;
  }

  /** @returns whether this kiosk signed that key record. */
  #isSound(record: Uint8Array): boolean {
    const { deployment, kiosk, signingKey } = this.#options.keyParts();
    try {
      verifyKeyRecord(record, { deployment, kiosk, publicKey: createPublicKey(signingKey) });
      return true;
    } catch (error) {
      if (error instanceof SealError || error instanceof DecodeError) return false;
      throw error;
    }
  }

  #letGo(): void {
    this.#outbox?.close();
    this.#outbox = undefined;
    this.#contentKey = undefined;
    this.#key = undefined;
  }

  #note(error: unknown): void {
    const why = error === undefined ? undefined : codeOf(error);
    if (error !== undefined && !(error instanceof StoreError)) throw error;
    if (why === this.#why) return;
    this.#why = why;
    if (why === undefined) this.#options.log.info('store.recovered');
    else this.#options.log.error('store.refused', { code: why });
    this.#options.onStore(why);
  }
}

const storeCode = (why: ErrorCode | undefined): ErrorCode => why ?? 'store.failed';
