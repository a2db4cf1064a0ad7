/**
 * HID devices as report links. The only importer of node-hid, whose emitters end here (docs/decisions/0012-hid.md).
 */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { HIDAsync } from 'node-hid';
import { DeviceError } from '../../protocol/errors.ts';
import { untilAbort } from '../until-abort.ts';
import type { OpenReportLink, ReportLink } from './report-link.ts';

/**
 * `hidraw` reads beside the kernel's own driver: right for a POS scanner, but what a keyboard types also reaches the console.
 * `libusb` takes the interface from the kernel for as long as it is open: nobody else sees what is typed.
 */
export type HidDriver = 'hidraw' | 'libusb';

export interface HidSettings {
  readonly driver: HidDriver;
  /** `hidraw`: /dev/hidraw0. `libusb`: the interface's name on its bus, as in /sys/bus/usb/devices: 1-1.2:1.0. */
  readonly path: string;
  /** The device node that must be ours to read and write. */
  readonly node: string;
}

/** A visitor's card typed by a scanner is 350 reports; a keyboard that is held up for ten seconds sends 1,000. */
const MOST_READ_AHEAD = 4_096;

type NodeHid = typeof import('node-hid');

const require = createRequire(import.meta.url);

/**
 * node-hid takes one driver for the whole process, once and for all, at its first call. A kiosk may need both, so each driver has an
 * instance of node-hid's own JavaScript, made when it is first used; Node keeps the two binaries apart.
 */
export class HidDrivers {
  readonly #loaded = new Map<HidDriver, NodeHid>();

  /** @returns an opener of that device. */
  opener({ driver, path, node }: HidSettings): OpenReportLink {
    return async (signal) => {
      signal.throwIfAborted();
      await access(node, constants.R_OK | constants.W_OK).catch((cause) => {
        throw accessError(cause);
      });
      const library = this.#load(driver);
      const device = await library.HIDAsync.open(path).catch((cause: unknown) => {
        throw openingError(cause);
      });
      const link = new HidLink(device);
      if (signal.aborted) await link.close();
      signal.throwIfAborted();
      return link;
    };
  }

  /** @throws DeviceError `device.no_driver` where the binary does not load: a library that it needs is missing. */
  #load(driver: HidDriver): NodeHid {
    const loaded = this.#loaded.get(driver);
    if (loaded !== undefined) return loaded;
    try {
      for (const file of ['node-hid', 'node-hid/binding-options.js']) delete require.cache[require.resolve(file)];
      const library: NodeHid = require('node-hid');
      library.setDriverType(driver);
      // The binary loads with the first call.
      library.getHidapiVersion();
      this.#loaded.set(driver, library);
      return library;
    } catch (cause) {
      throw new DeviceError('device.no_driver', 'HID device: libusb-1.0 or libudev is not installed, or not for this machine', { cause });
    }
  }
}

function accessError(cause: unknown): DeviceError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'EACCES' || code === 'EPERM') return new DeviceError('device.denied', 'HID device: this user may not open it', { cause });
  return new DeviceError('device.absent', 'HID device: nothing is plugged in under that path', { cause });
}

/** hidapi tells reasons only by the C library's words (strerror), and none at all with libusb. */
function openingError(cause: unknown): DeviceError {
  const words = cause instanceof Error ? cause.message : String(cause);
  if (/No such (file|device)|not found/i.test(words))
    return new DeviceError('device.absent', 'HID device: it left before it was open', { cause });
  if (/Permission denied|not permitted/i.test(words))
    return new DeviceError('device.denied', 'HID device: this user may not open it', { cause });
  if (/busy/i.test(words)) return new DeviceError('device.busy', 'HID device: another program has it', { cause });
  return new DeviceError('device.failed', 'HID device: not opened; another program may have it', { cause });
}

class HidLink implements ReportLink {
  readonly #device: HIDAsync;
  readonly #reports: Uint8Array[] = [];
  /** Resolves once node-hid has started to read; `undefined` before it was asked to. */
  #started: Promise<void> | undefined;
  #ended: DeviceError | undefined;
  #wake: () => void = () => {};
  #closed: Promise<void> | undefined;

  constructor(device: HIDAsync) {
    this.#device = device;
    // node-hid's own emitter: without a listener an error would end the process, also one that comes after close.
    device.on('error', (cause) => this.#end(new DeviceError('device.gone', 'HID device: unplugged', { cause })));
  }

  async *read(signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    this.#start();
    while (!signal.aborted) {
      const report = this.#reports.shift();
      if (report !== undefined) yield report;
      else if (this.#ended !== undefined) throw this.#ended;
      else await untilAbort(this.#change(), signal);
    }
  }

  async write(report: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#send((device) => device.write(Buffer.from(report)), signal);
  }

  async sendFeature(report: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#send((device) => device.sendFeatureReport(Buffer.from(report)), signal);
  }

  async getFeature(reportId: number, lengthBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    return new Uint8Array(await this.#send((device) => device.getFeatureReport(reportId, lengthBytes), signal));
  }

  close(): Promise<void> {
    this.#closed ??= this.#release();
    return this.#closed;
  }

  #start(): void {
    if (this.#started !== undefined || this.#ended !== undefined) return;
    this.#started = new Promise((resolve) => setImmediate(resolve));
    // The listener makes node-hid start a thread that reads; it stays on until close.
    this.#device.on('data', (report: Buffer) => this.#take(report));
  }

  #take(report: Buffer): void {
    if (this.#ended !== undefined) return;
    if (this.#reports.length === MOST_READ_AHEAD) {
      this.#reports.length = 0;
      this.#end(new DeviceError('device.failed', 'HID device: sends more than is read'));
      return;
    }
    this.#reports.push(new Uint8Array(report));
    this.#wake();
  }

  #end(why: DeviceError): void {
    this.#ended ??= why;
    this.#wake();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  async #send<T>(send: (device: HIDAsync) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    if (this.#ended !== undefined) throw this.#ended;
    const sending = send(this.#device).catch((cause: unknown) => {
      throw this.#ended ?? new DeviceError('device.failed', 'HID device: did not take a report', { cause });
    });
    const sent = await untilAbort(
      sending.then((value) => ({ value })),
      signal,
    );
    if (sent === undefined) throw signal.reason;
    return sent.value;
  }

  async #release(): Promise<void> {
    this.#end(new DeviceError('device.gone', 'HID device: closed'));
    this.#reports.length = 0;
    // node-hid starts its thread on the next tick, and throws there, where nobody can catch it, when the device is closed by then.
    await this.#started;
    // Waits for the reading thread, which looks up every 50 ms; it closes the descriptor even where the device is gone.
    await this.#device.close().catch(() => {});
  }
}
