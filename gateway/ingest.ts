/**
 * Decides what becomes of each batch before the broker may acknowledge it. All that arrived within one turn of the event loop
 * is committed by one transaction, so that many kiosks share one fsync.
 *
 * | what is wrong                              | answer                                                   |
 * |--------------------------------------------|----------------------------------------------------------|
 * | nothing                                    | committed, acknowledged                                  |
 * | the batch, or a row of it, in itself       | quarantine, acknowledged                                 |
 * | maybe the gateway (store, recipient key)   | not acknowledged, held and tried again; someone is told  |
 * | a bug met on this batch                    | quarantine `ingest.internal`, acknowledged               |
 * | the kiosk: revoked, or its quarantine full | not acknowledged, connection closed                      |
 */
import { codeOf, type ErrorCode, StoreError } from '../protocol/errors.ts';
import type { KioskId } from '../protocol/ids.ts';
import { type Log, placeOf } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import { topicOf } from '../protocol/topics.ts';
import type { EpochMillis } from '../protocol/units.ts';
import type { Answer } from './broker.ts';
import { storeErrorOf } from './database.ts';
import { type Deciders, type Decision, decideAll } from './decide.ts';
import type { Opener, UnreadBatch } from './open-batch.ts';
import type { Kiosk } from './registry.ts';
import { SteadyLog } from './steady-log.ts';

export interface IngestDoors {
  /** @throws StoreError. */
  kiosk(kiosk: KioskId): Kiosk | undefined;
  /** Called after the commit that made them so, in its order. */
  onDecided(decided: readonly Decided[]): void;
  /** @param held how many batches of the kiosk wait, 0 when none does any more; `code` when one more does. */
  onWithheld(kiosk: KioskId, held: { readonly batches: number; readonly code: ErrorCode | undefined }): void;
  /** @param code why a kiosk is closed out. */
  onCutOff(kiosk: KioskId, code: ErrorCode): void;
}

export interface Decided {
  readonly kiosk: Kiosk;
  readonly message: Uint8Array;
  readonly decision: Decision;
}

interface Job {
  readonly kioskId: KioskId;
  readonly message: Uint8Array;
  readonly untilClosed: AbortSignal;
  /** Of its first arrival: a batch that was withheld for an hour did not happen an hour later. */
  readonly receivedAtMs: EpochMillis;
  readonly answer: (answer: Answer) => void;
  /** Why it is held, while it is. */
  heldFor?: ErrorCode;
}

/** Of all that is held for one reason: a kiosk that seals for nobody here slows down no kiosk that waits for the disk. */
interface Retry {
  waitMs: number;
  cancel: (() => void) | undefined;
}

interface Ready {
  readonly job: Job;
  readonly kiosk: Kiosk;
  readonly opened: UnreadBatch | ErrorCode;
}

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;
/** Of messages held over all kiosks; one past it goes back to its kiosk, which has it in its outbox. */
const MOST_HELD_BYTES = 64 * 1_048_576;

export class Ingest {
  readonly #opener: Opener;
  readonly #deciders: Deciders;
  readonly #doors: IngestDoors;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #trouble: SteadyLog;
  /** What is withheld, each with what takes its ear off its connection again. */
  readonly #held = new Map<KioskId, Map<Job, () => void>>();
  #heldCount = 0;
  #heldBytes = 0;
  #ready: Ready[] = [];
  #opening = 0;
  readonly #retries = new Map<ErrorCode, Retry>();
  #isClosed = false;

  constructor(opener: Opener, deciders: Deciders, doors: IngestDoors, clock: Clock, log: Log) {
    this.#opener = opener;
    this.#deciders = deciders;
    this.#doors = doors;
    this.#clock = clock;
    this.#log = log;
    this.#trouble = new SteadyLog(log, clock, 'ingest');
  }

  /**
   * @param untilClosed aborts when the kiosk's connection ends: what is held for it is then let go.
   * @returns `acknowledge` once the batch is committed, to ledger or quarantine. Waits for as long as it is withheld.
   */
  take(kioskId: KioskId, message: Uint8Array, untilClosed: AbortSignal): Promise<Answer> {
    if (this.#isClosed) return Promise.resolve('dropped');
    this.#log.debug('batch.received', () => ({ kiosk: kioskId, lengthBytes: message.length }));
    return new Promise((answer) => {
      this.#open({ kioskId, message, untilClosed, receivedAtMs: this.#clock.wall(), answer });
    });
  }

  /** Commits what is ready and lets go of what is held; nothing is taken afterwards. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { cancel } of this.#retries.values()) cancel?.();
    while (this.#opening > 0 || this.#ready.length > 0) await new Promise<void>((resolve) => setImmediate(resolve));
    for (const job of this.#allHeld()) this.#drop(job);
  }

  #open(job: Job): void {
    const kiosk = this.#find(job);
    if (kiosk instanceof StoreError) {
      this.#withhold(job, kiosk.code);
      return;
    }
    if (kiosk === undefined || kiosk.revokedAtMs !== undefined) {
      this.#cutOff(job, kiosk === undefined ? 'admission.unknown_kiosk' : 'admission.revoked');
      return;
    }
    const onOpened = (opened: UnreadBatch | ErrorCode) => {
      this.#opening -= 1;
      if (opened === 'seal.unknown_recipient') this.#withhold(job, opened);
      else this.#enqueue({ job, kiosk, opened });
    };
    this.#opening += 1;
    this.#opener
      .open(job.message, topicOf(job.kioskId, 'batch'), kiosk)
      .then(onOpened, (error: unknown) => onOpened(this.#codeOf(error, job)));
  }

  /** A registry that can not be read says nothing about the kiosk. */
  #find({ kioskId }: Job): Kiosk | undefined | StoreError {
    try {
      return this.#doors.kiosk(kioskId);
    } catch (error) {
      if (error instanceof StoreError) return error;
      throw error;
    }
  }

  #enqueue(ready: Ready): void {
    // The first of a turn asks for the commit; what else this turn brings goes with it.
    if (this.#ready.push(ready) === 1) setImmediate(() => this.#commit());
  }

  #commit(): void {
    const ready = this.#ready;
    this.#ready = [];
    const decided = this.#decideTogether(ready);
    if (decided instanceof StoreError) {
      for (const { job } of ready) this.#withhold(job, decided.code);
      return;
    }
    for (const [index, { job }] of ready.entries()) {
      const decision = decided[index];
      if (decision === undefined || decision.kind === 'refused') this.#cutOff(job, 'ingest.quarantine_full');
      else this.#settle(job);
    }
    this.#recover();
    this.#doors.onDecided(
      ready.flatMap(({ kiosk, job }, index) => {
        const decision = decided[index];
        return decision === undefined ? [] : [{ kiosk, message: job.message, decision }];
      }),
    );
  }

  /** @returns one decision for each, all committed; or why the store could keep none of them. */
  #decideTogether(ready: readonly Ready[]): Decision[] | StoreError {
    try {
      const decided = decideAll(
        this.#deciders,
        ready.map(({ job, kiosk, opened }) => ({
          kiosk,
          message: job.message,
          opened,
          receivedAtMs: job.receivedAtMs,
          nameOf: (error) => this.#codeOf(error, job),
        })),
        () => this.#log.debug('batches.decided', () => ({ batches: ready.length })),
      );
      this.#log.debug('batches.committed', () => ({ batches: decided.length }));
      return decided;
    } catch (error) {
      const failure = storeErrorOf(error, 'ledger');
      if (failure === undefined) throw error;
      return failure;
    }
  }

  #settle(job: Job): void {
    this.#release(job);
    job.answer('acknowledge');
  }

  #cutOff(job: Job, code: ErrorCode): void {
    this.#release(job);
    this.#doors.onCutOff(job.kioskId, code);
    job.answer('cut-off');
  }

  #drop(job: Job): void {
    if (!this.#isHeld(job)) return;
    this.#release(job);
    job.answer('dropped');
  }

  #withhold(job: Job, code: ErrorCode): void {
    if (job.untilClosed.aborted || this.#isClosed) {
      this.#release(job);
      job.answer('dropped');
      return;
    }
    if (!this.#isHeld(job)) {
      if (this.#heldBytes + job.message.length > MOST_HELD_BYTES) {
        this.#cutOff(job, code);
        return;
      }
      this.#hold(job);
    }
    job.heldFor = code;
    this.#trouble.failed({ code, kiosk: job.kioskId, withheld: this.#heldCount });
    this.#tellWithheld(job.kioskId, code);
    const retry = this.#retries.get(code) ?? { waitMs: FIRST_RETRY_MS, cancel: undefined };
    retry.cancel ??= this.#clock.after(retry.waitMs, () => this.#retry(code, retry));
    this.#retries.set(code, retry);
  }

  #retry(code: ErrorCode, retry: Retry): void {
    retry.cancel = undefined;
    retry.waitMs = Math.min(retry.waitMs * 2, LONGEST_RETRY_MS);
    for (const job of this.#allHeld()) if (job.heldFor === code) this.#open(job);
  }

  #allHeld = (): Job[] => [...this.#held.values()].flatMap((jobs) => [...jobs.keys()]);

  #isHeld = (job: Job): boolean => this.#held.get(job.kioskId)?.has(job) ?? false;

  #hold(job: Job): void {
    const onClosed = () => this.#drop(job);
    // A connection lives for months: left there, it would hold every message that was ever withheld on it.
    const forget = () => job.untilClosed.removeEventListener('abort', onClosed);
    job.untilClosed.addEventListener('abort', onClosed, { once: true });
    this.#held.set(job.kioskId, (this.#held.get(job.kioskId) ?? new Map()).set(job, forget));
    this.#heldCount += 1;
    this.#heldBytes += job.message.length;
  }

  #release(job: Job): void {
    const ofKiosk = this.#held.get(job.kioskId);
    const forget = ofKiosk?.get(job);
    if (ofKiosk === undefined || forget === undefined) return;
    forget();
    ofKiosk.delete(job);
    if (ofKiosk.size === 0) this.#held.delete(job.kioskId);
    this.#heldCount -= 1;
    this.#heldBytes -= job.message.length;
    this.#tellWithheld(job.kioskId, undefined);
  }

  #tellWithheld(kiosk: KioskId, code: ErrorCode | undefined): void {
    this.#doors.onWithheld(kiosk, { batches: this.#held.get(kiosk)?.size ?? 0, code });
  }

  /** Something was kept. What nothing is held for any more begins with a short wait the next time. */
  #recover(): void {
    if (this.#retries.size === 0) return;
    const reasons = new Set(this.#allHeld().map(({ heldFor }) => heldFor));
    for (const [code, { cancel }] of this.#retries) {
      if (reasons.has(code)) continue;
      cancel?.();
      this.#retries.delete(code);
    }
    if (this.#heldCount === 0) this.#trouble.recovered();
  }

  /** @returns the error's code; `ingest.internal` for a bug, of which only name and place are logged. */
  #codeOf(error: unknown, { kioskId }: Job): ErrorCode {
    const code = codeOf(error);
    if (code !== undefined) return code;
    this.#log.error('ingest.internal', { kiosk: kioskId, ...placeOf(error) });
    return 'ingest.internal';
  }
}
