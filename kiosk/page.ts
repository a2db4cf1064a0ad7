/**
 * The door of the kiosk's screen: serves its page (screen/page), takes what is scanned or pressed there, and tells it what the kiosk answers
 * and how it does. Answers to this machine alone; no visitor's data is ever on it.
 */
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { z } from 'zod';
import { ConfigError } from '../protocol/errors.ts';
import { PAGE_HEADERS } from '../protocol/page-headers.ts';
import { DOOR_COMMANDS } from './check-in-flow.ts';
import type { Direction } from './check-in-state.ts';
import { DESK_COMMANDS } from './clinic-flow.ts';
import type { Feedback } from './feedback.ts';
import type { FrontCommand } from './front.ts';
import type { HealthSnapshot } from './health.ts';
import { HOLDER_COMMANDS } from './holder-front.ts';
import { pageServer, send, type Taking } from './page-server.ts';
import { buildOf, screenAssets } from './screen/assets.ts';
import { type ScreenSources, screenState } from './screen/rest.ts';
import { type PageRoute, REFUSED, staffRoutes } from './screen/staff-routes.ts';
import type { StaffDoor } from './staff/staff-door.ts';

export interface PageOptions {
  /** On 127.0.0.1; 0 takes any that is free. */
  readonly port: number;
  readonly onScan: (text: string) => void;
  readonly onStaff: (command: FrontCommand) => void;
  readonly health: () => HealthSnapshot;
  /** Told of a bug that a request met; what did it ends by itself where it has to. Nobody where it is left out. */
  readonly onBug?: (error: unknown) => void;
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
/** Characters that a QR code holds. */
const LONGEST_SYMBOL = 4_296;
/** Of a request's body: the longest symbol fits. */
const LONGEST_BODY_BYTES = 8_192;
/** One screen, and some tabs left open. */
const MOST_LISTENERS = 8;
const MENU_COMMANDS = ['menu-stay', 'menu-leave'] as const;
const AS_IT_COMES: ReturnType<ScreenSources['settings']> = { language: 'en', sound: 'normal', isOutOfOrder: false };

type PageCommand = FrontCommand | (typeof MENU_COMMANDS)[number];

export class Page {
  readonly #options: PageOptions;
  readonly #sources: ScreenSources;
  readonly #server: Server;
  readonly #listeners = new Set<Socket>();
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
    const assets = screenAssets(isDesk);
    this.#build = buildOf(assets);
    const get = new Map(assets.map(({ path, type, content }) => [path, this.#asset(path, type, content)]));
    get.set('/healthz', (response) => this.#tellHealth(response));
    get.set('/feedback', (response) => this.#listen(response));
    const routes = [...this.#ownRoutes(), ...(options.staff === undefined ? [] : staffRoutes(options.staff)), ...(options.routes ?? [])];
    const post = new Map(routes.map(({ path, body, take }) => [path, { body, take: obeying(take) }]));
    this.#server = pageServer(
      { mayAsk: (request) => this.#isOurs(request), headers: PAGE_HEADERS, get, post, onBug: options.onBug ?? (() => {}) },
      LONGEST_BODY_BYTES,
    );
  }

  /** @returns where it is. @throws ConfigError config.invalid when the port is taken. */
  async open(): Promise<string> {
    try {
      this.#server.listen(this.#options.port, LOOPBACK);
      await once(this.#server, 'listening');
      return `http://${LOOPBACK}:${this.#port}`;
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
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  get #port(): number {
    const address = this.#server.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  }

  /** Only a page that came from here may talk to it: a name that was rebound to 127.0.0.1 and other sites' pages are refused. */
  #isOurs({ headers, method, url }: IncomingMessage): boolean {
    const hosts = [`${LOOPBACK}:${this.#port}`, `localhost:${this.#port}`];
    if (headers.host === undefined || !hosts.includes(headers.host)) return false;
    if (headers.origin !== undefined && !hosts.some((host) => headers.origin === `http://${host}`)) return false;
    const site = headers['sec-fetch-site'];
    const isLinkToUs = method === 'GET' && url === '/' && headers['sec-fetch-mode'] === 'navigate';
    return isLinkToUs || site === undefined || site === 'same-origin' || site === 'none';
  }

  #asset(path: string, type: string, content: string | Buffer): (response: ServerResponse) => void {
    return (response) => {
      if (path === '/' && this.#options.isSetupAsked?.() === true) response.writeHead(302, { location: '/setup.html' }).end();
      else response.writeHead(200, { 'content-type': type }).end(content);
    };
  }

  #tellHealth(response: ServerResponse): void {
    const { state, storeWhy, isOnline, queued, clock } = this.#options.health();
    send(response, state === 'down' ? 503 : 200, { state, storeWhy, isOnline, queued, clock });
  }

  #ownRoutes(): readonly PageRoute[] {
    const { onScan } = this.#options;
    const commands = [...(this.#sources.isDesk ? DESK_COMMANDS : DOOR_COMMANDS), ...HOLDER_COMMANDS, ...MENU_COMMANDS];
    return [
      {
        path: '/scan',
        body: z.strictObject({ text: z.string().min(1).max(LONGEST_SYMBOL) }),
        take: async ({ text }: { text: string }) => void onScan(text),
      },
      {
        path: '/staff',
        body: z.strictObject({ command: z.enum(commands) }),
        take: async ({ command }: { command: PageCommand }) => this.#obey(command),
      },
    ];
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
    if (this.#listeners.size >= MOST_LISTENERS) {
      send(response, 503, { error: 'too many listeners' });
      return;
    }
    const { socket } = response;
    if (socket === null) return;
    // The stream ends with its connection (RFC 9112, section 6.3, rule 8): so each line is one write, with nothing around it.
    response.removeHeader('transfer-encoding');
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    socket.write(lineOf('begin', JSON.stringify({ build: this.#build })));
    socket.write(lineOf('state', this.#stateText()));
    socket.write(lineOf('menu', this.#menuText()));
    this.#listeners.add(socket);
    socket.on('close', () => this.#listeners.delete(socket));
    socket.on('error', () => this.#listeners.delete(socket));
  }

  #tell(event: string, line: string): void {
    for (const listener of this.#listeners) {
      // A screen that does not read is let go of; it comes back by itself.
      if (listener.writableNeedDrain) listener.destroy();
      else listener.write(lineOf(event, line));
    }
  }

  #stateText = (): string => JSON.stringify(screenState(this.#sources));
  #menuText = (): string => JSON.stringify(this.#options.staff?.view ?? { isOpen: false });
}

const lineOf = (event: string, line: string): string => `event: ${event}\ndata: ${line}\n\n`;

const obeying =
  (take: PageRoute['take']): Taking['take'] =>
  async (body) => {
    const answer = await take(body as never);
    if (answer === REFUSED) return { status: 403, answer: { error: 'not now' } };
    return answer === undefined ? { status: 204 } : { status: 200, answer };
  };
