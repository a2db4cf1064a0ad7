/**
 * Stands between a client's socket and the broker and hands over one whole packet at a time. It holds back, unparsed, what exceeds
 * the client's budget of unanswered publications, and the socket with it, so that one kiosk that is not answered fills no memory.
 *
 * aedes reads its stream until it would have to wait for an answer, counting `readable` events against packets in work: with one
 * packet in each event a publication whose PUBACK is withheld stops none of those behind it.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Peer } from './admission.ts';
import { type Packet, PacketSplitter, PUBLISH } from './packet-splitter.ts';

export interface FlowLimits {
  /** Of one MQTT packet, without its fixed header. */
  readonly longestPacketBytes: number;
  /** Of publications not answered yet, of one client. */
  readonly mostUnansweredBytes: number;
  readonly mostUnanswered: number;
}

/** How long a closed connection may take to send its last bytes. */
const LINGER_MS = 5_000;

export class FlowGate extends Duplex {
  readonly peer: Peer;
  /** Aborts when the connection is closed, by whichever end. */
  readonly untilClosed: AbortSignal;
  readonly #closing = new AbortController();
  readonly #socket: Socket;
  readonly #limits: FlowLimits;
  readonly #splitter: PacketSplitter;
  readonly #packets: Packet[] = [];
  #unanswered = 0;
  #unansweredBytes = 0;
  #isWanted = false;
  #hasEnded = false;

  constructor(socket: Socket, peer: Peer, limits: FlowLimits) {
    super({ readableObjectMode: true, readableHighWaterMark: 1, decodeStrings: true });
    this.peer = peer;
    this.untilClosed = this.#closing.signal;
    this.#socket = socket;
    this.#limits = limits;
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

  /** One publication has its answer. @param remainingBytes as counted when it was handed over. */
  release(remainingBytes: number): void {
    this.#unanswered -= 1;
    this.#unansweredBytes -= remainingBytes;
    this.#offer();
  }

  override _read(): void {
    this.#isWanted = true;
    // Not at once: what is pushed from within read() raises no `readable` of its own.
    queueMicrotask(() => this.#offer());
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer; encoding: BufferEncoding }[], done: (error?: Error | null) => void): void {
    this.#socket.write(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#closing.abort();
    this.#packets.length = 0;
    if (error !== null) this.#socket.destroy();
    else {
      // A refusal's CONNACK may still be on its way out.
      this.#socket.setTimeout(LINGER_MS, () => this.#socket.destroy());
      this.#socket.destroySoon();
    }
    done(error);
  }

  #take(chunk: Buffer): void {
    if (this.destroyed) return;
    try {
      this.#packets.push(...this.#splitter.push(chunk));
    } catch (error) {
      this.destroy(error as Error);
      return;
    }
    this.#offer();
    if (this.#packets.length > 0) this.#socket.pause();
  }

  #offer(): void {
    if (this.destroyed || !this.#isWanted) return;
    const next = this.#packets[0];
    if (next === undefined) {
      if (this.#hasEnded) this.push(null);
      else this.#socket.resume();
      return;
    }
    if (next.type === PUBLISH) {
      if (!this.#hasRoomFor(next.remainingBytes)) return;
      this.#unanswered += 1;
      this.#unansweredBytes += next.remainingBytes;
    }
    this.#packets.shift();
    this.#isWanted = false;
    this.push(next.bytes);
  }

  #hasRoomFor(bytes: number): boolean {
    const { mostUnanswered, mostUnansweredBytes } = this.#limits;
    // One at least, or a publication longer than the budget would wait for ever.
    return this.#unanswered === 0 || (this.#unanswered < mostUnanswered && this.#unansweredBytes + bytes <= mostUnansweredBytes);
  }
}
