/**
 * Headless Chromium, driven over the Chrome DevTools Protocol through a pipe: no driver, no download, no open port. Debian's package
 * is installed where it is missing. Source: chromedevtools.github.io/devtools-protocol, "--remote-debugging-pipe".
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const CHROMIUM = '/usr/bin/chromium';
// One that runs as root has no sandbox; without the others it asks for its maker's servers at every start.
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  '--hide-scrollbars',
  '--force-color-profile=srgb',
  // As docs/technician.md starts a kiosk's browser.
  '--autoplay-policy=no-user-gesture-required',
  '--remote-debugging-pipe',
];

type Answer = Readonly<Record<string, unknown>>;

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

export function installChromium(): void {
  if (existsSync(CHROMIUM)) return;
  for (const args of [
    ['update', '-qq'],
    ['install', '-y', '-qq', 'chromium', 'fonts-dejavu-core'],
  ])
    spawnSync('apt-get', args, { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  if (!existsSync(CHROMIUM)) throw new Error('chromium is not here, and apt-get could not install it');
}

export class Browser {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #to: Writable;
  readonly #waiting = new Map<number, Waiting>();
  readonly #heard = new Map<string, (method: string, params: Answer) => void>();
  #last = 0;

  private constructor(child: ChildProcess, profile: string) {
    this.#child = child;
    this.#profile = profile;
    this.#to = child.stdio[3] as Writable;
    let rest = '';
    (child.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => {
      const messages = (rest + text).split('\0');
      rest = messages.pop() ?? '';
      for (const message of messages) this.#hear(JSON.parse(message) as Answer);
    });
    this.#to.on('error', () => {});
    child.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('chromium has ended'));
    });
  }

  /** @param more flags, for what a page has at hand. */
  static open(more: readonly string[] = []): Browser {
    installChromium();
    const profile = mkdtempSync(join(tmpdir(), 'vestibule-chromium-'));
    const child = spawn(CHROMIUM, [...FLAGS, ...more, `--user-data-dir=${profile}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      env: { ...process.env, HOME: profile },
    });
    return new Browser(child, profile);
  }

  /** A page with cookies of its own. */
  async page(): Promise<Page> {
    const { browserContextId } = await this.send('Target.createBrowserContext');
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank', browserContextId });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, String(sessionId));
    this.#heard.set(String(sessionId), (method, params) => page.hear(method, params));
    await page.begin();
    return page;
  }

  send(method: string, params: object = {}, sessionId?: string): Promise<Answer> {
    this.#last += 1;
    const id = this.#last;
    this.#to.write(`${JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) })}\0`);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  async close(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await ended;
    }
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  #hear({ id, result, error, method, params, sessionId }: Answer): void {
    if (typeof id === 'number') {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result as Answer);
      else waiting?.reject(new Error(JSON.stringify(error)));
    } else if (typeof method === 'string' && typeof sessionId === 'string') this.#heard.get(sessionId)?.(method, params as Answer);
  }
}

export interface Look {
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: 'light' | 'dark';
}

export class Page {
  /** What the page wrote to its console, and what its policy refused. */
  readonly complaints: string[] = [];
  readonly #browser: Browser;
  readonly #session: string;

  constructor(browser: Browser, session: string) {
    this.#browser = browser;
    this.#session = session;
  }

  send(method: string, params: object = {}): Promise<Answer> {
    return this.#browser.send(method, params, this.#session);
  }

  async begin(): Promise<void> {
    for (const domain of ['Page', 'Runtime', 'Log']) await this.send(`${domain}.enable`);
    await this.look({});
  }

  hear(method: string, params: Answer): void {
    if (method === 'Runtime.exceptionThrown') this.complaints.push(JSON.stringify(params.exceptionDetails));
    if (method === 'Log.entryAdded') {
      const { level, text, url } = params.entry as Record<string, string>;
      if (level === 'error' || level === 'warning') this.complaints.push(`${level}: ${text} ${url ?? ''}`);
    }
  }

  async look({ width = 1_280, height = 860, scheme = 'light' }: Look): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 });
    await this.send('Emulation.setEmulatedMedia', {
      features: [
        { name: 'prefers-color-scheme', value: scheme },
        { name: 'prefers-reduced-motion', value: 'reduce' },
      ],
    });
  }

  async open(url: string): Promise<void> {
    await this.send('Page.navigate', { url });
  }

  /** @param expression may be a promise. @returns its value, which must be JSON. */
  async value<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: T }).value;
  }

  /** Waits until it holds, a promise of it included. @throws what was waited for, after a minute and a half: no page takes so long. */
  async until(condition: string): Promise<void> {
    for (const lastMs = Date.now() + 90_000; ; ) {
      // Between documents there is nothing to ask.
      const isSo = await this.value<boolean>(`Promise.resolve(${condition}).then(Boolean)`).catch(() => false);
      if (isSo) return;
      if (Date.now() > lastMs) throw new Error(`the page never came to ${condition}`);
      await this.value('new Promise((resolve) => requestAnimationFrame(resolve))').catch(() => undefined);
    }
  }

  untilText(text: string): Promise<void> {
    return this.until(`document.body?.innerText.includes(${JSON.stringify(text)})`);
  }

  async click(selector: string): Promise<void> {
    await this.until(`document.querySelector(${JSON.stringify(selector)})`);
    await this.value(`document.querySelector(${JSON.stringify(selector)}).click()`);
  }

  /** Types as a keyboard does, into what has the focus. */
  async type(text: string): Promise<void> {
    await this.send('Input.insertText', { text });
  }

  /** @param key such as `Tab`, `Enter`, `Escape`. */
  async press(key: string): Promise<void> {
    const text = key === 'Enter' ? '\r' : undefined;
    const code = { Tab: 9, Enter: 13, Escape: 27, ' ': 32 }[key] ?? 0;
    const about = { key, code: key === ' ' ? 'Space' : key, windowsVirtualKeyCode: code };
    await this.send('Input.dispatchKeyEvent', { type: text === undefined ? 'rawKeyDown' : 'keyDown', ...about, ...(text && { text }) });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...about });
  }

  async fill(selector: string, text: string): Promise<void> {
    await this.until(`document.querySelector(${JSON.stringify(selector)})`);
    await this.value(`document.querySelector(${JSON.stringify(selector)}).focus()`);
    await this.type(text);
  }

  /** Writes a PNG of the window, or of the whole page. */
  async picture(path: string, isWhole = false): Promise<void> {
    await this.value('document.fonts.ready.then(() => true)');
    const { data } = await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: isWhole });
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, Buffer.from(String(data), 'base64'));
  }
}
