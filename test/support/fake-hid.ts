/**
 * USB HID devices without USB: only node-hid's native binding is replaced, and sysfs by a directory, so that all of node-hid's own JavaScript and
 * all of ours runs. Must be imported before node-hid is first used.
 */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import type { HidPlaces } from '../../hardware/hid/hid-devices.ts';
import { BOOT_KEYBOARD_DESCRIPTOR } from '../../hardware/scanner/keyboard-reports.ts';

const require = createRequire(import.meta.url);

export interface FakeHidOptions {
  readonly vendorId?: string;
  readonly productId?: string;
  readonly serialNumber?: string;
  /** The socket. */
  readonly port?: string;
  readonly interfaceNumber?: number;
  /** That of a boot keyboard when left out. */
  readonly descriptor?: Uint8Array;
}

type OnReport = (error: string | null, report: Buffer | null) => void;

/** node-hid checks that what the binding opens is of the binding's own class. Methods are enumerable, as napi_enumerable makes them. */
class NativeDevice {
  readonly #device: FakeHidDevice;
  readonly driver: string;
  onReport: OnReport | undefined;
  isClosed = false;

  constructor(device: FakeHidDevice, driver: string) {
    this.#device = device;
    this.driver = driver;
    const enumerable = {
      write: async (report: Buffer) => this.#sent('write', report),
      sendFeatureReport: async (report: Buffer) => this.#sent('feature', report),
      getFeatureReport: async (reportId: number, lengthBytes: number) => Buffer.alloc(lengthBytes, reportId),
    };
    Object.assign(this, enumerable);
  }

  readStart(onReport: OnReport): void {
    if (this.isClosed) throw new TypeError('device has been closed');
    this.onReport = onReport;
    this.#device.flush();
  }

  readStop(): null {
    this.onReport = undefined;
    return null;
  }

  async close(): Promise<void> {
    if (this.isClosed) throw new TypeError('device is already closed');
    this.isClosed = true;
    this.onReport = undefined;
    // A thread does it, so that it is never done at once.
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#device.closed(this);
  }

  #sent(kind: 'write' | 'feature', report: Buffer): number {
    if (this.isClosed) throw new TypeError('device has been closed');
    if (this.#device.doesRefuse) throw new Error('could not send feature report to device: ioctl (SFEATURE): Broken pipe');
    this.#device.sent.push({ kind, report: new Uint8Array(report) });
    return report.length;
  }
}

/** Devices that are plugged in, by the path that opens them. */
const byPath = new Map<string, FakeHidDevice>();
/** What the binary says instead of loading. */
const failure: { message: string | undefined } = { message: undefined };

/** Lets node-hid's binary fail to load, or load again. */
export function failToLoad(message: string | undefined): void {
  failure.message = message;
}

const bindingFor = (driver: string) => ({
  HIDAsync: NativeDevice,
  hidapiVersion: 'fake',
  openAsyncHIDDevice: async (path: string) => {
    const device = byPath.get(path);
    if (device === undefined) throw new Error(`cannot open device with path ${path}: No such file or directory`);
    return device.opened(new NativeDevice(device, driver));
  },
});

const bindings = require.resolve('pkg-prebuilds/bindings', { paths: [require.resolve('node-hid')] });
const loader = (_dir: string, { name }: { name: string }) => {
  if (failure.message !== undefined) throw new Error(failure.message);
  return bindingFor(name);
};
require.cache[bindings] = Object.assign(Object.create(require('node:module').prototype), {
  id: bindings,
  filename: bindings,
  loaded: true,
  exports: loader,
});

export class FakeHidDevice {
  readonly #bus: FakeHidBus;
  readonly options: Required<FakeHidOptions>;
  readonly sent: { kind: 'write' | 'feature'; report: Uint8Array }[] = [];
  /** Feature and output reports are refused. */
  doesRefuse = false;
  readonly #open = new Set<NativeDevice>();
  /** What the kernel keeps for a reader that is not there yet. */
  readonly #waiting: Uint8Array[] = [];
  #unplug: (() => void) | undefined;
  openings = 0;

  constructor(bus: FakeHidBus, options: FakeHidOptions) {
    this.#bus = bus;
    this.options = {
      vendorId: '0c2e',
      productId: '0b81',
      serialNumber: '',
      port: '1-1',
      interfaceNumber: 0,
      descriptor: BOOT_KEYBOARD_DESCRIPTOR,
      ...options,
    };
  }

  get isOpen(): boolean {
    return this.#open.size > 0;
  }

  /** Whether what it sends now is taken. */
  get isRead(): boolean {
    return [...this.#open].some(({ onReport }) => onReport !== undefined);
  }

  /** Drivers that have it open now. */
  get drivers(): string[] {
    return [...this.#open].map(({ driver }) => driver);
  }

  plug(port = this.options.port): void {
    if (this.#unplug !== undefined) throw new Error('fake HID: plugged in already');
    this.#unplug = this.#bus.show(this, port);
  }

  /** Pulls the plug: nodes and sysfs are gone, and readers are told as hidapi tells them. */
  unplug(): void {
    this.#unplug?.();
    this.#unplug = undefined;
    this.#waiting.length = 0;
    for (const { onReport } of this.#open)
      onReport?.('could not read from HID device: hid_read_timeout: unexpected poll error (device disconnected)', null);
  }

  /** Lets a report arrive. Nobody hears it who has not opened the device. */
  send(report: Uint8Array): void {
    if (this.#unplug === undefined) return;
    if (this.#open.size > 0) this.#waiting.push(report);
    this.flush();
  }

  flush(): void {
    const readers = [...this.#open].flatMap(({ onReport }) => (onReport === undefined ? [] : [onReport]));
    if (readers.length === 0) return;
    for (const report of this.#waiting.splice(0)) for (const onReport of readers) onReport(null, Buffer.from(report));
  }

  opened(native: NativeDevice): NativeDevice {
    this.#open.add(native);
    this.openings += 1;
    return native;
  }

  closed(native: NativeDevice): void {
    this.#open.delete(native);
  }
}

export class FakeHidBus {
  readonly places: HidPlaces;
  readonly #root: string;
  #nodes = 0;

  /** @param root a directory of the test's. */
  constructor(root: string) {
    this.#root = root;
    this.places = { hidrawDir: join(root, 'class'), usbDir: join(root, 'usb'), deviceDir: join(root, 'dev') };
    for (const dir of [...Object.values(this.places), join(root, 'devices'), join(root, 'dev/bus/usb/001')])
      mkdirSync(dir, { recursive: true });
  }

  /** Lets whoever reads these directories get on: time that is moved by hand must not outrun the threads that read files. */
  async settle(): Promise<void> {
    for (let read = 0; read < 10; read++) await readdir(this.places.hidrawDir);
  }

  plug(options: FakeHidOptions = {}): FakeHidDevice {
    const device = new FakeHidDevice(this, options);
    device.plug();
    return device;
  }

  /** Takes the kernel's driver off, as libusb does for a program that was then killed: no hidraw node, the USB interface still there. */
  unbind(device: FakeHidDevice): void {
    for (const [path, plugged] of byPath) {
      if (plugged !== device || !path.startsWith('/')) continue;
      rmSync(path);
      rmSync(join(this.places.hidrawDir, basename(path)), { recursive: true });
    }
  }

  /** @returns takes it away again. */
  show(device: FakeHidDevice, port: string): () => void {
    const { vendorId, productId, serialNumber, interfaceNumber, descriptor } = device.options;
    const number = this.#nodes++;
    const usb = `${port}:1.${interfaceNumber}`;
    const node = `hidraw${number}`;
    const hidDir = join(this.#root, 'devices', port, usb, `0003:${number}`);
    const usbNode = `bus/usb/001/${String(number).padStart(3, '0')}`;
    const files: [string, string | Uint8Array][] = [
      [join(hidDir, 'report_descriptor'), descriptor],
      [
        join(hidDir, 'uevent'),
        `HID_ID=0003:0000${vendorId.toUpperCase()}:0000${productId.toUpperCase()}\nHID_NAME=Fake\nHID_PHYS=usb-fake-${port}/input0\nHID_UNIQ=${serialNumber}\n`,
      ],
      [join(hidDir, '../bInterfaceClass'), '03\n'],
      [join(hidDir, '../bInterfaceSubClass'), '01\n'],
      [join(hidDir, '../bInterfaceProtocol'), descriptor === BOOT_KEYBOARD_DESCRIPTOR ? '01\n' : '00\n'],
      [join(hidDir, '../../idVendor'), `${vendorId}\n`],
      [join(hidDir, '../../idProduct'), `${productId}\n`],
      [join(hidDir, '../../serial'), `${serialNumber}\n`],
      [join(hidDir, '../../uevent'), `MAJOR=189\nDEVNAME=${usbNode}\n`],
      [join(this.places.deviceDir, node), ''],
      [join(this.places.deviceDir, usbNode), ''],
    ];
    mkdirSync(hidDir, { recursive: true });
    for (const [path, content] of files) writeFileSync(path, content);
    const links = [
      [join(hidDir, '..'), join(this.places.usbDir, usb)],
      [join(hidDir, '../..'), join(this.places.usbDir, port)],
    ] as const;
    for (const [target, link] of links) {
      rmSync(link, { force: true });
      symlinkSync(target, link);
    }
    mkdirSync(join(this.places.hidrawDir, node));
    symlinkSync(hidDir, join(this.places.hidrawDir, node, 'device'));
    const paths = [join(this.places.deviceDir, node), usb];
    for (const path of paths) byPath.set(path, device);
    return () => {
      for (const path of paths) byPath.delete(path);
      rmSync(join(this.places.hidrawDir, node), { recursive: true, force: true });
      rmSync(join(this.places.usbDir, usb));
      rmSync(join(this.places.deviceDir, node), { force: true });
      rmSync(join(this.places.deviceDir, usbNode));
    };
  }
}
