/**
 * Who asks over HTTP: a person by a session's cookie, a program by its token, or the command line of this machine by the token that
 * lies in the gateway's directory. Forms and scripts of other sites are refused whatever cookie comes along.
 * Source: OWASP, "Cross-Site Request Forgery Prevention"; Fetch Metadata Request Headers; RFC 6265bis, section 4.1.3 (__Host-).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { AdmissionError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import type { Accounts, Session } from '../accounts.ts';
import type { Caller } from './route.ts';

export interface CallerOptions {
  readonly accounts: Accounts;
  readonly clock: Clock;
  /** Whether the listener speaks TLS: a cookie is then bound to it. */
  readonly isSecure: boolean;
  /** As `hostsOf` gives them. */
  readonly hosts: () => readonly string[];
  /** Of this listener, never 0. */
  readonly port: () => number;
  /** Known to whoever may read the gateway's directory. */
  readonly controlToken: string;
}

export type Identified = { readonly caller: Caller; readonly session?: Session & { readonly token: string } };

const SAFE = new Set(['GET', 'HEAD']);
const SYSTEM_USER = /^[A-Za-z0-9._-]{1,32}$/;

/**
 * @param names domain names and addresses. @returns what browsers and programs write in `Host` for them, in lower case: a browser leaves
 * the port out where it is its scheme's own.
 */
export function hostsOf(names: readonly string[], port: number, isSecure: boolean): string[] {
  const hosts = names.map((name) => (name.includes(':') ? `[${name}]` : name).toLowerCase());
  return [...hosts.map((host) => `${host}:${port}`), ...(port === (isSecure ? 443 : 80) ? hosts : [])];
}

export class Callers {
  readonly #options: CallerOptions;

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  get cookieName(): string {
    const { isSecure, port } = this.#options;
    // Cookies know no port (RFC 6265, section 8.5): of two gateways on one machine the one would end the other's sessions.
    return `${isSecure ? '__Host-' : ''}vestibule-${port()}`;
  }

  /** @param token empty to end it. */
  cookie(token: string): string {
    const end = token === '' ? '; Max-Age=0' : '';
    return `${this.cookieName}=${token}; Path=/; HttpOnly; SameSite=Strict${this.#options.isSecure ? '; Secure' : ''}${end}`;
  }

  /** A name that was rebound to this address, and pages of other sites, are refused. A link to the page itself may come from anywhere. */
  isFromHere(method: string, url: string, headers: IncomingHttpHeaders): boolean {
    const hosts = this.#options.hosts();
    if (headers.host === undefined || !hosts.includes(headers.host.toLowerCase())) return false;
    const scheme = this.#options.isSecure ? 'https' : 'http';
    if (headers.origin !== undefined && !hosts.some((host) => headers.origin === `${scheme}://${host}`)) return false;
    const site = headers['sec-fetch-site'];
    const isLink = method === 'GET' && url === '/' && headers['sec-fetch-mode'] === 'navigate';
    return isLink || site === undefined || site === 'same-origin' || site === 'none';
  }

  /** @returns who asks; `undefined` for nobody known. @throws AdmissionError `admission.not_allowed` for a change without its session's word. */
  identify(method: string, headers: IncomingHttpHeaders): Identified | undefined {
    const bearer = /^Bearer ([A-Za-z0-9_-]{20,128})$/.exec(headers.authorization ?? '')?.[1];
    if (bearer !== undefined) return this.#byToken(bearer, headers);
    const token = this.tokenIn(headers.cookie);
    const session = token === undefined ? undefined : this.#options.accounts.session(token, this.#options.clock.wall());
    if (token === undefined || session === undefined) return undefined;
    if (!SAFE.has(method) && !isSame(String(headers['x-vestibule-csrf'] ?? ''), session.csrf))
      throw new AdmissionError('admission.not_allowed', 'request: without the word of its session');
    const { name, role } = session.account;
    return { caller: { name, role, via: 'web', isPerson: true }, session: { ...session, token } };
  }

  tokenIn(cookies: string | undefined): string | undefined {
    for (const cookie of cookies?.split('; ') ?? []) {
      const [name, value = ''] = cookie.split('=');
      if (name === this.cookieName && /^[A-Za-z0-9_-]{43}$/.test(value)) return value;
    }
    return undefined;
  }

  #byToken(token: string, headers: IncomingHttpHeaders): Identified | undefined {
    if (isSame(token, this.#options.controlToken)) {
      const claimed = String(headers['x-vestibule-user'] ?? '');
      const name = SYSTEM_USER.test(claimed) ? claimed : 'somebody';
      return { caller: { name, role: 'manager', via: 'command-line', isPerson: true } };
    }
    const program = this.#options.accounts.programOf(token);
    return program && { caller: { name: program.name, role: program.role, via: 'web', isPerson: false } };
  }
}

/** In a time that tells nothing of where two texts differ. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
