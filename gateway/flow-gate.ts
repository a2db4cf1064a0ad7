/**
 * Stands between a client's socket and the broker and hands over one whole packet at a time. It holds back, unparsed, what exceeds
 * the client's budget of unanswered publications, what comes faster than its pace, and what comes before it is admitted; and the
 * socket with it, so that no client fills memory. On the way out it lets go of a client that does not take what it is sent.
 *
 * aedes reads its stream until it would have to wait for an answer, counting `readable` events against packets in work: with one
 * packet in each event a publication whose PUBACK is withheld stops none of those behind it.
 */
import type { Socket } from 'node:net';
import { nextTick } from 'node:process';
import { Duplex } from 'node:stream';
import { AdmissionError } from '../protocol/errors.ts';
import type { Clock } from '../protocol/time.ts';
import type { MonotonicMillis } from '../protocol/units.ts';
import type { Peer } from './admission.ts';
import type { SharedBudget } from './door-budget.ts';
import type { Pace } from './door-pace.ts';
import { CONNECT, isOtherVersion, PUBLISH, UNACCEPTABLE_VERSION } from './door-packets.ts';
import { type Packet, PacketSplitter } from './packet-splitter.ts';

export interface FlowLimits {
  /** Of one MQTT packet, without its fixed header. */
  readonly longestPacketBytes: number;
  /** Of publications not answered yet, of one client. */
  readonly mostUnansweredBytes: number;
  readonly mostUnanswered: number;
}

export interface FlowDoors {
  readonly after: Clock['after'];
  /** Monotonic time, as of this turn of the event loop or the one before: asked for each packet. */
  now(): MonotonicMillis;
  /** Of all clients together. */
  readonly budget: SharedBudget;
  /** It has to wait for its pace, or for answers to what it has sent: told once for each wait. */
  onWaits(code: 'admission.too_fast' | 'admission.over_budget'): void;
}

/** How long a closed connection may take to send its last bytes. */
const LINGER_MS = 5_000;
/** What the socket has not sent yet: up to here the broker is not made to wait, and a reader that stalls for a moment stops nobody. */
const FREE_UNSENT_BYTES = 262_144;
/** What has piled up behind that. */
const MOST_UNSENT_BYTES = 1_048_576;

type Done = (error?: Error | null) => void;

export class FlowGate extends Duplex {
  readonly peer: Peer;
  /** Aborts when the connection is closed, by whichever end. */
  readonly untilClosed: AbortSignal;
  readonly #closing = new AbortController();
  readonly #socket: Socket;
  readonly #limits: FlowLimits;
  readonly #doors: FlowDoors;
  readonly #splitter: PacketSplitter;
  readonly #packets: Packet[] = [];
  #pace: Pace;
  #isAdmitted = false;
  #unanswered = 0;
  #unansweredBytes = 0;
  #isOverBudget = false;
  #isWanted = false;
  #hasEnded = false;
  /** What was wrong was answered, and the answer may still be on its way out. */
  #isAnswered = false;
  #cancelWait: (() => void) | undefined;

  /** @param pace until the client is admitted. */
  constructor(socket: Socket, peer: Peer, limits: FlowLimits, pace: Pace, doors: FlowDoors) {
    super({ readableObjectMode: true, readableHighWaterMark: 1, decodeStrings: true });
    this.peer = peer;
    this.untilClosed = this.#closing.signal;
    this.#socket = socket;
    this.#limits = limits;
    this.#pace = pace;
    this.#doors = doors;
    this.#splitter = new PacketSplitter(limits.longestPacketBytes);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => {
      this.#hasEnded = true;
      this.#offer();
    });
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** How many publications wait for their answer. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** The client is known: what it sent behind CONNECT is read from now on, at its own pace. */
  admit(pace: Pace): void {
    this.#isAdmitted = true;
    this.#pace = pace;
    this.#offer();
  }

  /** One publication has its answer. @param remainingBytes as counted when it was handed over. */
  release(remainingBytes: number): void {
    if (this.destroyed) return;
    this.#unanswered -= 1;
    this.#unansweredBytes -= remainingBytes;
    this.#doors.budget.release(remainingBytes);
    this.#gather();
    this.#offer();
  }

  override _read(): void {
    this.#isWanted = true;
    // Not at once: what is pushed from within read() raises no `readable` of its own.
    queueMicrotask(() => this.#offer());
  }

  override write(chunk: unknown, done?: Done): boolean;
  override write(chunk: unknown, encoding: BufferEncoding, done?: Done): boolean;
  override write(chunk: unknown, second?: BufferEncoding | Done, third?: Done): boolean {
    if (this.writableLength > MOST_UNSENT_BYTES)
      this.destroy(new AdmissionError('admission.slow_reader', `client: ${this.writableLength} bytes that it does not take`));
    return typeof second === 'string' ? super.write(chunk, second, third) : super.write(chunk, second);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#send(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer; encoding: BufferEncoding }[], done: Done): void {
    this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: Done): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#closing.abort();
    this.#cancelWait?.();
    this.#packets.length = 0;
    this.#doors.budget.release(this.#unansweredBytes);
    this.#unansweredBytes = 0;
    if (error !== null && !this.#isAnswered) this.#socket.destroy();
    else {
      // A refusal's CONNACK may still be on its way out.
      this.#socket.setTimeout(LINGER_MS, () => this.#socket.destroy());
      this.#socket.destroySoon();
    }
    done(error);
  }

  /** What one commit answers goes out as one piece: a TLS record and a system call each took longer than a row. */
  #gather(): void {
    if (this.writableCorked > 0) return;
    this.cork();
    nextTick(() => this.uncork());
  }

  #send(bytes: Buffer, done: Done): void {
    const isFree = this.#socket.writableLength < FREE_UNSENT_BYTES;
    this.#socket.write(bytes, isFree ? undefined : done);
    if (isFree) done();
  }

  #take(chunk: Buffer): void {
    if (this.destroyed) return;
    try {
      const packets = this.#splitter.push(chunk);
      this.#refuseOtherVersion(packets[0]);
      this.#packets.push(...packets);
    } catch (error) {
      this.destroy(error as Error);
      return;
    }
    this.#offer();
    if (this.#packets.length > 0) this.#socket.pause();
  }

  /** @throws AdmissionError `admission.wrong_version`, once the peer was told. */
  #refuseOtherVersion(packet: Packet | undefined): void {
    if (packet?.type !== CONNECT || !isOtherVersion(packet.bytes.subarray(packet.bytes.length - packet.remainingBytes))) return;
    this.#isAnswered = true;
    this.#socket.write(UNACCEPTABLE_VERSION);
    throw new AdmissionError('admission.wrong_version', 'client: another version of MQTT than 3.1.1');
  }

  #offer(): void {
    if (this.destroyed || !this.#isWanted || this.#cancelWait !== undefined) return;
    const next = this.#packets[0];
    if (next === undefined) {
      if (this.#hasEnded) this.push(null);
      else this.#socket.resume();
      return;
    }
    if (!this.#isAdmitted && next.type !== CONNECT) return;
    if (next.type === PUBLISH && !this.#hasRoomFor(next.remainingBytes)) {
      this.#tellOverBudget();
      return;
    }
    const nowMs = this.#doors.now();
    if (this.#mustWait(nowMs)) return;
    if (next.type === PUBLISH) {
      if (!this.#doors.budget.take(next.remainingBytes, this.untilClosed, () => this.#offer())) {
        this.#tellOverBudget();
        return;
      }
      this.#isOverBudget = false;
      this.#unanswered += 1;
      this.#unansweredBytes += next.remainingBytes;
    }
    this.#pace.take(next.bytes.length, nowMs);
    this.#packets.shift();
    this.#isWanted = false;
    this.push(next.bytes);
  }

  #mustWait(nowMs: MonotonicMillis): boolean {
    const waitMs = this.#pace.waitMs(nowMs);
    if (waitMs === 0) return false;
    this.#doors.onWaits('admission.too_fast');
    this.#cancelWait = this.#doors.after(waitMs, () => {
      this.#cancelWait = undefined;
      this.#offer();
    });
    return true;
  }

  #tellOverBudget(): void {
    if (this.#isOverBudget) return;
    this.#isOverBudget = true;
    this.#doors.onWaits('admission.over_budget');
  }

  #hasRoomFor(bytes: number): boolean {
    const { mostUnanswered, mostUnansweredBytes } = this.#limits;
    // One at least, or a publication longer than the budget would wait for ever.
    return this.#unanswered === 0 || (this.#unanswered < mostUnanswered && this.#unansweredBytes + bytes <= mostUnansweredBytes);
  }
}
