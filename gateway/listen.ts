/**
 * The two doors: TLS 1.3 for kiosks, both ends known by pinned keys; plain TCP for operators' programs on this machine.
 */
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { rawKeyOfCertificate } from '../protocol/certificate.ts';
import type { Arrival, DoorKeeper } from '../protocol/door-keeper.ts';
import { ALPN_HTTP, ALPN_MQTT } from '../protocol/enrol.ts';
import { ConfigError, codeOf } from '../protocol/errors.ts';
import type { Peer } from './admission.ts';

export interface Listener {
  /** As bound: never 0. */
  readonly port: number;
  /** Takes no more connections and ends those there are. */
  close(): Promise<void>;
}

export interface Binding {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
}

/** A handshake that takes longer holds a connection that a kiosk could have. */
const HANDSHAKE_MS = 10_000;
const MOST_TLS_CONNECTIONS = 20_000;
const MOST_TCP_CONNECTIONS = 200;
/** Finds peers that vanished without a word, whatever keep-alive their CONNECT asked for. */
const TCP_KEEP_ALIVE_MS = 60_000;

type OnConnection = (socket: Socket, peer: Peer, arrival: Arrival) => void;

/**
 * @param onConnection gets what speaks MQTT: every peer that asks for no other protocol by ALPN. @param onHttp gets what asked for HTTP/1.1.
 * @param onFault told of each connection that could not be taken. @throws ConfigError `config.invalid` when the address can not be bound.
 */
export function listenTls(
  binding: Binding,
  own: { readonly keyPem: string; readonly certificatePem: string },
  door: DoorKeeper,
  onConnection: OnConnection,
  onHttp: OnConnection,
  onFault: () => void,
): Promise<Listener> {
  const handshakes = new Map<string, Handshake>();
  const server = createTlsServer(
    {
      key: own.keyPem,
      cert: own.certificatePem,
      minVersion: 'TLSv1.3',
      // Asked for and proved. Whose it is and until when is asked afterwards: one that has ended may still be renewed, and here it would
      // be refused before it could say so.
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_MS,
      ALPNProtocols: [ALPN_MQTT, ALPN_HTTP],
    },
    (socket) => {
      const handshake = handshakes.get(endOf(socket));
      if (handshake === undefined) {
        socket.destroy();
        return;
      }
      handshake.hasEnded = true;
      (socket.alpnProtocol === ALPN_HTTP ? onHttp : onConnection)(socket, peerOf(socket), handshake.arrival);
    },
  );
  // A handshake that fails (a port scan, a plain-text client) concerns nobody else.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  const onArrival = (socket: Socket, arrival: Arrival) => {
    const end = endOf(socket);
    const handshake: Handshake = { arrival, hasEnded: false };
    handshakes.set(end, handshake);
    socket.on('close', () => {
      handshakes.delete(end);
      if (!handshake.hasEnded) door.failed(arrival);
    });
    // What a TLS server does with each connection that it accepts itself.
    server.emit('connection', socket);
  };
  return bind(onArrival, door, binding, MOST_TLS_CONNECTIONS, onFault);
}

interface Handshake {
  readonly arrival: Arrival;
  hasEnded: boolean;
}

/** The peer's end of a connection: a TLS socket and the socket under it have the same. */
const endOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;

/** As listenTls, without TLS. */
export const listenTcp = (binding: Binding, door: DoorKeeper, onConnection: OnConnection, onFault: () => void): Promise<Listener> =>
  bind((socket, arrival) => onConnection(socket, { transport: 'tcp' }, arrival), door, binding, MOST_TCP_CONNECTIONS, onFault);

function peerOf(socket: TLSSocket): Peer {
  const certificate = socket.getPeerX509Certificate()?.raw;
  if (certificate === undefined) return { transport: 'tls', publicKey: undefined };
  try {
    return { transport: 'tls', publicKey: rawKeyOfCertificate(certificate), certificate };
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return { transport: 'tls', publicKey: undefined };
  }
}

async function bind(
  onArrival: (socket: Socket, arrival: Arrival) => void,
  door: DoorKeeper,
  { host, port }: Binding,
  mostConnections: number,
  onFault: () => void,
): Promise<Listener> {
  const sockets = new Set<Socket>();
  const server: Server = createTcpServer((socket) => {
    const arrival = door.arrive(socket.remoteAddress, () => socket.destroy());
    if (arrival === undefined) {
      socket.destroy();
      return;
    }
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    // A batch's PUBACK must not wait for more to send.
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on('close', () => {
      sockets.delete(socket);
      arrival.leave();
    });
    onArrival(socket, arrival);
  });
  server.maxConnections = mostConnections;
  server.on('drop', (dropped) => door.full(dropped?.remoteAddress));
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(new ConfigError('config.invalid', `listen: ${host} port ${port}: ${whyNot(cause)}`, { cause })));
    server.listen(port, host, resolve);
  });
  // A connection that can not be taken (no descriptor left) is its peer's to try again; without a listener it would end the process.
  server.on('error', onFault);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function whyNot(cause: Error): string {
  switch ('code' in cause ? cause.code : undefined) {
    case 'EADDRINUSE':
      return 'another program has it (tls.port and tcp.port, or --tls-port and --tcp-port, name others)';
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address';
    case 'EACCES':
      return 'this user may not have it; ports from 1024 on are open to all';
    default:
      return 'can not be bound';
  }
}
