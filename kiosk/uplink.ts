/**
 * From the outbox to the gateway. Keeps one link, a bounded window of batches on it, and settles on PUBACK only.
 * The only retry of the link: backs off with full jitter. Decides nothing about rows (lanes.ts), opens no socket (gateway-link.ts).
 */
import { codeOf, DecodeError, LinkError, StoreError } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { GatewayLink, LinkReport, OpenGatewayLink } from './gateway-link.ts';
import { type Batch, type LaneLimits, Lanes } from './lanes.ts';
import type { Outbox } from './outbox.ts';
import type { KeyNumber, OutboxRow } from './outbox-row.ts';

export interface UplinkLimits extends LaneLimits {
  /** Batches sent and not acknowledged. */
  readonly window: number;
  /** Of the window, for the live lane alone. */
  readonly liveReserve: number;
  readonly drainRowsPerSecond: number;
  readonly ackTimeoutMs: number;
  readonly firstBackoffMs: number;
  readonly longestBackoffMs: number;
}

export interface UplinkOptions {
  readonly outbox: Outbox;
  readonly open: OpenGatewayLink;
  readonly topic: string;
  /** @throws StoreError when the outbox can not give the key record; DecodeError when the rows fit no message. */
  readonly seal: (rows: readonly OutboxRow[], key: KeyNumber) => Uint8Array;
  readonly limits: UplinkLimits;
  readonly clock: Clock;
  readonly log: Log;
  /** 0 up to, not including, 1. */
  readonly random: () => number;
  readonly onLink: (report: LinkReport) => void;
  readonly onStoreFailed: (error: StoreError) => void;
  /** A damaged row was given up. */
  readonly onRowDropped: () => void;
}

interface Flight {
  readonly batch: Batch;
  readonly cancel: () => void;
}

/** Settles are gathered this long: each is a transaction beside the scans'. */
const SETTLE_AFTER_MS = 200;
const STORE_AGAIN_MS = 5_000;
/** A held-back batch is tried again after the ack timeout, then twice that, and so on up to this. */
const LONGEST_HOLD_MS = 600_000;
/**
 * A batch that was under way when the link broke, and not for the first time, may be what breaks it: others go before it, for this at first.
 * Short, since it is the network's fault far more often, and a flag may be in it.
 */
const CUT_HOLD_MS = 1_000;
/** A link on which so many batches were given up is opened anew. */
const MOST_UNANSWERED = 32;
/** A link up this long ends the outage: the backoff starts anew. */
const HEALTHY_MS = 10_000;

export class Uplink {
  readonly #options: UplinkOptions;
  readonly #lanes: Lanes;
  readonly #flights = new Set<Flight>();
  #link: GatewayLink | undefined;
  #acknowledged: number[] = [];
  #unanswered = 0;
  #tokens: number;
  #tokensAtMs: number;
  #isPumpDue = false;
  #cancelPump: () => void = () => {};
  #cancelSettle: (() => void) | undefined;

  constructor(options: UplinkOptions) {
    this.#options = options;
    this.#lanes = new Lanes(options.outbox, options.limits);
    this.#tokens = options.limits.batchRows;
    this.#tokensAtMs = options.clock.monotonic();
  }

  /** A row was appended: it goes at once when the link is up, else with the backlog. Takes no time: the sending comes after. */
  offer(row: OutboxRow): void {
    if (this.#link === undefined) return;
    this.#lanes.offer(row);
    this.#soon();
  }

  /** Rows that were settled are to be sent again, and those that were only acknowledged. */
  rewind(): void {
    this.#lanes.forget(this.#acknowledged);
    this.#acknowledged = [];
    this.#lanes.rewind();
    this.#soon();
  }

  /** Ends the link; another is dialled as after any loss. */
  redial(): void {
    this.#link?.close().catch(() => {});
  }

  /** Publishes a retained message of this kiosk's own, when the link is up; what is not acknowledged is not sent again. */
  say(topic: string, payload: Uint8Array): void {
    this.#link?.publish(topic, payload, true).catch(() => {});
  }

  /** Runs until abort. What was acknowledged is settled, and the link closed, when it resolves. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, limits, open, onLink, random } = this.#options;
    for (let failures = 0; !signal.aborted; ) {
      const why = await this.#useOnce(open, signal, () => {
        failures = 0;
      });
      if (signal.aborted) break;
      onLink({ isUp: false, why });
      failures += 1;
      const longestMs = Math.min(limits.longestBackoffMs, limits.firstBackoffMs * 2 ** Math.min(failures, 20));
      await clock.sleep(Math.ceil(random() * longestMs), signal);
    }
    this.#settle();
    this.#cancelSettle?.();
    this.#cancelPump();
  }

  /** @returns why it ended. */
  async #useOnce(open: OpenGatewayLink, signal: AbortSignal, onHealthy: () => void): Promise<LinkError> {
    const { clock, onLink } = this.#options;
    let link: GatewayLink;
    try {
      link = await open(signal);
    } catch (error) {
      if (error instanceof LinkError) return error;
      if (signal.aborted) return new LinkError('link.lost', 'uplink: stopped');
      throw error;
    }
    const ended = new AbortController();
    const stop = () => ended.abort();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    this.#link = link;
    this.#unanswered = 0;
    const cancelHealthy = clock.after(HEALTHY_MS, onHealthy);
    onLink({ isUp: true });
    this.#soon();
    try {
      const stopped = new Promise<LinkError>((resolve) => {
        const tell = () => resolve(new LinkError('link.lost', 'uplink: stopped'));
        if (ended.signal.aborted) tell();
        ended.signal.addEventListener('abort', tell, { once: true });
      });
      return await Promise.race([link.closed, stopped]);
    } finally {
      signal.removeEventListener('abort', stop);
      cancelHealthy();
      this.#link = undefined;
      this.#land();
      await link.close();
    }
  }

  /** The link is down: what was on its way waits again; what had gone unanswered before waits longer. */
  #land(): void {
    const nowMs = this.#options.clock.monotonic();
    for (const { batch, cancel } of this.#flights) {
      cancel();
      this.#lanes.putBack(batch, batch.attempts === 0 ? nowMs : nowMs + this.#holdMs(batch.attempts, CUT_HOLD_MS));
    }
    this.#flights.clear();
    this.#settle();
  }

  /** Sends after what runs now, so that no scan waits for it. */
  #soon(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    setImmediate(() => {
      this.#isPumpDue = false;
      this.#pump();
    });
  }

  /** Sends one batch, and looks again in another turn of the event loop: a scan may come between. */
  #pump(): void {
    const { clock } = this.#options;
    this.#cancelPump();
    if (this.#link === undefined) return;
    try {
      const batch = this.#next();
      if (batch === undefined) this.#waitForWork();
      else {
        this.#send(this.#link, batch);
        this.#soon();
      }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#options.onStoreFailed(error);
      this.#cancelPump = clock.after(STORE_AGAIN_MS, () => this.#soon());
    }
  }

  /** Looks again when the bucket is full, or something held back is due; acknowledgements and new rows wake it, too. */
  #waitForWork(): void {
    const { clock, limits } = this.#options;
    if (this.#hasBacklogSlot()) {
      const nowMs = clock.monotonic();
      const missing = limits.batchRows - this.#refill(nowMs);
      const dueMs = missing > 0 ? nowMs + (missing * 1000) / limits.drainRowsPerSecond : Number.POSITIVE_INFINITY;
      const atMs = Math.min(dueMs, this.#lanes.retryAtMs ?? Number.POSITIVE_INFINITY);
      if (Number.isFinite(atMs)) this.#cancelPump = clock.after(Math.max(1, Math.ceil(atMs - nowMs)), () => this.#soon());
    }
  }

  #next(): Batch | undefined {
    const { limits, clock } = this.#options;
    if (this.#flights.size >= limits.window) return undefined;
    const live = this.#lanes.nextLive();
    if (live !== undefined) return live;
    const nowMs = clock.monotonic();
    if (!this.#hasBacklogSlot() || this.#refill(nowMs) < 1) return undefined;
    const batch = this.#lanes.nextBacklog(nowMs);
    if (batch !== undefined) this.#tokens -= batch.rows.length;
    return batch;
  }

  #hasBacklogSlot(): boolean {
    const { window, liveReserve } = this.#options.limits;
    return [...this.#flights].filter(({ batch }) => batch.lane === 'backlog').length < window - liveReserve;
  }

  /** A bucket that holds one batch and fills with the drain rate; a batch may overdraw it. */
  #refill(nowMs: number): number {
    const { batchRows, drainRowsPerSecond } = this.#options.limits;
    this.#tokens = Math.min(batchRows, this.#tokens + ((nowMs - this.#tokensAtMs) * drainRowsPerSecond) / 1000);
    this.#tokensAtMs = nowMs;
    return this.#tokens;
  }

  #send(link: GatewayLink, batch: Batch): void {
    const { clock, limits, seal, topic, log } = this.#options;
    let payload: Uint8Array;
    try {
      payload = seal(batch.rows, batch.key);
    } catch (error) {
      // A store that can not be read now may be later; the rows are out of the lanes already.
      if (error instanceof StoreError) this.#lanes.putBack(batch, clock.monotonic() + STORE_AGAIN_MS);
      if (!(error instanceof DecodeError)) throw error;
      this.#sortOutUnsendable(batch, error);
      return;
    }
    const flight: Flight = { batch, cancel: clock.after(limits.ackTimeoutMs, () => this.#giveUp(link, flight)) };
    this.#flights.add(flight);
    link.publish(topic, payload, false).then(
      () => this.#acknowledge(flight),
      // The link is down, which `closed` tells.
      () => {},
    );
    log.debug('batch.sent', () => ({ rows: batch.rows.length, lane: batch.lane, attempts: batch.attempts }));
  }

  /** A row that was damaged where it lies fits no batch: it is found by halving, and given up alone. */
  #sortOutUnsendable({ rows, ...batch }: Batch, error: DecodeError): void {
    const { outbox, clock, log, onRowDropped } = this.#options;
    const [first] = rows;
    const nowMs = clock.monotonic();
    if (first === undefined || rows.length > 1) {
      this.#lanes.putBack({ ...batch, rows, attempts: Math.max(1, batch.attempts) }, nowMs);
      return;
    }
    try {
      outbox.drop(first.position);
    } catch (failure) {
      this.#lanes.putBack({ ...batch, rows }, nowMs + STORE_AGAIN_MS);
      throw failure;
    }
    this.#lanes.forget([first.position]);
    log.error('uplink.row_dropped', { code: error.code });
    onRowDropped();
  }

  #acknowledge(flight: Flight): void {
    // An answer may come after the batch was given up: it settles the rows all the same.
    if (this.#flights.delete(flight)) flight.cancel();
    else this.#unanswered = Math.max(0, this.#unanswered - 1);
    this.#options.log.debug('batch.acknowledged', () => ({ rows: flight.batch.rows.length }));
    this.#acknowledged.push(...flight.batch.rows.map(({ position }) => position));
    this.#cancelSettle ??= this.#options.clock.after(SETTLE_AFTER_MS, () => this.#settle());
    this.#soon();
  }

  #giveUp(link: GatewayLink, flight: Flight): void {
    const { batch } = flight;
    this.#flights.delete(flight);
    this.#lanes.putBack(batch, this.#options.clock.monotonic() + this.#holdMs(batch.attempts));
    this.#unanswered += 1;
    this.#options.log.warn('uplink.batch_unanswered', { rows: batch.rows.length, attempts: batch.attempts + 1 });
    if (this.#unanswered >= MOST_UNANSWERED) link.close().catch(() => {});
    this.#soon();
  }

  #holdMs(attempts: number, firstMs = this.#options.limits.ackTimeoutMs): number {
    const longest = Math.min(LONGEST_HOLD_MS, firstMs * 2 ** Math.min(attempts, 20));
    return Math.ceil(longest * (0.5 + this.#options.random() / 2));
  }

  /** Writes down what was acknowledged. Where the store fails, later: until then the rows stay busy and are not sent again. */
  #settle(): void {
    const { outbox, clock, log, onStoreFailed } = this.#options;
    this.#cancelSettle?.();
    this.#cancelSettle = undefined;
    if (this.#acknowledged.length === 0) return;
    try {
      const rows = this.#acknowledged.length;
      outbox.settle(this.#acknowledged, clock.monotonic());
      log.debug('rows.settled', () => ({ rows }));
      this.#lanes.forget(this.#acknowledged);
      this.#acknowledged = [];
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#cancelSettle = clock.after(STORE_AGAIN_MS, () => this.#settle());
      if (codeOf(error) === 'store.corrupt') onStoreFailed(error);
    }
  }
}
