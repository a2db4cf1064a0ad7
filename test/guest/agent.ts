/**
 * The hands of the test inside the guest: runs the kiosk as a person would, plugs devices in and out, scans with them, and tells the host
 * what the kiosk said and when. Orders come in and answers go out as lines of JSON.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { constants, createReadStream, openSync, readdirSync, readFileSync, readlinkSync, writeFileSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { VirtualThermometer } from '../support/ble/virtual-thermometer.ts';
import { countUnsent } from '../support/count-unsent.ts';
import { HONEYWELL_FORMAT, posDescriptor, posReports } from '../support/pos-format.ts';
import { bootReport, keysOf } from '../support/typing.ts';
import type { Heard, Numbered, Overheard, Said } from './orders.ts';
import { advertise } from './radio.ts';
import { KEYBOARD_DESCRIPTOR, Uhid } from './uhid.ts';
import { VhciController } from './vhci.ts';

const [node = '', tree = '', statusPath = ''] = process.argv.slice(2);
const DATA = '/tmp/kiosk-data';
const UDC = '/sys/kernel/config/usb_gadget/scanner/UDC';
/** Of a full-speed scanner, the shortest time between two reports. */
const REPORT_EVERY_MS = 1;
/** A key down and up. Each time costs the emulated processor some milliseconds. */
const REPORTS_AT_ONCE = 2;
const LOOK_EVERY_MS = 100;

const answers = openSync('/dev/virtio-ports/answers', 'w');
const tell = (heard: Omit<Heard, 'at'>): void => void writeSync(answers, `${JSON.stringify({ ...heard, at: performance.now() })}\n`);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Ends without waiting for threads that read devices, which say nothing any more. */
function end(status: number): void {
  writeFileSync(statusPath, String(status));
  process.kill(process.pid, 'SIGKILL');
}
process.on('uncaughtException', (error) => {
  tell({ failed: String(error.stack) });
  end(70);
});

const pos = new Uhid({ name: 'Bench POS', vendorId: 0x0c2e, productId: 0x0b61, serialNumber: 'pos-1' }, posDescriptor(HONEYWELL_FORMAT));
const keyboard = new Uhid({ name: 'Bench keys', vendorId: 0x0c2e, productId: 0x0b01, serialNumber: 'keys-1' }, KEYBOARD_DESCRIPTOR);
const [controller = ''] = readdirSync('/sys/class/udc');

/** When the end of a code was handed to its device, and the longest that the device was kept waiting. */
type Sent = Pick<Heard, 'longestMs'> & { readonly sentAt: number };

/**
 * Writes to the gadget's end of a device, which waits until the kiosk's end has taken what came before. A replug makes it another file.
 * @param piecesAfterEnd chunks, the last ones, without which the code is whole: a key's release.
 */
async function toGadget(path: string, chunks: readonly Uint8Array[], piecesAfterEnd = 0): Promise<Sent> {
  const file = await open(path, constants.O_WRONLY | constants.O_NOCTTY);
  let sentAt = 0;
  let longestMs = 0;
  for (const [at, chunk] of chunks.entries()) {
    const startedMs = performance.now();
    if (at < chunks.length - piecesAfterEnd) sentAt = startedMs;
    await file.write(chunk);
    longestMs = Math.max(longestMs, performance.now() - startedMs);
  }
  await file.close();
  return { sentAt, longestMs };
}

async function scan(device: string, code: string): Promise<Sent> {
  let sentAt = performance.now();
  switch (device) {
    case 'hid-pos':
      for (const report of posReports(HONEYWELL_FORMAT, code)) pos.send(report);
      return { sentAt };
    case 'keyboard-evdev':
      for (const [at, keys] of keysOf(`${code}\r`).entries()) {
        if (at % REPORTS_AT_ONCE === 0) sentAt = performance.now();
        keyboard.send(bootReport(keys));
        if (at % REPORTS_AT_ONCE === REPORTS_AT_ONCE - 1) await pause(REPORTS_AT_ONCE * REPORT_EVERY_MS);
      }
      return { sentAt };
    case 'gadget-hid':
      return toGadget('/dev/hidg0', posReports(HONEYWELL_FORMAT, code));
    case 'gadget-serial':
      return toGadget('/dev/ttyGS0', [Buffer.from(`${code}\r`)]);
    case 'gadget-keyboard':
      return toGadget('/dev/hidg1', keysOf(`${code}\r`).map(bootReport), 1);
    default:
      throw new Error(`no such device: ${device}`);
  }
}

/** Plugged in only when it is asked for: its emulated bus looks for work 8,000 times a second, which the guest pays for all the while. */
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

const inputNames = (): readonly (readonly [path: string, name: string])[] =>
  readdirSync('/sys/class/input')
    .filter((entry) => entry.startsWith('event'))
    .map((entry) => [`/dev/input/${entry}`, readFileSync(`/sys/class/input/${entry}/device/name`, 'utf8').trim()]);

/** What anybody but the kiosk gets of a keyboard that the kiosk took for itself. */
let overheardBytes = 0;
for (const [path, name] of inputNames()) {
  if (name !== 'Bench keys') continue;
  createReadStream(path).on('data', (chunk) => {
    overheardBytes += chunk.length;
  });
}
const overhear = (): Overheard => ({ bytes: overheardBytes, inputs: inputNames().map(([, name]) => name) });

const config = readFileSync('/share/config.json', 'utf8').replaceAll('/dev/i2c-0', `/dev/i2c-${process.env.I2C_BUS}`);
writeFileSync('/tmp/config.json', config);
const [command = '', ...rest] = node.split(' ');
const files = ['--data', DATA, '--trust', `${DATA}/trust.json`, '--config', '/tmp/config.json'];
const kiosk = spawn(command, [...rest, `${tree}/cli/main.ts`, 'kiosk', 'run', ...files, '--output', 'json', '--log', 'info'], {
  stdio: ['ignore', 'pipe', 'pipe'],
});
createInterface({ input: kiosk.stdout }).on('line', (line) => {
  const said = JSON.parse(line) as Said;
  tell({ said });
  if (said.ready !== undefined) watch().catch((error: unknown) => tell({ failed: String(error) }));
});
createInterface({ input: kiosk.stderr }).on('line', (line) => tell({ logged: line }));
let isEnding = false;
kiosk.once('exit', (status, signal) => {
  if (!isEnding) tell({ failed: `the kiosk has ended: ${status ?? signal}` });
  end(status ?? 71);
});

let lastOpened = '';
setInterval(() => {
  if (isEnding) return;
  const found = opened(kiosk);
  if (found.join() !== lastOpened) tell({ opened: found });
  lastOpened = found.join();
}, LOOK_EVERY_MS);

interface Radios {
  readonly sniffed: VhciController;
  readonly thermometer: VirtualThermometer;
}
let radios: Radios | undefined;
/** Of the thermometer's address in the kiosk's settings. */
const THERMOMETER = Uint8Array.of(0xc4, 0xbe, 0x84, 0x00, 0x00, 0x01);
/** The kernel powers up a controller that was plugged in, and some seconds later powers it down again if nobody has taken it. */
const RADIO_START_MS = 4_000;

function plugged(): Radios {
  if (radios === undefined) throw new Error('no radios');
  return radios;
}

async function measure(value: string): Promise<void> {
  const { thermometer } = plugged();
  thermometer.wakeUp();
  await thermometer.indicate(Buffer.from(value, 'hex'));
  thermometer.sleep();
}

const { askKiosk } = (await import(`${tree}/kiosk/ask-kiosk.ts`)) as typeof import('../../kiosk/ask-kiosk.ts');
const asking = new AbortController();

/** @returns names of the devices that the kiosk says work; none while it starts. */
async function devicesUp(): Promise<string[]> {
  try {
    for await (const answer of askKiosk(`${DATA}/kiosk`, 'state', asking.signal))
      if ('state' in answer) return answer.state.devices.filter(({ isUp }) => isUp).map(({ name }) => name);
  } catch (error) {
    if (!isNotAnswering(error)) throw error;
  }
  return [];
}

/** Tells what the kiosk's drivers make of what comes, so that a code that is refused is known to have been given up, or read wrong. */
async function watch(): Promise<void> {
  try {
    for await (const answer of askKiosk(`${DATA}/kiosk`, 'watch', asking.signal))
      if ('sight' in answer) tell({ sight: `${answer.sight.device} ${answer.sight.what}` });
  } catch (error) {
    if (!isEnding && !isNotAnswering(error)) throw error;
  }
}

const isNotAnswering = (error: unknown): boolean => error instanceof Error && error.name === 'ConfigError';

async function obey(order: Numbered): Promise<Omit<Heard, 'at'>> {
  switch (order.order) {
    case 'scan':
      return await scan(order.device, order.code);
    case 'pause':
      await pause(order.ms);
      return {};
    case 'plug':
      plug(order.isIn);
      return {};
    case 'object':
      execFileSync('busybox', ['i2cset', '-y', process.env.I2C_BUS ?? '', '0x5a', '0x07', String(order.raw), 'w']);
      return {};
    case 'plug-radios': {
      if (radios !== undefined) return {};
      const thermometer = new VirtualThermometer(new VhciController(), THERMOMETER);
      radios = { thermometer, sniffed: new VhciController() };
      await pause(RADIO_START_MS);
      return {};
    }
    case 'measure':
      await measure(order.value);
      return {};
    case 'advertise': {
      const { runSniffer } = (await import(`${tree}/kiosk/run-sniffer.ts`)) as typeof import('../../kiosk/run-sniffer.ts');
      return { heard: await advertise({ run: runSniffer, controller: plugged().sniffed, adapter: 1 }, order.count, order.perSecond) };
    }
    case 'devices':
      return { up: await devicesUp() };
    case 'eavesdrop':
      return { overheard: overhear() };
    case 'end':
      while (countUnsent(`${DATA}/kiosk/outbox.db`) > 0) await pause(200);
      isEnding = true;
      kiosk.kill('SIGTERM');
      return {};
  }
}

createInterface({ input: createReadStream('/dev/virtio-ports/orders') }).on('line', async (line) => {
  const order = JSON.parse(line) as Numbered;
  tell({ ...(await obey(order)), done: order.id });
});
