/**
 * What every listener of the core is made of: Fastify over TLS, bounded in bodies, connections and time. The only importer of fastify in
 * this room.
 * Source: RFC 9457 (problem details).
 */
import type { AddressInfo, Socket } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { addressOf } from '../protocol/address.ts';
import { ConfigError } from '../protocol/errors.ts';

export type HttpApp = FastifyInstance;
export type HttpReply = FastifyReply;
export type HttpRequest = FastifyRequest;

export interface HttpBinding {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
}

export interface HttpTls {
  readonly keyPem: string;
  readonly certificatePem: string;
}

export interface HttpAppOptions {
  readonly tls: HttpTls;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly longestBodyBytes: number;
  readonly requestMs: number;
  readonly mostConnections: number;
  /** Of these, from one address: whoever opens them all keeps nobody else out. */
  readonly mostOfAnAddress: number;
  /** Whether a client is asked for its certificate, of whatever authority and date: it is known by its key. */
  readonly asksForCertificate: boolean;
}

const HANDSHAKE_MS = 10_000;
/** How often Node looks for those that are too slow; by itself it looks each half minute. */
const LOOK_FOR_SLOW_MS = 2_000;

export function makeHttpApp(options: HttpAppOptions): HttpApp {
  const { tls, minVersion, longestBodyBytes, requestMs, mostConnections, mostOfAnAddress, asksForCertificate } = options;
  const app = Fastify({
    bodyLimit: longestBodyBytes,
    forceCloseConnections: true,
    requestTimeout: requestMs,
    keepAliveTimeout: requestMs,
    return503OnClosing: false,
    exposeHeadRoutes: false,
    // What no route is looked up for: Fastify's own answer would say the address again.
    frameworkErrors: (_error, _request, reply) => {
      reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', connection: 'close' });
      sendProblem(reply as unknown as HttpReply, 400, { title: 'not a request that is understood here' });
    },
    https: {
      key: tls.keyPem,
      cert: tls.certificatePem,
      minVersion,
      handshakeTimeout: HANDSHAKE_MS,
      headersTimeout: requestMs,
      connectionsCheckingInterval: LOOK_FOR_SLOW_MS,
      requestCert: asksForCertificate,
      // Known by its key: no authority is asked, and a date says nothing.
      rejectUnauthorized: false,
    },
  }) as unknown as FastifyInstance;
  app.server.maxConnections = mostConnections;
  boundEachAddress(app, mostOfAnAddress);
  return app;
}

/** Before TLS: a handshake costs more than all that a stranger sends. */
function boundEachAddress(app: HttpApp, most: number): void {
  const open = new Map<string, number>();
  app.server.on('connection', (socket: Socket) => {
    const address = addressOf(socket.remoteAddress);
    const count = (open.get(address) ?? 0) + 1;
    if (count > most) return void socket.destroy();
    open.set(address, count);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
  });
}

/** @param who begins the message. @returns the port, never 0. @throws ConfigError `config.invalid` when the address can not be bound. */
export async function listenOn(app: HttpApp, binding: HttpBinding, who: string): Promise<number> {
  try {
    await app.listen({ ...binding });
  } catch (cause) {
    const isTaken = cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE';
    const why = isTaken ? 'another program has it' : 'can not be bound';
    throw new ConfigError('config.invalid', `${who}: ${binding.host} port ${binding.port}: ${why}`, { cause });
  }
  return (app.server.address() as AddressInfo).port;
}

/** @param about besides the status: a title, and a code where there is one. */
export function sendProblem(reply: HttpReply, status: number, about: Readonly<Record<string, string | number>>): HttpReply {
  return reply
    .code(status)
    .type('application/problem+json')
    .send({ ...about, status });
}
