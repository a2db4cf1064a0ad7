/**
 * A connection as an HTTP server may read it: one request, some bytes at a time. Node parses all of a piece before it asks anybody, and
 * hundreds of requests fit into one: what comes behind the first is left in the socket.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** A request of a kiosk is some 200 bytes. */
const PIECE_BYTES = 256;

type Done = (error?: Error | null) => void;

export class OneRequest extends Duplex {
  readonly #socket: Socket;
  #leftBytes: number;
  #isWanted = false;

  /** @param mostHeaderBytes that are read before `takeBody` is called. */
  constructor(socket: Socket, mostHeaderBytes: number) {
    // A piece waits until the one before is parsed.
    super({ readableHighWaterMark: 1 });
    this.#socket = socket;
    this.#leftBytes = mostHeaderBytes;
    socket.on('readable', () => this.#offer());
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** The request's header was read: no more than its body is read behind it. */
  takeBody(bytes: number): void {
    this.#leftBytes = bytes;
  }

  override _read(): void {
    this.#isWanted = true;
    this.#offer();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#socket.write(chunk, done);
  }

  override _final(done: Done): void {
    this.#socket.destroySoon();
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    if (error === null) this.#socket.destroySoon();
    else this.#socket.destroy();
    done(error);
  }

  #offer(): void {
    if (!this.#isWanted || this.destroyed) return;
    const bytes = Math.min(PIECE_BYTES, this.#leftBytes, this.#socket.readableLength);
    // Also for nothing: that a socket has ended is told by reading it.
    const piece = this.#leftBytes === 0 ? null : (this.#socket.read(bytes === 0 ? undefined : bytes) as Buffer | null);
    if (piece === null) return;
    this.#isWanted = false;
    this.#leftBytes -= piece.length;
    this.push(piece);
  }
}
