/**
 * What every listener of the core is made of: Fastify over TLS, bounded in bodies, connections and time. The only importer of fastify in
 * this room.
 * Source: RFC 9457 (problem details).
 */
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { ConfigError } from '../protocol/errors.ts';
import { PAGE_HEADERS } from '../protocol/page-headers.ts';
import type { WebDoor } from '../protocol/web-door.ts';

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
  /** Before TLS: a handshake costs more than all that a stranger sends. Who is known is admitted there by whoever knows them. */
  readonly door: WebDoor;
  /** Whether a client is asked for its certificate, of whatever authority and date: it is known by its key. */
  readonly asksForCertificate: boolean;
}

const HANDSHAKE_MS = 10_000;
/** How often Node looks for those that are too slow; by itself it looks each half minute. */
const LOOK_FOR_SLOW_MS = 2_000;

export function makeHttpApp(options: HttpAppOptions): HttpApp {
  const { tls, minVersion, longestBodyBytes, requestMs, door, asksForCertificate } = options;
  const app = Fastify({
    bodyLimit: longestBodyBytes,
    forceCloseConnections: true,
    requestTimeout: requestMs,
    keepAliveTimeout: requestMs,
    return503OnClosing: false,
    exposeHeadRoutes: false,
    // What no route is looked up for: Fastify's own answer would say the address again.
    frameworkErrors: (_error, _request, reply) => {
      reply.headers({ ...PAGE_HEADERS, connection: 'close' });
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
  door.guard(app.server);
  return app;
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
