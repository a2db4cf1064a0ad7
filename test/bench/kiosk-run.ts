/** One run of kiosk.bench.ts: scans go into a kiosk's process as people come, answers are timed, the disk's floor is taken in between. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { TestBroker } from '../kiosk/broker.ts';
import { cardOf, newDeployment } from '../kiosk/fixtures.ts';
import { PtyDevice } from '../support/pty.ts';
import { seededRandom } from '../support/suite-size.ts';
import { BareDoor } from './bare-door.ts';
import { FsyncWatch } from './fsync-library.ts';
import type { FromKioskChild, KioskChildOptions, ToKioskChild } from './kiosk-child.ts';
import { BenchScanner } from './scanner.ts';

export interface RunSettings {
  readonly dir: string;
  readonly library: string;
  /** Of `buildScanner`. */
  readonly scanner: string;
  readonly extraFsyncUs: number;
  /** `online`: a gateway is connected that acknowledges at once. */
  readonly isOnline: boolean;
  readonly door: 'standard-input' | 'pty';
  readonly scans: number;
  /** On average; arrivals are a Poisson process, and every twentieth is a burst of four. */
  readonly scansPerSecond: number;
  readonly seed: number;
}

export interface Timed {
  readonly tookMs: number;
  /** Of it, what passed in the kiosk's process from when it had read the bytes: without the way there. NaN through a terminal. */
  readonly insideMs: number;
  /** What the kiosk's main thread spent in fsync since the answer before, or the floor taken before. */
  readonly syncedMs: number;
  /** Scans before it that had no answer yet when it came: it waits for their fsyncs, too. */
  readonly ahead: number;
}

export interface RunResult {
  /** Scans that were kept. */
  readonly kept: readonly Timed[];
  /** Scans of something that is no card: through the same door and nothing is stored. */
  readonly strangers: readonly Timed[];
  /** Write and fdatasync, in the kiosk's process while it is awake. */
  readonly fsyncMs: readonly number[];
  /** A bare process that is woken by the same bytes, writes, syncs and answers. */
  readonly bareMs: readonly number[];
  /** Whether the kernel granted the kiosk's main thread real-time priority, as `vestibule kiosk run` asks for it. */
  readonly hasPriority: boolean;
  readonly firstScanMs: number;
  readonly scanFsyncs: number;
  readonly otherFsyncs: number;
  readonly writtenBytes: number;
  readonly walPeakBytes: number;
  /** Batches that the gateway acknowledged. */
  readonly batches: number;
}

/** What `cli/vestibule.js` starts a kiosk with. */
const KIOSK_FLAGS = JSON.parse(readFileSync(join(import.meta.dirname, '../../cli/kiosk-flags.json'), 'utf8')) as string[];
const WARM_UP = 60;
const BURST = 4;
const PRODUCT = '4006381333931';

const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
const untilMs = (dueMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - nowMs())));

/** Bytes that a process made dirty in files, in all. Source: proc_pid_io(5). */
const writtenBytesOf = (pid: number): number => Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);

type Answer = Extract<FromKioskChild, { kind: 'answer' }>;

class KioskUnderTest {
  readonly kept: Timed[] = [];
  readonly strangers: Timed[] = [];
  readonly floors: number[] = [];
  readonly #child: ChildProcess;
  readonly #scanner: BenchScanner | undefined;
  readonly #scan: (text: string) => void;
  readonly #waiting: { readonly ahead: number }[] = [];
  readonly #cameMs: number[] = [];
  readonly #answered: { readonly answer: Answer; readonly ahead: number; readonly syncedMs: number }[] = [];
  #told: () => void = () => {};
  #syncedMs = 0;
  ready: Extract<FromKioskChild, { kind: 'ready' }> | undefined;

  /** @param program of `buildScanner`. @param write another way in, through a terminal. */
  constructor(
    options: KioskChildOptions,
    env: Readonly<Record<string, string>>,
    program: string,
    write: ((text: string) => void) | undefined,
  ) {
    this.#child = spawn(process.execPath, [...KIOSK_FLAGS, join(import.meta.dirname, 'kiosk-child.ts'), JSON.stringify(options)], {
      env: { ...process.env, MALLOC_ARENA_MAX: '1', ...env },
      stdio: ['pipe', 'pipe', 'inherit', 'ipc'],
    });
    this.#child.stdout?.resume();
    const onWritten = (atMs: number) => {
      this.#cameMs.push(atMs);
      this.#match();
    };
    if (write !== undefined) {
      this.#scan = (text) => {
        onWritten(nowMs());
        write(`${text}\r`);
      };
    } else {
      if (this.#child.stdin === null) throw new TypeError('bench: a kiosk without input');
      const scanner = new BenchScanner(program, this.#child.stdin, onWritten);
      this.#scanner = scanner;
      this.#scan = (text) => scanner.scan(text);
    }
    this.#child.on('message', (message: FromKioskChild) => {
      this.#hear(message);
      this.#told();
    });
    this.#child.once('exit', () => this.#told());
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get unanswered(): number {
    return this.#waiting.length + this.#answered.length;
  }

  scan(text: string): void {
    this.#waiting.push({ ahead: this.#waiting.length });
    this.#scan(text);
  }

  /** @throws when the kiosk's process ends first. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.#child.exitCode !== null) throw new Error(`bench: the kiosk ended with ${this.#child.exitCode}`);
      await new Promise<void>((resolve) => {
        this.#told = resolve;
      });
    }
  }

  async takeFloor(): Promise<void> {
    const before = this.floors.length;
    this.#send({ kind: 'take-floor' });
    await this.until(() => this.floors.length > before);
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#scanner?.stop();
    this.#send({ kind: 'stop' });
    await exited;
  }

  #send(message: ToKioskChild): void {
    this.#child.send(message);
  }

  #hear(message: FromKioskChild): void {
    if (message.kind === 'ready') this.ready = message;
    else if (message.kind === 'floor') {
      this.floors.push(message.tookMs);
      this.#syncedMs = message.syncedMs;
    } else if (message.kind === 'answer') {
      const scan = this.#waiting.shift();
      if (scan === undefined) throw new Error(`bench: an answer without a scan: ${message.feedback}`);
      this.#answered.push({ answer: message, ahead: scan.ahead, syncedMs: message.syncedMs - this.#syncedMs });
      this.#syncedMs = message.syncedMs;
      this.#match();
    }
  }

  /** The scanner tells of its writes late, so as not to be in the way. */
  #match(): void {
    while (this.#cameMs.length > 0) {
      const answered = this.#answered.shift();
      if (answered === undefined) return;
      const cameMs = this.#cameMs.shift() ?? Number.NaN;
      const { answer, ahead, syncedMs } = answered;
      const insideMs = answer.readMs === null ? Number.NaN : answer.atMs - answer.readMs;
      const timed: Timed = { tookMs: answer.atMs - cameMs, insideMs, syncedMs, ahead };
      if (answer.feedback === 'welcome') this.kept.push(timed);
      else if (answer.feedback === 'not-a-card') this.strangers.push(timed);
      else throw new Error(`bench: a scan was answered with ${answer.feedback}`);
    }
    this.#told();
  }
}

export async function runOnce(settings: RunSettings): Promise<RunResult> {
  const { dir, library, scanner, extraFsyncUs, isOnline, door, scans, scansPerSecond, seed } = settings;
  mkdirSync(dir, { recursive: true });
  const random = seededRandom(seed);
  const deployment = await newDeployment();
  const broker = await TestBroker.open(deployment);
  const port = broker.port;
  if (!isOnline) await broker.unlisten();
  const pty = door === 'pty' ? new PtyDevice(join(dir, 'scanner')) : undefined;
  pty?.plug();
  const watch = new FsyncWatch(library, join(dir, 'fsyncs.bin'), extraFsyncUs);
  const dataDir = join(dir, 'kiosk');
  const bareWatch = new FsyncWatch(library, join(dir, 'bare-fsyncs.bin'), extraFsyncUs);
  const bare = new BareDoor(join(dir, 'bare.bin'), scanner, bareWatch.env);
  const kiosk = new KioskUnderTest(
    { dataDir, trustPath: deployment.writeTrust(dir, port), ...(pty && { scannerPath: pty.path }) },
    watch.env,
    scanner,
    pty && ((text) => void pty.send(text)),
  );
  try {
    await kiosk.until(() => kiosk.ready !== undefined);
    // One screen that shows the answers.
    const screen = get(`${kiosk.ready?.pageUrl}/feedback`, (response) => response.resume());
    screen.on('error', () => {});
    // The port is opened after the kiosk is ready; what is sent before waits in the terminal.
    const texts = Array.from({ length: scans + WARM_UP }, (_, index) => deployment.textOf(cardOf(index)));
    const next = () => texts.shift() ?? '';
    kiosk.scan(next());
    await kiosk.until(() => kiosk.unanswered === 0);
    const firstScanMs = kiosk.kept[0]?.tookMs ?? Number.NaN;
    for (let warm = 1; warm < WARM_UP; warm++) {
      kiosk.scan(next());
      await kiosk.until(() => kiosk.unanswered === 0);
      await kiosk.takeFloor();
      await bare.scan(PRODUCT);
    }
    if (isOnline) await broker.until(() => broker.messages.length > 0);
    for (const timed of [kiosk.kept, kiosk.strangers, kiosk.floors, bare.tookMs]) timed.length = 0;

    const before = { counts: watch.counts(), writtenBytes: writtenBytesOf(kiosk.pid), batches: broker.messages.length };
    const walPath = join(dataDir, 'outbox.db-wal');
    let walPeakBytes = 0;
    let floorMs = 1;
    let dueMs = nowMs();
    for (let arrivals = 0; texts.length > 0; arrivals++) {
      const isBurst = arrivals % 20 === 19;
      const gapMs = (-Math.log(1 - random()) * 1_000 * (isBurst ? BURST : 1)) / scansPerSecond;
      if (arrivals % 6 === 5) kiosk.scan(PRODUCT);
      else for (let n = isBurst ? BURST : 1; n > 0 && texts.length > 0; n--) kiosk.scan(next());
      dueMs += gapMs;
      // Only where it is over before the next scan: the floor is not to be what a scan waits for.
      if (gapMs > 2 * floorMs + 8) {
        await untilMs(dueMs - gapMs / 2);
        walPeakBytes = Math.max(walPeakBytes, statSync(walPath).size);
        if (kiosk.unanswered === 0) {
          if (random() < 0.5) await kiosk.takeFloor();
          else await bare.scan(PRODUCT);
          floorMs = kiosk.floors.at(-1) ?? 1;
        }
      }
      await untilMs(dueMs);
      dueMs = Math.max(dueMs, nowMs() - 50);
    }
    await kiosk.until(() => kiosk.unanswered === 0);
    const counts = watch.counts();
    const result: RunResult = {
      kept: [...kiosk.kept],
      strangers: [...kiosk.strangers],
      fsyncMs: [...kiosk.floors],
      bareMs: [...bare.tookMs],
      hasPriority: kiosk.ready?.hasPriority === true,
      firstScanMs,
      scanFsyncs: counts.main - before.counts.main,
      otherFsyncs: counts.otherThreads - before.counts.otherThreads,
      writtenBytes: writtenBytesOf(kiosk.pid) - before.writtenBytes - kiosk.floors.length * 4_096,
      walPeakBytes,
      batches: broker.messages.length - before.batches,
    };
    await kiosk.stop();
    screen.destroy();
    return result;
  } finally {
    await pty?.unplug();
    await bare.stop();
    if (!isOnline) await broker.listen();
    await broker.close();
  }
}
