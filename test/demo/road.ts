/**
 * The whole road on one machine as separate processes: gateway with core, kiosk, and between them a cable that can be cut; a scanner and a
 * thermometer on pseudo-terminals that can be unplugged. The kiosk's answers are counted as it gives them, and from nothing else.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { encodeSample } from '../../hardware/thermometer/gy-mcu90614-codec.ts';
import type { FeedbackKind } from '../../kiosk/feedback.ts';
import type { CentiCelsius } from '../../protocol/units.ts';
import { rowName } from '../support/audit-road.ts';
import { VestibuleProcess } from '../support/child.ts';
import { type CuttableLink, openCuttableLink } from '../support/cuttable-link.ts';
import { PtyDevice } from '../support/pty.ts';

export interface Answer {
  readonly kind: FeedbackKind;
  /** The promised row, by name; `undefined` when nothing was promised. */
  readonly row: string | undefined;
}

/** Short enough that an unconfirmed flag can be waited for, and long enough for a second reading on a machine that stalls. */
const SECOND_READING_MS = 4_000;
const CONFIRM_WITHIN_MS = 8_000;
/** The module's own rate is ten a second; a sensor that is silent for long counts as broken. */
const ROOM_EVERY_MS = 100;
const ROOM = { objectRaw: 2_210 as CentiCelsius, ambientRaw: 2_190 as CentiCelsius };
/** A door that has not answered by then is broken. */
const LONGEST_ANSWER_MS = 60_000;
const ANSWER_LOOK_MS = 1;
const STEADY_SAMPLES = 5;
const LEFT_SAMPLES = 3;

export class Road {
  readonly data: string;
  readonly scanner: PtyDevice;
  readonly thermometer: PtyDevice;
  readonly answers: Answer[] = [];
  /** Everything that any process wrote on its outputs. */
  readonly processes: VestibuleProcess[] = [];
  #link: CuttableLink | undefined;
  #tlsPort = 0;
  #tcpPort = 0;
  #kioskId = '';
  #gateway: VestibuleProcess | undefined;
  #kiosk: VestibuleProcess | undefined;
  #room: NodeJS.Timeout | undefined;

  constructor(data: string) {
    this.data = data;
    mkdirSync(join(data, 'dev'), { recursive: true, mode: 0o700 });
    this.scanner = new PtyDevice(join(data, 'dev', 'scanner'));
    this.thermometer = new PtyDevice(join(data, 'dev', 'thermometer'));
  }

  /** Where operators connect, on 127.0.0.1. */
  get operatorPort(): number {
    return this.#tcpPort;
  }

  get link(): CuttableLink {
    if (this.#link === undefined) throw new Error('the road is not open');
    return this.#link;
  }

  /** Makes keys, admits the kiosk, starts everything, plugs everything in. The issuer must be there already. */
  async open(): Promise<void> {
    this.#tlsPort = await freePort();
    this.#tcpPort = await freePort();
    this.#link = await openCuttableLink(() => this.#tlsPort);
    writeFileSync(join(this.data, 'gateway.json'), JSON.stringify({ flags: { confirmWithinMs: CONFIRM_WITHIN_MS } }));
    writeFileSync(
      join(this.data, 'kiosk.json'),
      JSON.stringify({
        direction: 'both',
        door: { againWindowMs: 0, secondReadingMs: SECOND_READING_MS },
        uplink: { firstBackoffMs: 100, longestBackoffMs: 1_000, drainRowsPerSecond: 1_000 },
        page: { port: 0 },
        scanners: [{ kind: 'serial', name: 'scanner', path: this.scanner.path, framing: 'line' }],
        thermometers: [{ kind: 'serial', model: 'gy-mcu90614', name: 'thermometer', path: this.thermometer.path }],
      }),
    );
    await this.startGateway();
    this.#pointAtLink();
    await VestibuleProcess.run(['kiosk', 'key', '--data', this.data]);
    const { kiosk } = JSON.parse(readFileSync(join(this.data, 'kiosk', 'kiosk.json'), 'utf8')) as { kiosk: string };
    this.#kioskId = kiosk;
    const venues = await VestibuleProcess.run(['venue', 'add', '--name', 'Demo venue', '--timezone', 'UTC', '--data', this.data]);
    const [venue = ''] = venues.split(' ');
    const card = join(this.data, 'kiosk', 'kiosk.json');
    await VestibuleProcess.run(['gateway', 'admit', card, '--venue', venue, '--direction', 'both', '--data', this.data]);
    this.scanner.plug();
    this.thermometer.plug();
    this.#room = setInterval(() => void this.thermometer.send(encodeSample(ROOM)), ROOM_EVERY_MS);
    await this.startKiosk();
  }

  async startGateway(): Promise<void> {
    const config = join(this.data, 'gateway.json');
    const ports = ['--tls-port', String(this.#tlsPort), '--tcp-port', String(this.#tcpPort), '--web-port', '0'];
    this.#gateway = this.#spawn(['gateway', 'run', '--data', this.data, '--config', config, ...ports, '--log', 'debug'], () => {});
    await this.#gateway.line((line) => line.startsWith('gateway ready'));
  }

  async startKiosk(): Promise<void> {
    const args = [
      'kiosk',
      'run',
      '--data',
      this.data,
      '--config',
      join(this.data, 'kiosk.json'),
      '--trust',
      join(this.data, 'trust-by-link.json'),
    ];
    const kiosk = this.#spawn([...args, '--output', 'json', '--log', 'debug'], (line) => this.#hear(line));
    this.#kiosk = kiosk;
    await Promise.all([this.#isUp('scanner', 0), this.#isUp('thermometer', 0)]);
  }

  /** Pulls the scanner's plug and puts it back; resolves when the kiosk listens to it again. */
  async replugScanner(): Promise<void> {
    const from = this.#running(this.#kiosk).lineCount;
    await this.scanner.unplug();
    this.scanner.plug();
    await this.#isUp('scanner', from);
  }

  killKiosk(): Promise<unknown> {
    return this.#running(this.#kiosk).end('SIGKILL');
  }

  async restartGateway(): Promise<void> {
    await this.#running(this.#gateway).end('SIGTERM');
    await this.startGateway();
  }

  /** Sends a symbol as a serial scanner does, and waits for what the door says. */
  async scan(symbol: string): Promise<Answer> {
    const from = this.answers.length;
    await this.scanner.send(`${symbol}\r`);
    return await this.answer(from, () => true);
  }

  /** Holds a forehead before the thermometer until it is steady, then takes it away. Waits for the answer. */
  async measure(objectRaw: number): Promise<Answer> {
    const from = this.answers.length;
    const samples = [
      ...Array.from({ length: STEADY_SAMPLES }, () => ({ objectRaw: objectRaw as CentiCelsius, ambientRaw: ROOM.ambientRaw })),
      ...Array.from({ length: LEFT_SAMPLES }, () => ROOM),
    ];
    await this.thermometer.send(Buffer.concat(samples.map(encodeSample)));
    return await this.answer(from, () => true);
  }

  /** @returns the first answer after `from` that fits, once it is given. Rejects, with the kiosk's last lines, when none comes. */
  async answer(from: number, fits: (answer: Answer) => boolean): Promise<Answer> {
    const lastMs = performance.now() + LONGEST_ANSWER_MS;
    for (;;) {
      const found = this.answers.slice(from).find(fits);
      if (found !== undefined) return found;
      const kiosk = this.#running(this.#kiosk);
      if (kiosk.hasEnded || performance.now() > lastMs) throw new Error(`no answer at the door: ${kiosk.written.slice(-2_000)}`);
      await pause(ANSWER_LOOK_MS);
    }
  }

  /** Waits until the kiosk has handed over all it promised and the gateway has judged each high reading; then stops both cleanly. */
  async close(): Promise<void> {
    const state = join(this.data, 'gateway', 'state.json');
    const isDrained = (): boolean => {
      const { sinks, connectedKiosks } = JSON.parse(readFileSync(state, 'utf8')) as {
        sinks: { core: { behindEntries: number } };
        connectedKiosks: number;
      };
      return connectedKiosks === 1 && sinks.core.behindEntries === 0;
    };
    await pause(CONFIRM_WITHIN_MS + 1_500);
    while (!isDrained()) await pause(200);
    clearInterval(this.#room);
    await this.#running(this.#kiosk).end('SIGTERM');
    await this.#running(this.#gateway).end('SIGTERM');
    await this.destroy();
  }

  /** Ends whatever runs, at once. */
  async destroy(): Promise<void> {
    clearInterval(this.#room);
    await this.#kiosk?.end('SIGKILL');
    await this.#gateway?.end('SIGKILL');
    await this.scanner.unplug();
    await this.thermometer.unplug();
    await this.#link?.close();
    this.#link = undefined;
  }

  #hear(line: string): void {
    const said = JSON.parse(line) as { kind?: FeedbackKind; keyId?: string; seq?: number };
    if (said.kind === undefined) return;
    const row = said.keyId === undefined || said.seq === undefined ? undefined : rowName(this.#kioskId, said.keyId, said.seq);
    this.answers.push({ kind: said.kind, row });
  }

  /** The kiosk finds the gateway through the cable; all else is as the gateway wrote it. */
  #pointAtLink(): void {
    const path = join(this.data, 'gateway', 'trust.json');
    copyFileSync(path, join(this.data, 'trust-by-link.json'));
    const trust = JSON.parse(readFileSync(path, 'utf8')) as { gateway: { host: string; port: number } };
    trust.gateway.port = this.link.port;
    writeFileSync(join(this.data, 'trust-by-link.json'), JSON.stringify(trust));
  }

  #spawn(args: readonly string[], onLine: (line: string) => void): VestibuleProcess {
    const started = new VestibuleProcess(args, { onLine });
    this.processes.push(started);
    return started;
  }

  /** The kiosk logs each change of a device's state. */
  #isUp(device: string, from: number): Promise<string> {
    const isAbout = (line: string): boolean => line.includes(`"device":"${device}"`);
    return this.#running(this.#kiosk).line((line) => isAbout(line) && /device\.up/.test(line), from);
  }

  #running(process: VestibuleProcess | undefined): VestibuleProcess {
    if (process === undefined) throw new Error('not started');
    return process;
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
