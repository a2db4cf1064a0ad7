/**
 * The door of the kiosk's screen: serves its page (screen/page), takes what is scanned or pressed there, and tells it what the kiosk answers
 * and how it does. The only importer of fastify in this room. Answers to this machine alone; no visitor's data is ever on it.
 */
import type { ServerResponse } from 'node:http';
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { ConfigError } from '../protocol/errors.ts';
import { DOOR_COMMANDS } from './check-in-flow.ts';
import type { Direction } from './check-in-state.ts';
import { DESK_COMMANDS } from './clinic-flow.ts';
import type { Feedback } from './feedback.ts';
import type { FrontCommand } from './front.ts';
import type { HealthSnapshot } from './health.ts';
import { HOLDER_COMMANDS } from './holder-front.ts';
import { buildOf, PAGE_POLICY, screenAssets } from './screen/assets.ts';
import { type ScreenSources, screenState } from './screen/rest.ts';
import { type PageRoute, REFUSED, staffRoutes } from './screen/staff-routes.ts';
import type { StaffDoor } from './staff/staff-door.ts';

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
  /** English, and normal sounds, where it is left out. */
  readonly settings?: ScreenSources['settings'];
  /** Whether cards can not be scanned without the device of that name; of none where it is left out. */
  readonly isScanner?: ScreenSources['isScanner'];
  /** The staff's menu, where there is one. */
  readonly staff?: StaffDoor;
  /** Whether whoever opens the page is shown set-up first. */
  readonly isSetupAsked?: () => boolean;
  /** More that may be asked of this page. */
  readonly routes?: readonly PageRoute[];
}

const LOOPBACK = '127.0.0.1';
/** Of a request's body: the longest symbol a QR code holds (4,296 characters) fits. */
const LONGEST_BODY_BYTES = 8_192;
/** One screen, and some tabs left open. */
const MOST_LISTENERS = 8;
const MENU_COMMANDS = ['menu-stay', 'menu-leave'] as const;
const AS_IT_COMES: ReturnType<ScreenSources['settings']> = { language: 'en', sound: 'normal', isOutOfOrder: false };

type PageCommand = FrontCommand | (typeof MENU_COMMANDS)[number];

export class Page {
  readonly #options: PageOptions;
  readonly #sources: ScreenSources;
  readonly #app: FastifyInstance;
  readonly #listeners = new Set<ServerResponse>();
  readonly #build: string;
  #state = '';

  constructor(options: PageOptions) {
    const { health, direction, isDesk = false } = options;
    this.#options = options;
    this.#sources = {
      health,
      direction,
      isDesk,
      settings: options.settings ?? (() => AS_IT_COMES),
      isScanner: options.isScanner ?? (() => false),
    };
    const ajv = { customOptions: { coerceTypes: false, removeAdditional: false } } as const;
    this.#app = Fastify({ bodyLimit: LONGEST_BODY_BYTES, forceCloseConnections: true, ajv });
    // A form of another site can send text without asking; JSON it can not.
    this.#app.removeContentTypeParser('text/plain');
    this.#addGuards();
    const assets = screenAssets(isDesk);
    this.#build = buildOf(assets);
    for (const { path, type, content } of assets)
      this.#app.get(path, (_request, reply) =>
        path === '/' && options.isSetupAsked?.() === true
          ? reply.redirect('/setup.html')
          : reply.header('content-security-policy', PAGE_POLICY).type(type).send(content),
      );
    this.#addRoutes();
    for (const route of [...(options.staff === undefined ? [] : staffRoutes(options.staff)), ...(options.routes ?? [])])
      this.#addRoute(route);
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
    const state = this.#stateText();
    if (state === this.#state) return;
    this.#state = state;
    this.#tell('state', state);
  }

  /** Shows the staff's menu as it is now, or takes it away. */
  refreshMenu(): void {
    this.refresh();
    this.#tell('menu', this.#menuText());
  }

  /** Tells every screen that the kiosk runs. To be called each second: a screen that misses it says so. */
  beat(): void {
    this.#tell('beat', '1');
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
    const { onScan, health } = this.#options;
    this.#app.get('/healthz', async (_request, reply) => {
      const { state, storeWhy, isOnline, queued, clock } = health();
      await reply.code(state === 'down' ? 503 : 200).send({ state, storeWhy, isOnline, queued, clock });
    });
    this.#app.get('/feedback', (_request, reply) => {
      if (this.#listeners.size >= MOST_LISTENERS) return reply.code(503).send({ error: 'too many listeners' });
      reply.hijack();
      this.#listen(reply.raw);
    });
    this.#addRoute({
      path: '/scan',
      body: bodyOf('text', { type: 'string', minLength: 1, maxLength: 4_296 }),
      take: async ({ text }: { text: string }) => void onScan(text),
    });
    const commands = [...(this.#sources.isDesk ? DESK_COMMANDS : DOOR_COMMANDS), ...HOLDER_COMMANDS, ...MENU_COMMANDS];
    this.#addRoute({
      path: '/staff',
      body: bodyOf('command', { enum: commands }),
      take: async ({ command }: { command: PageCommand }) => this.#obey(command),
    });
  }

  #addRoute({ path, body, take }: PageRoute): void {
    this.#app.post(path, { schema: { body } }, async (request, reply) => {
      const answer = await take(request.body as never);
      if (answer === REFUSED) await reply.code(403).send({ error: 'not now' });
      else if (answer === undefined) await reply.code(204).send();
      else await reply.send(answer);
    });
  }

  /** What only the staff may do is refused while their menu is not open. */
  #obey(command: PageCommand): typeof REFUSED | undefined {
    const { staff, onStaff } = this.#options;
    if (command === 'menu-leave') staff?.leave();
    else if (command === 'menu-stay') staff?.stay();
    else if (DOOR_COMMANDS.some((one) => one === command) && staff?.isOpen !== true) return REFUSED;
    else {
      staff?.stay();
      onStaff(command);
    }
    return undefined;
  }

  /** Source: HTML Living Standard, "Server-sent events". */
  #listen(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    response.write(`event: begin\ndata: ${JSON.stringify({ build: this.#build })}\n\n`);
    response.write(`event: state\ndata: ${this.#stateText()}\n\n`);
    response.write(`event: menu\ndata: ${this.#menuText()}\n\n`);
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

  #stateText = (): string => JSON.stringify(screenState(this.#sources));
  #menuText = (): string => JSON.stringify(this.#options.staff?.view ?? { isOpen: false });
}

const bodyOf = (name: string, rule: object) => ({
  type: 'object',
  required: [name],
  additionalProperties: false,
  properties: { [name]: rule },
});
