/**
 * HTTP for the page of this machine: a table of exact paths, and bodies of JSON that a schema lets through. Small on purpose: a framework
 * takes more of a kiosk's memory than all of its own modules (docs/decisions/0043-a-small-kiosk.md). Source: RFC 9110; RFC 9112.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { z } from 'zod';

/** An import would load all that Node can export there, a browser's fetch and WebSocket with it. */
const { createServer } = createRequire(import.meta.url)('node:http') as typeof import('node:http');

export interface ServerRoutes {
  /** Whether a request may be answered at all: 403 where it may not. */
  readonly mayAsk: (request: IncomingMessage) => boolean;
  /** Sent with every answer. */
  readonly headers: Readonly<Record<string, string>>;
  readonly get: ReadonlyMap<string, (response: ServerResponse) => void>;
  readonly post: ReadonlyMap<string, Taking>;
  /** Told of what a route throws, which is no fault of the page: the page is answered 500. */
  readonly onBug: (error: unknown) => void;
}

export interface Taking {
  readonly body: z.ZodType;
  /** Only for a body that its schema lets through. */
  readonly take: (body: unknown) => Promise<{ readonly status: number; readonly answer?: unknown }>;
}

const IS_JSON = /^application\/json\s*(;|$)/i;
/** For a request to come in whole. */
const REQUEST_MS = 10_000;
/** One screen, tabs left open, a doctor: what opens more takes the descriptors that the kiosk's devices and its link need. */
const MOST_CONNECTIONS = 64;

/** @param longestBody bytes. @returns a server that does not listen yet. */
export function pageServer(routes: ServerRoutes, longestBody: number): Server {
  const server = createServer({ requestTimeout: REQUEST_MS }, (request, response) => {
    answer(request, response, routes, longestBody).catch((error: unknown) => {
      send(response, 500, { error: 'internal' });
      routes.onBug(error);
    });
  });
  server.maxConnections = MOST_CONNECTIONS;
  return server;
}

async function answer(request: IncomingMessage, response: ServerResponse, routes: ServerRoutes, longestBody: number): Promise<void> {
  for (const [name, value] of Object.entries(routes.headers)) response.setHeader(name, value);
  if (!routes.mayAsk(request)) return send(response, 403, { error: 'not from here' });
  const path = request.url?.split('?')[0] ?? '';
  if (request.method === 'GET') {
    const get = routes.get.get(path);
    return get === undefined ? send(response, 404, { error: 'not here' }) : get(response);
  }
  const post = request.method === 'POST' ? routes.post.get(path) : undefined;
  if (post === undefined) return send(response, 404, { error: 'not here' });
  // A form of another site can send text without asking; JSON it can not.
  if (!IS_JSON.test(request.headers['content-type'] ?? '')) return send(response, 415, { error: 'not JSON' });
  const text = await bodyOf(request, longestBody);
  if (text === undefined) return send(response, 413, { error: 'too long' });
  const body = post.body.safeParse(parsed(text));
  if (!body.success) return send(response, 400, { error: 'not understood' });
  const { status, answer: said } = await post.take(body.data);
  send(response, status, said);
}

/** @returns `undefined` for one that is longer; what is left of it is not read. `undefined` also where whoever sent it left before its end. */
async function bodyOf(request: IncomingMessage, longest: number): Promise<string | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > longest) return undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > longest) return undefined;
      chunks.push(chunk);
    }
  } catch {
    // A tab that was closed, or what is no HTTP: no bug of the route, and nobody is there to be answered.
    return undefined;
  }
  return Buffer.concat(chunks).toString();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @param body as JSON; nothing where it is left out. */
export function send(response: ServerResponse, status: number, body?: unknown): void {
  if (response.headersSent || response.destroyed) return;
  if (body === undefined) response.writeHead(status).end();
  else {
    const text = JSON.stringify(body);
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(text) }).end(text);
  }
}
