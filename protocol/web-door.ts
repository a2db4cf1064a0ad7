/**
 * Stands before a listener for HTTP, as the door of the kiosks stands before theirs: how often each address may come, and how many
 * connections may wait on which nobody is known. Of too many the one that has waited longest goes, so that whoever only holds
 * connections, asks slowly or reads no answer shuts nobody out.
 */
import type { Server, Socket } from 'node:net';
import { addressOf } from './address.ts';
import { type Arrival, DoorKeeper } from './door-keeper.ts';
import type { ErrorCode } from './errors.ts';
import type { Clock } from './time.ts';

/** Of one address, sustained; ten seconds' worth at once. Each may ask once, which is bounded too. */
const CONNECTIONS_PER_SECOND = 40;
/** Of one account, whoever has its password or token: it shuts no other out. A browser opens six, and what goes through a proxy changes hands. */
export const MOST_OF_ONE = 128;
/** More than may wait in all, so that who is known has room. */
const MOST_CONNECTIONS = 2_048;

export class WebDoor {
  readonly #keeper: DoorKeeper;
  readonly #arrivals = new Map<string, Arrival>();
  /** By account, the one that asked longest ago first. */
  readonly #known = new Map<string, Set<Socket>>();
  readonly #names = new WeakMap<Socket, string>();
  readonly #onRefused: (address: string, code: ErrorCode) => void;

  /** @param mostWaiting of one address, on which nobody is known. @param onRefused told of each connection that was closed for what its address does. */
  constructor(mostWaiting: number, clock: Clock, onRefused: (address: string, code: ErrorCode) => void) {
    this.#onRefused = onRefused;
    this.#keeper = new DoorKeeper({ connectionsPerSecond: CONNECTIONS_PER_SECOND, mostWaiting }, clock, { onRefused });
  }

  /** To be called before it listens. */
  guard(server: Server): void {
    server.maxConnections = MOST_CONNECTIONS;
    server.on('drop', (dropped) => this.#keeper.full(dropped?.remoteAddress));
    // Before the server's own, which begins the handshake.
    server.prependListener('connection', (socket: Socket) => this.#arrive(socket));
  }

  /** Who asks on this connection is known: it does not wait any more. Of too many of one account that goes which asked longest ago. @param name of its account. */
  admit(socket: Socket, name: string): void {
    this.#arrivals.get(endOf(socket))?.admit();
    if (socket.destroyed) return;
    const before = this.#names.get(socket);
    if (before === undefined) socket.once('close', () => this.#forget(socket));
    else this.#forget(socket);
    this.#names.set(socket, name);
    const own = (this.#known.get(name) ?? new Set()).add(socket);
    this.#known.set(name, own);
    const [oldest] = own;
    if (oldest === undefined || own.size <= MOST_OF_ONE) return;
    this.#forget(oldest);
    this.#onRefused(addressOf(oldest.remoteAddress), 'admission.too_many_connections');
    oldest.destroy();
  }

  #forget(socket: Socket): void {
    const name = this.#names.get(socket) ?? '';
    const own = this.#known.get(name);
    if (own?.delete(socket) === true && own.size === 0) this.#known.delete(name);
  }

  #arrive(socket: Socket): void {
    const arrival = this.#keeper.arrive(socket.remoteAddress, () => socket.destroy());
    if (arrival === undefined) {
      socket.destroy();
      return;
    }
    const end = endOf(socket);
    this.#arrivals.set(end, arrival);
    socket.once('close', () => {
      arrival.leave();
      if (this.#arrivals.get(end) === arrival) this.#arrivals.delete(end);
    });
  }
}

/** The peer's end of a connection: a TLS socket and the socket under it have the same. */
const endOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
