/**
 * A tracing core, two gateways and their kiosks, each a process of its own as its people start it: every step is a command of
 * docs/operator.md or docs/clinician.md. A meeting takes a quarter of an hour and a process has the time that it has: so one kiosk's outbox
 * holds, from before its machine was started anew, scans of hours ago that the gateway has not had yet.
 */
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { FeedbackKind } from '../../kiosk/feedback.ts';
import { openIdentity } from '../../kiosk/kiosk-identity.ts';
import { readPapers } from '../../kiosk/papers.ts';
import { Recorder } from '../../kiosk/recorder.ts';
import { decodeCode } from '../../protocol/code.ts';
import type { BootId, VisitorUuid } from '../../protocol/ids.ts';
import { silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import type { EpochMillis, MonotonicMillis } from '../../protocol/units.ts';
import { LIMITS } from '../kiosk/fixtures.ts';
import { askRest } from '../support/ask-rest.ts';
import { VestibuleProcess } from '../support/child.ts';
import { readSheet } from '../support/read-sheet.ts';

const { run } = VestibuleProcess;
const GIVE_UP_MS = 30_000;

export interface Answer {
  readonly kind: FeedbackKind;
  readonly hasNotice?: true;
  /** When it was read from the process's output, of `performance.now()`. */
  readonly atMs: number;
}

/** One kiosk as a process: what a scanner would type goes into its standard input, and it answers as JSON. */
export class KioskProcess {
  readonly #process: VestibuleProcess;
  readonly #answers: Answer[] = [];

  constructor(data: string, config: string, laterMs: number) {
    const onLine = (line: string): void => {
      const said = JSON.parse(line) as Partial<Answer>;
      if (said.kind !== undefined) this.#answers.push({ ...(said as Answer), atMs: performance.now() });
    };
    const args = ['kiosk', 'run', '--data', data, '--config', config, '--no-page', '--output', 'json'];
    this.#process = new VestibuleProcess(args, { onLine, laterMs });
  }

  get written(): string {
    return this.#process.written;
  }

  async ready(): Promise<this> {
    await this.#process.line((line) => line.startsWith('{"ready"'));
    return this;
  }

  async scan(text: string): Promise<Answer> {
    const at = this.#answers.length;
    this.#process.type(`${text}\n`);
    return await waitFor(`an answer: ${this.written.slice(-500)}`, () => this.#answers[at]);
  }

  /** Scans until the answer is so: a kiosk hears of a change when it hears of it. */
  async scanUntil(text: string, isSo: (answer: Answer) => boolean): Promise<Answer> {
    const lastMs = performance.now() + GIVE_UP_MS;
    for (;;) {
      const answer = await this.scan(text);
      if (isSo(answer)) return answer;
      if (performance.now() > lastMs) throw new Error(`still ${answer.kind}`);
      await pause(20);
    }
  }

  stop(): Promise<unknown> {
    return this.#process.end('SIGTERM');
  }

  kill(): Promise<unknown> {
    return this.#process.end('SIGKILL');
  }
}

interface Gateway {
  readonly data: string;
  readonly config: string;
  readonly tlsPort: number;
  process?: VestibuleProcess;
}

/** Who was in, so many minutes ago. */
export interface Earlier {
  readonly card: VisitorUuid;
  readonly minutesAgo: number;
}

export class NoticeRoad {
  readonly #dir: string;
  readonly #running: VestibuleProcess[] = [];
  readonly #kiosks: KioskProcess[] = [];
  readonly #gateways = new Map<string, Gateway>();
  /** How far the clocks are ahead of what is started from now on. */
  laterMs = 0;
  #core: { readonly port: number; readonly restPort: number; readonly sink: object; readonly tokenPath: string } | undefined;

  constructor(dir: string) {
    this.#dir = dir;
  }

  get restPort(): number {
    return this.#core?.restPort ?? 0;
  }

  /** All that any of the processes wrote. */
  get written(): string {
    return [...this.#running, ...this.#kiosks].map(({ written }) => written).join('\n');
  }

  dirOf(name: string): string {
    const path = join(this.#dir, name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  }

  /** Opens the core, for the ledger of the gateway of that name. @param settings of `core serve --config`. */
  async openCore(gateway: string, settings: object): Promise<void> {
    const { data } = await this.#gateway(gateway);
    // At its first start a gateway makes its keys and writes the trust.json that the core asks for.
    const first = await this.#runGateway(data, []);
    await first.end('SIGTERM');
    const config = join(this.#dir, 'core.json');
    writeFileSync(config, JSON.stringify(settings));
    const [port, restPort] = [await freePort(), await freePort()];
    const trust = join(data, 'gateway', 'trust.json');
    const core = this.#spawn(
      ...[
        'core',
        'serve',
        '--listen',
        '127.0.0.1',
        '--port',
        `${port}`,
        '--rest-port',
        `${restPort}`,
        '--url',
        `https://127.0.0.1:${port}`,
      ],
      ...['--trust', trust, '--config', config, '--data', this.dirOf('core')],
    );
    await core.line((line) => line.startsWith('rest: '));
    const printed = JSON.parse(/\{[\s\S]*\n\}/.exec(core.written)?.[0] ?? '') as { sinks: { kind: string }[] };
    const sink = printed.sinks.find(({ kind }) => kind === 'http') ?? {};
    const tokenPath = (await core.line((line) => line.startsWith('token: '))).slice('token: '.length);
    this.#core = { port, restPort, sink, tokenPath };
    const carried = join(data, 'far-core.token');
    copyFileSync(tokenPath, carried);
    this.#tellCore(gateway, carried);
  }

  /** A gateway with the core in its own process. */
  async ownCore(name: string): Promise<void> {
    writeFileSync((await this.#gateway(name)).config, '{}');
  }

  /** Lets another gateway's ledger into the core. */
  async addGateway(name: string): Promise<void> {
    const { data } = await this.#gateway(name);
    const said = await run(['cards', 'issuer', '--data', data]);
    const deployment = /deployment +(\S+)/.exec(said)?.[1] ?? '';
    const printed = await run(['core', 'gateway', 'add', name, '--deployment', deployment, '--data', this.dirOf('core')]);
    const path = join(data, 'far-core.token');
    const token = printed.split('\n').find((line) => /^[A-Za-z0-9_-]{43}$/.test(line));
    writeFileSync(path, `${token}\n`, { mode: 0o600 });
    this.#tellCore(name, path);
  }

  async startGateway(name: string): Promise<void> {
    const gateway = await this.#gateway(name);
    gateway.process = await this.#runGateway(gateway.data, ['--config', gateway.config, '--tls-port', String(gateway.tlsPort)]);
  }

  async stopGateway(name: string): Promise<void> {
    await (await this.#gateway(name)).process?.end('SIGTERM');
  }

  /** Runs a command of the gateway's machine. @returns what it printed. */
  async command(gateway: string, ...args: readonly string[]): Promise<string> {
    return await run([...args, '--data', (await this.#gateway(gateway)).data]);
  }

  /** Prints cards and stickers, and reads them back from the sheet's picture. */
  async print(gateway: string, cards: number, stickers: number): Promise<{ readonly cards: string[]; readonly stickers: string[] }> {
    const sheet = join(this.#dir, `${gateway}.pdf`);
    await this.command(gateway, 'cards', '--visitors', `${cards}`, '--stickers', `${stickers}`, '--out', sheet);
    const texts = (await readSheet(readFileSync(sheet), { dpi: 150 })).map(({ text }) => text);
    const of = (kind: string) => texts.filter((text) => decodeCode(text).kind === kind);
    return { cards: of('visitor'), stickers: of('sticker') };
  }

  /** Enrols a kiosk by a code, which is typed into its standard input. */
  async enrol(name: string, gateway: string, venue: string, ...more: readonly string[]): Promise<void> {
    const printed = await this.command(gateway, 'enrol', '--venue', venue, '--direction', 'both', ...more);
    await run(['kiosk', 'enrol', '-', '--data', this.dirOf(name)], printed.split('\n').at(-1));
  }

  /** Puts scans of before into the outbox of a kiosk that does not run, as they lie there when its machine has started anew. */
  async scannedBefore(name: string, scans: readonly Earlier[]): Promise<void> {
    const dir = join(this.dirOf(name), 'kiosk');
    const identity = openIdentity(dir);
    const papers = readPapers(dir, identity);
    if (papers === undefined) throw new Error(`${name}: not enrolled`);
    const { deployment, recipients } = papers.trust;
    const bootId = new Uint8Array(randomBytes(16)) as BootId;
    const recorder = new Recorder({
      dir,
      limits: LIMITS,
      keyParts: () => ({ deployment, kiosk: identity.kiosk, recipients, signingKey: identity.privateKey }),
      clock: systemClock,
      log: silentLog,
      stamp: (at) => ({ ...at, bootId, clock: 'synced' }),
      onStore: () => {},
      onOutbox: () => {},
      leaveOutbox: () => Promise.resolve(),
      onAppended: () => {},
    });
    await recorder.open();
    const beganMs = systemClock.wall() - 24 * 3_600_000;
    for (const { card, minutesAgo } of scans) {
      const wallMs = (systemClock.wall() - minutesAgo * 60_000) as EpochMillis;
      recorder.append(
        { type: 'check-in', card, groupSize: 1, isSigned: true },
        { wallMs, monotonicMs: (wallMs - beganMs) as MonotonicMillis },
      );
    }
    recorder.close();
  }

  startKiosk(name: string): Promise<KioskProcess> {
    const config = join(this.#dir, 'kiosk.json');
    const uplink = { firstBackoffMs: 100, longestBackoffMs: 500 };
    writeFileSync(config, JSON.stringify({ scanners: [{ kind: 'standard-input' }], uplink }));
    const kiosk = new KioskProcess(this.dirOf(name), config, this.laterMs);
    this.#kiosks.push(kiosk);
    return kiosk.ready();
  }

  /** Waits until the core holds so many check-ins. @param token of an administrator. */
  async coreHolds(checkIns: number, token: string): Promise<void> {
    const question = { port: this.restPort, path: '/core/1/status', token, purpose: 'operation' };
    const lastMs = performance.now() + GIVE_UP_MS;
    for (;;) {
      const { json } = await askRest(question);
      if (Number(json.checkIns) >= checkIns) return;
      if (performance.now() > lastMs) throw new Error(`the core holds ${json.checkIns} check-ins of ${checkIns}`);
      // As often as one caller may ask.
      await pause(200);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#kiosks.map((kiosk) => kiosk.kill()));
    await Promise.all(this.#running.map((one) => one.end('SIGKILL')));
  }

  async #gateway(name: string): Promise<Gateway> {
    const known = this.#gateways.get(name);
    if (known !== undefined) return known;
    const gateway = { data: this.dirOf(name), config: join(this.#dir, `${name}.json`), tlsPort: await freePort() };
    this.#gateways.set(name, gateway);
    return gateway;
  }

  #tellCore(gateway: string, tokenPath: string): void {
    const sink = { ...this.#core?.sink, tokenPath };
    const config = this.#gateways.get(gateway)?.config ?? '';
    writeFileSync(config, JSON.stringify({ sinks: [sink] }));
  }

  async #runGateway(data: string, more: readonly string[]): Promise<VestibuleProcess> {
    const ports = more.includes('--tls-port') ? [] : ['--tls-port', '0'];
    const started = this.#spawn(
      'gateway',
      'run',
      '--data',
      data,
      '--host',
      '127.0.0.1',
      '--tcp-port',
      '0',
      '--web-port',
      '0',
      ...ports,
      ...more,
    );
    await started.line((line) => line.startsWith('gateway ready'));
    return started;
  }

  #spawn(...args: readonly string[]): VestibuleProcess {
    const started = new VestibuleProcess(args, { laterMs: this.laterMs });
    this.#running.push(started);
    return started;
  }
}

async function waitFor<T>(what: string, find: () => T | undefined): Promise<T> {
  const lastMs = performance.now() + GIVE_UP_MS;
  for (let found = find(); ; found = find()) {
    if (found !== undefined) return found;
    if (performance.now() > lastMs) throw new Error(`waited for ${what}`);
    await pause(2);
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
