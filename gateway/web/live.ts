/**
 * Tells open pages what changed, once a second: first all, then the gateway and those kiosks that are not as they were. Nothing is
 * computed while nobody looks. Source: HTML Living Standard, "Server-sent events".
 */
import type { ServerResponse } from 'node:http';
import { PAGE_HEADERS } from '../../protocol/page-headers.ts';
import type { Overview } from './schema.ts';

/** One that watches. */
export interface Watcher {
  readonly response: ServerResponse;
  /** Of its account. */
  readonly name: string;
  /** Whether its session goes on: looked at before each message. */
  readonly isWelcome: () => boolean;
}

const MOST_WATCHERS = 64;
/** Of one account, so that one whose password or token is known shuts no other out. */
const MOST_OF_ONE = 16;
/** So that a proxy does not take a quiet stream for a dead one. */
const EVERY_TICKS_A_SIGN = 15;

export class Live {
  readonly #overview: () => Overview;
  readonly #watchers = new Set<Watcher>();
  readonly #told = new Map<string, string>();
  #rest = '';
  #ticks = 0;

  constructor(overview: () => Overview) {
    this.#overview = overview;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** @returns false when there are too many already. @throws StoreError as the overview does; nothing was said to it then. */
  add(watcher: Watcher): boolean {
    const own = [...this.#watchers].filter(({ name }) => name === watcher.name);
    if (this.#watchers.size >= MOST_WATCHERS || own.length >= MOST_OF_ONE) return false;
    // Others are brought up to the same moment first, so that one memory of what was told serves all.
    const now = this.tick();
    const overview = now ?? this.#overview();
    if (now === undefined) this.#remember(overview);
    const { response } = watcher;
    response.writeHead(200, {
      ...PAGE_HEADERS,
      'content-type': 'text/event-stream',
      'x-accel-buffering': 'no',
    });
    response.write(message('all', overview));
    this.#watchers.add(watcher);
    const gone = (): void => void this.#watchers.delete(watcher);
    response.on('close', gone);
    response.on('error', gone);
    return true;
  }

  /** Tells what changed. @returns what was looked at; `undefined` when nobody watches. */
  tick(): Overview | undefined {
    for (const watcher of this.#watchers) if (!watcher.isWelcome()) this.#dismiss(watcher);
    if (this.#watchers.size === 0) return undefined;
    const overview = this.#overview();
    const changes = this.#remember(overview);
    this.#ticks += 1;
    if (changes !== undefined) this.#write(message('change', changes));
    else if (this.#ticks % EVERY_TICKS_A_SIGN === 0) this.#write(message('still', { atMs: overview.gateway.atMs }));
    return overview;
  }

  /** At once: a page that does not read would neither hear that it is ended nor let go of its connection, which nobody counts any more. */
  #dismiss(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    const { response } = watcher;
    if (response.writableLength > 0) response.destroy();
    else response.end(message('ended', {}));
  }

  close(): void {
    for (const { response } of this.#watchers) response.end();
  }

  /** @returns what is not as it was told; `undefined` when all is. */
  #remember({ gateway, venues, kiosks }: Overview): (Partial<Overview> & { readonly gone: readonly string[] }) | undefined {
    const changed = kiosks.filter((kiosk) => {
      const text = JSON.stringify(kiosk);
      if (this.#told.get(kiosk.kiosk) === text) return false;
      this.#told.set(kiosk.kiosk, text);
      return true;
    });
    const here = new Set<string>(kiosks.map(({ kiosk }) => kiosk));
    const gone = [...this.#told.keys()].filter((kiosk) => !here.has(kiosk));
    for (const kiosk of gone) this.#told.delete(kiosk);
    const rest = JSON.stringify([{ ...gateway, atMs: 0 }, venues]);
    if (changed.length === 0 && gone.length === 0 && rest === this.#rest) return undefined;
    this.#rest = rest;
    return { gateway, venues, kiosks: changed, gone };
  }

  #write(text: string): void {
    for (const { response } of this.#watchers) {
      // A page that does not read is let go of; it comes back by itself.
      if (response.writableNeedDrain) response.destroy();
      else response.write(text);
    }
  }
}

const message = (event: string, value: unknown): string => `event: ${event}\ndata: ${JSON.stringify(value)}\n\n`;
