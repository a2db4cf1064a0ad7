/**
 * What the broker asks of the door for each client: whether it may come now, how fast it is read, how often it may say how it is, and
 * how many filters it may have. Rates are kept by name, so that a connection closed and opened again gains nothing.
 */
import type { Socket } from 'node:net';
import { Bucket, Buckets, type Rate } from '../protocol/bucket.ts';
import type { Arrival } from '../protocol/door-keeper.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import { codeOf } from '../protocol/errors.ts';
import type { KioskId } from '../protocol/ids.ts';
import type { Clock } from '../protocol/time.ts';
import type { MonotonicMillis } from '../protocol/units.ts';
import type { Client, Peer } from './admission.ts';
import { SharedBudget } from './door-budget.ts';
import { type PaceLimits, PaceMaker } from './door-pace.ts';
import { FlowGate, type FlowLimits } from './flow-gate.ts';

export interface GuardReports {
  /** An admitted kiosk has to wait. */
  onWaits(kiosk: KioskId, code: ErrorCode): void;
}

export type GuardLimits = FlowLimits & PaceLimits;

/** A kiosk of ours waits longer than that between two attempts; two copies that throw each other out do not. */
const CONNECTS: Rate = { perSecond: 0.5, burst: 20 };
/** A kiosk tells its state when it changes. Each is told on to every operator. */
const STATES: Rate = { perSecond: 2, burst: 30 };
/** Wrong ones, of one account. The machine's own account has a secret of 192 random bits: for that one, waiting would only shut its owner out. */
const GUESSES: Rate = { perSecond: 0.1, burst: 30 };
const UNGUESSABLE_ACCOUNT = 'operator';
/** Looked at one after the other, at a third of a second each: whoever comes behind more of them is told to come later. */
const MOST_GUESSES = 8;
const FILTERS: Rate = { perSecond: 1, burst: 64 };
const MOST_FILTERS = 64;
/** Unanswered, of all clients: what is withheld for the gateway's own trouble is bounded below that, so that room is left. */
const MOST_UNANSWERED_BYTES_IN_ALL = 134_217_728;
/** Our kiosks ask for 30 s. Longer ones would keep a peer that is gone for hours (MQTT 3.1.1, 3.1.2.10, allows to close earlier). */
const LONGEST_KEEP_ALIVE_S = 300;
const MOST_NAMES = 16_384;

export class DoorGuard {
  readonly #clock: Clock;
  readonly #limits: GuardLimits;
  readonly #reports: GuardReports;
  readonly #budget = new SharedBudget(MOST_UNANSWERED_BYTES_IN_ALL);
  readonly #paces: PaceMaker;
  readonly #connects = new Buckets(CONNECTS, MOST_NAMES);
  readonly #states = new Buckets(STATES, MOST_NAMES);
  readonly #guesses = new Buckets(GUESSES, MOST_NAMES);
  #guessesWaiting = 0;
  readonly #arrivals = new WeakMap<FlowGate, Arrival>();
  readonly #clients = new WeakMap<FlowGate, { readonly client: Client; readonly filters: Bucket }>();
  #nowMs: MonotonicMillis | undefined;

  constructor(clock: Clock, limits: GuardLimits, reports: GuardReports) {
    this.#clock = clock;
    this.#limits = limits;
    this.#reports = reports;
    this.#paces = new PaceMaker(limits);
  }

  /** @returns the connection as the broker may read it. */
  gate(socket: Socket, peer: Peer, arrival: Arrival): FlowGate {
    const pace = this.#paces.ofAddress(arrival.address, this.#now());
    const gate = new FlowGate(socket, peer, this.#limits, pace, {
      after: (waitMs, fire) => this.#clock.after(waitMs, fire),
      now: () => this.#now(),
      budget: this.#budget,
      onWaits: (code) => {
        const client = this.#clients.get(gate)?.client;
        if (client?.role === 'kiosk') this.#reports.onWaits(client.kiosk, code);
      },
    });
    this.#arrivals.set(gate, arrival);
    return gate;
  }

  /** @returns why a kiosk that has proved who it is may not come now. Whoever is connected under its name stays. */
  refuseNow(client: Client): ErrorCode | undefined {
    if (client.role !== 'kiosk') return undefined;
    return this.#connects.of(client.kiosk, this.#now()).takeOne(this.#now()) ? undefined : 'admission.too_often';
  }

  /** @param look says whether account and secret are right. @returns why they are not, or not looked at now; `undefined` when they are. */
  async refuseAccount(account: string | undefined, look: () => Promise<boolean>): Promise<ErrorCode | undefined> {
    const tries = this.#guesses.of(account ?? '', this.#now());
    const isTooOften = account !== UNGUESSABLE_ACCOUNT && tries.waitMs(this.#now()) > 0;
    if (isTooOften || this.#guessesWaiting >= MOST_GUESSES) return 'admission.too_often';
    this.#guessesWaiting += 1;
    try {
      if (await look()) return undefined;
      tries.take(1, this.#now());
      return 'admission.wrong_account';
    } finally {
      this.#guessesWaiting -= 1;
    }
  }

  /** From now on it is read as this client. @param name of an operator's program: its client id. */
  admit(gate: FlowGate, client: Client, name: string): void {
    const arrival = this.#arrivals.get(gate);
    arrival?.admit();
    this.#clients.set(gate, { client, filters: new Bucket(FILTERS, this.#now()) });
    const rateName = client.role === 'kiosk' ? client.kiosk : `operator ${name}`;
    gate.admit(this.#paces.ofClient(rateName, arrival?.address ?? '', this.#now()));
  }

  /** @param count of the filters that it has. @returns why it may not ask for one more. */
  refuseFilter(gate: FlowGate, count: number): ErrorCode | undefined {
    const isAllowed = count < MOST_FILTERS && this.#clients.get(gate)?.filters.takeOne(this.#now()) === true;
    return isAllowed ? undefined : 'admission.too_many_subscriptions';
  }

  /** Calls `go` when the kiosk may tell its state: at once, unless it does so all the time; never once its connection is closed. */
  paceState(gate: FlowGate, kiosk: KioskId, go: () => void): void {
    const bucket = this.#states.of(kiosk, this.#now());
    const waitMs = bucket.waitMs(this.#now());
    bucket.take(1, this.#now());
    // A Will comes when the connection is closed, and there is only one.
    if (waitMs === 0 || gate.untilClosed.aborted) {
      go();
      return;
    }
    this.#reports.onWaits(kiosk, 'admission.too_fast');
    const onClosed = () => cancel();
    const cancel = this.#clock.after(waitMs, () => {
      gate.untilClosed.removeEventListener('abort', onClosed);
      go();
    });
    gate.untilClosed.addEventListener('abort', onClosed, { once: true });
  }

  /** The clock, asked once a turn of the event loop: it reads a file, and is asked for each packet. */
  #now(): MonotonicMillis {
    if (this.#nowMs === undefined) {
      this.#nowMs = this.#clock.monotonic();
      setImmediate(() => {
        this.#nowMs = undefined;
      });
    }
    return this.#nowMs;
  }
}

/** @param askedS seconds, 0 for none. @returns what the broker goes by. */
export const keepAliveOf = (askedS: number | undefined): number =>
  askedS === undefined || askedS === 0 ? LONGEST_KEEP_ALIVE_S : Math.min(askedS, LONGEST_KEEP_ALIVE_S);

/** As aedes 1.2.0 words it (lib/client.js and lib/handlers/connect.js): it has no codes. */
const SILENT = new Set(['connect did not arrive in time', 'keep alive timeout']);
const SLOW = 'drain timeout';

/** @returns why a connection broke, when it was its peer's doing; `undefined` for a network that failed or a peer that left. */
export function codeOfBroken(error: Error): ErrorCode | undefined {
  const known = codeOf(error);
  if (known !== undefined) return known;
  if (SILENT.has(error.message)) return 'admission.silent';
  if (error.message === SLOW) return 'admission.slow_reader';
  // The system's and TLS's errors have a code each; what has none was said by the parser or a handler about a packet.
  return 'code' in error || error.message === 'connection closed' ? undefined : 'admission.malformed';
}
