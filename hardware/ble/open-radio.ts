/**
 * Opens a radio: starts a radio process, gives it its order and waits until it says that it works. A link is single-use, like any other
 * device's; closing it ends the process, so that whatever noble or the kernel holds for it is let go of.
 *
 * Room: one child process and the pipe to it. May not: retry (supervise does), store or log what comes through.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { execPath } from 'node:process';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { DecodeError, DeviceError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import type { Closable } from '../byte-link.ts';
import { type Backoff, HARDWARE_BACKOFF } from '../supervise.ts';
import { Ending, untilAbort } from '../until-abort.ts';
import { decodeAnswer, encodeOrder, FrameReader, type RadioAnswer, type RadioFault, type RadioOrder } from './radio-frames.ts';

export interface RadioLink extends Closable {
  /**
   * What the radio tells, `up` and faults left out; at least one answer a second while it lives. One reader at a time.
   * @param signal on abort it returns.
   * @throws DeviceError of whatever fault the radio has, `device.timeout` after LONGEST_SILENCE_MS, `device.gone` when its process ended.
   */
  answers(signal: AbortSignal): AsyncIterable<Exclude<RadioAnswer, { type: 'up' | 'fault' }>>;
  /** Has the scan ended and started anew. Does not wait. */
  rescan(): void;
}

export type FirstOrder = Exclude<RadioOrder, { type: 'rescan' }>;

export interface RadioSettings {
  readonly clock: Clock;
  /** Where the kernel lists its adapters; `undefined` looks nowhere, and leaves it to the radio to find that there is none. */
  readonly adapterDir?: string | undefined;
  /** Handed to the Node that runs the radio process: a test loads another controller with it. */
  readonly nodeArguments?: readonly string[];
}

/** A try starts a process, a tenth of a second of a small computer's time; nobody waits at the door for a radio. */
export const RADIO_BACKOFF: Omit<Backoff, 'random'> = { ...HARDWARE_BACKOFF, longestWaitMs: 10_000 };

/** A directory for each adapter, switched on or not (Linux, Documentation/ABI/stable/sysfs-class-bluetooth). */
export const ADAPTER_DIR = '/sys/class/bluetooth';

/** The radio speaks each second. */
export const LONGEST_SILENCE_MS = 5_000;
/** How long the process may take to let go of its adapter (the native socket waits for up to a second) before it is killed. */
const END_LONGEST_MS = 2_000;

/**
 * @throws DeviceError `device.no_driver` where the kernel or a library for Bluetooth is missing, `device.absent`, `device.denied`, `device.busy`,
 * `device.failed`; the signal's reason on abort.
 */
export async function openRadio(order: FirstOrder, settings: RadioSettings, signal: AbortSignal): Promise<RadioLink> {
  signal.throwIfAborted();
  const { adapterDir } = settings;
  // A process is not started each few seconds only to find that nothing is plugged in.
  if (adapterDir !== undefined) await lookFor(order.adapter, adapterDir);
  signal.throwIfAborted();
  const radio = new RadioChild(settings);
  try {
    radio.order(order);
    await radio.untilUp(signal);
    return radio;
  } catch (error) {
    await radio.close();
    throw error;
  }
}

async function lookFor(adapter: number | undefined, dir: string): Promise<void> {
  let entries: string[];
  try {
    entries = await readdir(dir);
  } catch (cause) {
    throw new DeviceError('device.no_driver', 'Bluetooth: the kernel has none; is its module loaded?', { cause });
  }
  const adapters = entries.filter((entry) => /^hci\d+$/.test(entry));
  if (!adapters.some((entry) => adapter === undefined || entry === `hci${adapter}`))
    throw new DeviceError('device.absent', `Bluetooth: ${adapters.length} adapters, none that is wanted`);
}

/** What a flood or a fault of noble's may take at most: a process that needs more ends, and a new one is started. It lives in some 12 MB. */
const BOUNDS = ['--max-old-space-size=64', '--max-semi-space-size=1'] as const;
/** Standard input, output and errors lead nowhere: what noble prints names peripherals. */
const STDIO = ['ignore', 'ignore', 'ignore', 'pipe'] as const;

class RadioChild implements RadioLink {
  readonly #clock: Clock;
  readonly #child: ChildProcess;
  readonly #pipe: Duplex;
  readonly #frames = new FrameReader();
  readonly #ended: Promise<void>;
  #answers: AsyncIterator<Buffer> | undefined;
  #next: Promise<IteratorResult<Buffer>> | undefined;
  #closed: Promise<void> | undefined;

  constructor({ clock, nodeArguments = [] }: RadioSettings) {
    this.#clock = clock;
    // Where the kiosk keeps what was compiled, its radio starts sooner, too. Node names the part that is for its own version.
    const compileCache = getCompileCacheDir();
    // No environment but a place of Node's own: variables steer noble (NOBLE_…, BLUETOOTH_…) and have it print addresses (DEBUG).
    // A group of its own: who ends the kiosk by a key stroke ends the radio by the kiosk.
    this.#child = spawn(execPath, [...BOUNDS, ...nodeArguments, fileURLToPath(new URL('./radio-process.ts', import.meta.url))], {
      stdio: [...STDIO],
      env: compileCache === undefined ? {} : { NODE_COMPILE_CACHE: dirname(compileCache) },
      detached: true,
    });
    this.#pipe = this.#child.stdio[3] as Duplex;
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', () => resolve());
      // The process could not be started.
      this.#child.once('error', () => resolve());
    });
    // The reader is told by its iterator, and a writer has nothing left to write to.
    this.#pipe.on('error', () => {});
  }

  order(order: RadioOrder): void {
    if (this.#pipe.writable) this.#pipe.write(encodeOrder(order));
  }

  rescan(): void {
    this.order({ type: 'rescan' });
  }

  /** @throws as openRadio. How long it may take is the supervisor's to say. */
  async untilUp(signal: AbortSignal): Promise<void> {
    for (;;) {
      const chunk = await this.#chunk(signal);
      signal.throwIfAborted();
      for (const answer of this.#read(chunk)) if (answer.type === 'up') return;
    }
  }

  async *answers(signal: AbortSignal): AsyncGenerator<Exclude<RadioAnswer, { type: 'up' | 'fault' }>, void> {
    while (!signal.aborted) {
      const chunk = await this.#chunkInTime(signal);
      if (signal.aborted) return;
      for (const answer of this.#read(chunk)) if (answer.type !== 'up') yield answer;
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  /** @returns `undefined` on abort. @throws DeviceError `device.timeout`. */
  async #chunkInTime(signal: AbortSignal): Promise<Buffer | undefined> {
    const ending = new Ending(signal);
    const cancel = this.#clock.after(LONGEST_SILENCE_MS, ending.end);
    try {
      const chunk = await this.#chunk(ending.signal);
      if (chunk === undefined && !signal.aborted) throw new DeviceError('device.timeout', `radio: silent for ${LONGEST_SILENCE_MS} ms`);
      return chunk;
    } finally {
      cancel();
      ending.release();
    }
  }

  /** @returns `undefined` on abort; the bytes then go to the next reader. @throws DeviceError `device.gone`. */
  async #chunk(signal: AbortSignal): Promise<Buffer | undefined> {
    this.#answers ??= (this.#pipe as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    this.#next ??= this.#answers.next();
    const gone = () => new DeviceError('device.gone', 'radio: its process has ended');
    this.#next.catch(() => {});
    const read = await untilAbort(this.#next, signal).catch(() => {
      throw gone();
    });
    if (read === undefined) return undefined;
    this.#next = undefined;
    if (read.done === true) throw gone();
    return read.value;
  }

  /** @throws DeviceError of a fault, `device.failed` for bytes that are no answer. */
  #read(chunk: Buffer | undefined): Exclude<RadioAnswer, { type: 'fault' }>[] {
    if (chunk === undefined) return [];
    try {
      return this.#frames.push(chunk).map((frame) => {
        const answer = decodeAnswer(frame);
        if (answer.type === 'fault') throw faultOf(answer);
        return answer;
      });
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw new DeviceError('device.failed', 'radio: it tells what can not be read', { cause: error });
    }
  }

  async #end(): Promise<void> {
    this.#pipe.end();
    const late = new AbortController();
    const cancel = this.#clock.after(END_LONGEST_MS, () => late.abort());
    // Read on: a pipe that is full would keep the process from ending.
    this.#answers?.return?.().catch(() => {});
    this.#pipe.resume();
    await untilAbort(this.#ended, late.signal);
    cancel();
    if (late.signal.aborted) this.#child.kill('SIGKILL');
    this.#pipe.destroy();
    await this.#ended;
  }
}

/** A bug of the radio process is one here: supervise tells its name and place. */
function faultOf({ fault, bugAt }: Extract<RadioAnswer, { type: 'fault' }>): Error {
  if (bugAt === undefined) return new DeviceError(fault, FAULT_WORDS[fault]);
  const bug = new Error('radio: a bug in its process');
  bug.name = 'RadioBug';
  bug.stack = `RadioBug\n    at radio (${bugAt}:1)`;
  return bug;
}

const FAULT_WORDS: Readonly<Record<RadioFault, string>> = {
  'device.no_driver': 'Bluetooth: the kernel has none, or npm did not install @stoprocent/noble for this computer',
  'device.absent': 'Bluetooth: there is no such adapter',
  'device.denied': 'Bluetooth: the kiosk may not use it, or rfkill has switched it off',
  'device.busy': 'Bluetooth: another program has the adapter',
  'device.gone': 'Bluetooth: the adapter was unplugged or switched off',
  'device.timeout': 'Bluetooth: the device does not answer',
  'device.failed': 'Bluetooth: the controller does not do what it is asked',
};
