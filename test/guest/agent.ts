/**
 * The hands of the test inside the guest: runs the kiosk as a person would, plugs devices in and out, scans with them, and tells the host
 * what the kiosk said and when. Orders come in and answers go out as lines of JSON.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { constants, createReadStream, openSync, readdirSync, readFileSync, readlinkSync, writeFileSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { HONEYWELL_FORMAT, posDescriptor, posReports } from '../support/pos-format.ts';
import { countUnsent } from '../support/read-outbox.ts';
import { bootReport, keysOf } from '../support/typing.ts';
import type { Heard, Order } from './orders.ts';
import { Radio } from './radio.ts';
import { KEYBOARD_DESCRIPTOR, Uhid } from './uhid.ts';

const [node = '', tree = ''] = process.argv.slice(2);
const DATA = '/tmp/kiosk-data';
const UDC = '/sys/kernel/config/usb_gadget/scanner/UDC';
/** Of a full-speed scanner, the shortest time between two reports. */
const REPORT_EVERY_MS = 1;

const answers = openSync('/dev/virtio-ports/answers', 'w');
const tell = (heard: Heard): void => void writeSync(answers, `${JSON.stringify(heard)}\n`);
const now = (): number => performance.now();
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const pos = new Uhid({ name: 'Bench POS', vendorId: 0x0c2e, productId: 0x0b61, serialNumber: 'pos-1' }, posDescriptor(HONEYWELL_FORMAT));
const keyboard = new Uhid({ name: 'Bench keys', vendorId: 0x0c2e, productId: 0x0b01, serialNumber: 'keys-1' }, KEYBOARD_DESCRIPTOR);
const controller = readFileSync(UDC, 'utf8').trim();

/** Writes to the gadget's end of a device, which waits until the kiosk's end has taken what came before. A replug makes it another file. */
async function toGadget(path: string, chunks: readonly Uint8Array[]): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_NOCTTY);
  for (const chunk of chunks) await file.write(chunk);
  await file.close();
}

async function scan(device: string, code: string): Promise<void> {
  switch (device) {
    case 'hid-pos':
      for (const report of posReports(HONEYWELL_FORMAT, code)) pos.send(report);
      break;
    case 'keyboard-evdev':
      for (const keys of keysOf(`${code}\r`)) {
        keyboard.send(bootReport(keys));
        await pause(REPORT_EVERY_MS);
      }
      break;
    case 'gadget-hid':
      await toGadget('/dev/hidg0', posReports(HONEYWELL_FORMAT, code));
      break;
    case 'gadget-serial':
      await toGadget('/dev/ttyGS0', [Buffer.from(`${code}\r`)]);
      break;
    case 'gadget-keyboard':
      await toGadget('/dev/hidg1', keysOf(`${code}\r`).map(bootReport));
      break;
    default:
      throw new Error(`no such device: ${device}`);
  }
}

function plug(isIn: boolean): void {
  writeFileSync(UDC, isIn ? controller : '\n');
  if (isIn) makeRaw();
}

/** The gadget's end of its serial line is a terminal like any other, until it is told not to echo. */
function makeRaw(): void {
  execFileSync('busybox', ['stty', '-F', '/dev/ttyGS0', 'raw', '-echo']);
}

/** Device nodes that the kiosk has open. */
function opened(kiosk: ChildProcess): string[] {
  const directory = `/proc/${kiosk.pid}/fd`;
  const links = readdirSync(directory).map((fd) => {
    try {
      return readlinkSync(`${directory}/${fd}`);
    } catch {
      return '';
    }
  });
  return [...new Set(links.filter((link) => /^\/dev\/(hidraw|tty(USB|ACM)|input\/|bus\/usb\/|i2c)/.test(link)))].toSorted();
}

async function untilOpened(kiosk: ChildProcess, count: number): Promise<void> {
  let last = '';
  for (;;) {
    const found = opened(kiosk);
    if (found.join() !== last) tell({ opened: found, at: now() });
    last = found.join();
    if (found.length === count) return;
    await pause(50);
  }
}

/** Everything that anybody but the kiosk sees of the keyboard that the kiosk took for itself. */
let typedForOthers = 0;
for (const name of readdirSync('/sys/class/input').filter((entry) => entry.startsWith('event'))) {
  if (readFileSync(`/sys/class/input/${name}/device/name`, 'utf8').trim() === 'Bench keys') {
    createReadStream(`/dev/input/${name}`).on('data', (chunk) => {
      typedForOthers += chunk.length;
    });
  }
}

makeRaw();
const radio = new Radio();
const config = JSON.parse(readFileSync('/share/config.json', 'utf8').replaceAll('/dev/i2c-0', `/dev/i2c-${process.env.I2C_BUS}`)) as object;
writeFileSync('/tmp/config.json', JSON.stringify(config));
const [command = '', ...rest] = node.split(' ');
const files = ['--data', DATA, '--trust', `${DATA}/trust.json`, '--config', '/tmp/config.json'];
const kiosk = spawn(command, [...rest, `${tree}/cli/main.ts`, 'kiosk', 'run', ...files, '--output', 'json', '--log', 'info'], {
  stdio: ['ignore', 'pipe', 'pipe'],
});
createInterface({ input: kiosk.stdout }).on('line', (line) => tell({ said: JSON.parse(line), at: now() }));
createInterface({ input: kiosk.stderr }).on('line', (line) => tell({ logged: line, at: now() }));
kiosk.once('exit', (status, signal) => tell({ exit: status ?? signal ?? 'unknown', at: now() }));

async function obey(order: Order): Promise<void> {
  switch (order.order) {
    case 'scan':
      await scan(order.device, order.code);
      tell({ scanned: order.id, at: now() });
      break;
    case 'plug':
      plug(order.isIn);
      break;
    case 'until-opened':
      await untilOpened(kiosk, order.count);
      tell({ isOpened: order.count, at: now() });
      break;
    case 'object':
      execFileSync('busybox', ['i2cset', '-y', process.env.I2C_BUS ?? '', '0x5a', '0x07', String(order.raw), 'w']);
      break;
    case 'advertise':
      tell({ heard: await radio.advertise(order.count, order.perSecond), at: now() });
      break;
    case 'end':
      while (countUnsent(`${DATA}/kiosk/outbox.db`) > 0) await pause(200);
      tell({ typedForOthers, at: now() });
      kiosk.once('exit', (status) => process.exit(status ?? 1));
      kiosk.kill('SIGTERM');
      break;
  }
}

let before = Promise.resolve();
createInterface({ input: createReadStream('/dev/virtio-ports/orders') }).on('line', (line) => {
  before = before.then(() => obey(JSON.parse(line) as Order));
});
