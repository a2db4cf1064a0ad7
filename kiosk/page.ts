/**
 * The kiosk's own page, for its screen or a laptop at the door: a field to scan into, the answers large, the staff's buttons, the state.
 * The only importer of fastify in this room. Answers to this machine alone; no visitor's data is ever on it.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { ConfigError } from '../protocol/errors.ts';
import { DOOR_COMMANDS } from './check-in-flow.ts';
import type { Direction } from './check-in-state.ts';
import { DESK_COMMANDS } from './clinic-flow.ts';
import type { Feedback } from './feedback.ts';
import { FEEDBACK_WORDS, NOTICE, STORED_OFFLINE } from './feedback-words.ts';
import type { FrontCommand } from './front.ts';
import type { HealthSnapshot } from './health.ts';
import { HOLDER_COMMANDS } from './holder-front.ts';
import { statusWords } from './status-words.ts';

export interface PageOptions {
  /** On 127.0.0.1; 0 takes any that is free. */
  readonly port: number;
  readonly onScan: (text: string) => void;
  readonly onStaff: (command: FrontCommand) => void;
  readonly health: () => HealthSnapshot;
  /** `undefined` where there is no door. */
  readonly direction: () => Direction | undefined;
  /** Whether this is a clinic's desk: it has buttons of its own. */
  readonly isDesk?: boolean;
}

const LOOPBACK = '127.0.0.1';
/** Of a request's body: the longest symbol a QR code holds (4,296 characters) fits. */
const LONGEST_BODY_BYTES = 8_192;
/** One screen, and some tabs left open. */
const MOST_LISTENERS = 8;

export class Page {
  readonly #options: PageOptions;
  readonly #app: FastifyInstance;
  readonly #listeners = new Set<ServerResponse>();
  #status = '';

  constructor(options: PageOptions) {
    this.#options = options;
    const ajv = { customOptions: { coerceTypes: false, removeAdditional: false } } as const;
    this.#app = Fastify({ bodyLimit: LONGEST_BODY_BYTES, forceCloseConnections: true, ajv });
    // A form of another site can send text without asking; JSON it can not.
    this.#app.removeContentTypeParser('text/plain');
    this.#addGuards();
    this.#addRoutes();
  }

  /** @returns where it is. @throws ConfigError config.invalid when the port is taken. */
  async open(): Promise<string> {
    try {
      return await this.#app.listen({ host: LOOPBACK, port: this.#options.port });
    } catch (error) {
      const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
      const why = isTaken ? 'another program has it (page.port or --page-port names another port)' : 'this user may not have it';
      throw new ConfigError('config.invalid', `page: port ${this.#options.port} of ${LOOPBACK}: ${why}`, { cause: error });
    }
  }

  /** Shows an answer on every open screen. */
  show({ kind, isStoredOffline, hasNotice }: Feedback): void {
    this.#tell('feedback', JSON.stringify({ kind, isStoredOffline, hasNotice }));
  }

  /** Shows the state, where it changed. */
  refresh(): void {
    const status = this.#statusText();
    if (status === this.#status) return;
    this.#status = status;
    this.#tell('status', status);
  }

  /** Whether a screen shows it. */
  get isOpen(): boolean {
    return this.#listeners.size > 0;
  }

  async close(): Promise<void> {
    for (const listener of this.#listeners) listener.end();
    await this.#app.close();
  }

  /** Only a page that came from here may talk to it: a name that was rebound to 127.0.0.1 and other sites' pages are refused. */
  #addGuards(): void {
    this.#app.addHook('onRequest', async (request, reply) => {
      reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
      if (!this.#isOurs(request)) await reply.code(403).send({ error: 'not from here' });
    });
  }

  #isOurs({ headers, method, url }: FastifyRequest): boolean {
    const address = this.#app.server.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    const hosts = [`${LOOPBACK}:${port}`, `localhost:${port}`];
    if (headers.host === undefined || !hosts.includes(headers.host)) return false;
    if (headers.origin !== undefined && !hosts.some((host) => headers.origin === `http://${host}`)) return false;
    const site = headers['sec-fetch-site'];
    const isLinkToUs = method === 'GET' && url === '/' && headers['sec-fetch-mode'] === 'navigate';
    return isLinkToUs || site === undefined || site === 'same-origin' || site === 'none';
  }

  #addRoutes(): void {
    const { onScan, onStaff, health, isDesk = false } = this.#options;
    const commands: readonly FrontCommand[] = [...(isDesk ? DESK_COMMANDS : DOOR_COMMANDS), ...HOLDER_COMMANDS];
    const words = { words: FEEDBACK_WORDS, offline: STORED_OFFLINE, notice: NOTICE, isDesk };
    const html = readFileSync(new URL('./page.html', import.meta.url), 'utf8').replace(
      '__WORDS__',
      JSON.stringify(words).replaceAll('<', '\\u003c'),
    );
    const policy = policyOf(html);
    this.#app.get('/', (_request, reply) => reply.header('content-security-policy', policy).type('text/html; charset=utf-8').send(html));
    this.#app.get('/healthz', async (_request, reply) => {
      const { state, storeWhy, isOnline, queued, clock } = health();
      await reply.code(state === 'down' ? 503 : 200).send({ state, storeWhy, isOnline, queued, clock });
    });
    this.#app.get('/feedback', (_request, reply) => {
      if (this.#listeners.size >= MOST_LISTENERS) return reply.code(503).send({ error: 'too many listeners' });
      reply.hijack();
      this.#listen(reply.raw);
    });
    this.#app.post<{ Body: { text: string } }>(
      '/scan',
      { schema: { body: bodyOf('text', { type: 'string', minLength: 1, maxLength: 4_296 }) } },
      async (request, reply) => {
        onScan(request.body.text);
        await reply.code(204).send();
      },
    );
    this.#app.post<{ Body: { command: FrontCommand } }>(
      '/staff',
      { schema: { body: bodyOf('command', { enum: commands }) } },
      async (request, reply) => {
        onStaff(request.body.command);
        await reply.code(204).send();
      },
    );
  }

  /** Source: HTML Living Standard, "Server-sent events". */
  #listen(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    response.write(`event: status\ndata: ${this.#statusText()}\n\n`);
    this.#listeners.add(response);
    response.on('close', () => this.#listeners.delete(response));
    response.on('error', () => this.#listeners.delete(response));
  }

  #tell(event: string, line: string): void {
    for (const listener of this.#listeners) {
      // A screen that does not read is let go of; it comes back by itself.
      if (listener.writableNeedDrain) listener.destroy();
      else listener.write(`event: ${event}\ndata: ${line}\n\n`);
    }
  }

  #statusText(): string {
    const health = this.#options.health();
    return JSON.stringify({ text: statusWords(health), isStoring: health.storeWhy === undefined, direction: this.#options.direction() });
  }
}

const bodyOf = (name: string, rule: object) => ({
  type: 'object',
  required: [name],
  additionalProperties: false,
  properties: { [name]: rule },
});

/** Nothing but this page's own style and script, by their hashes. Source: Content Security Policy Level 3. */
function policyOf(html: string): string {
  const hash = (pattern: RegExp) =>
    `'sha256-${createHash('sha256')
      .update(pattern.exec(html)?.[1] ?? '')
      .digest('base64')}'`;
  const script = hash(/<script>([\s\S]*?)<\/script>/);
  const style = hash(/<style>([\s\S]*?)<\/style>/);
  return `default-src 'none'; script-src ${script}; style-src ${style}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}
