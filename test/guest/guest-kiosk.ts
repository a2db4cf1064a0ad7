/** The kiosk in the guest, seen from the host: scans with one device or another, and gathers what is promised, and when. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { rowName } from '../support/audit-road.ts';
import { unpackedPackages } from '../support/guest/debian.ts';
import { type Ending, Guest, guestDirectory, type Machine, shareOf } from '../support/guest/guest.ts';
import { guestNode } from '../support/guest/guest-node.ts';
import { NETWORK, TAKE_NETWORK, Venue } from '../support/guest/venue.ts';
import { HONEYWELL_FORMAT, posDescriptor } from '../support/pos-format.ts';
import type { Heard, Order } from './orders.ts';
import { SCANNERS, type ScannerKind, SETTINGS } from './settings.ts';
import { KEYBOARD_DESCRIPTOR } from './uhid.ts';
import { REPORT_MS, typeAtOnce, typeOn } from './usb-keyboard.ts';

const root = resolve(import.meta.dirname, '../..');

/** libusb hears of plugs from udev alone (libusb 1.0.26, os/linux_udev.c), and stable names are udev's. */
const UDEV = ['udev', 'libudev1', 'libkmod2', 'libcap2', 'libusb-1.0-0'];
/** Cards that are scanned and not answered for, over all devices: people come one after the other. */
const MOST_UNANSWERED = 3;
const LONGEST_MS = 1_740_000;
const LOOK_EVERY_MS = 100;
const LAST_WORDS_MS = 1_000;

export interface Scanned {
  readonly kind: ScannerKind;
  readonly card: string;
  /** Of the clock of whoever handed the code over; `undefined` until it has. */
  sentAtMs: number | undefined;
}

/** An answer: which row it names, and when it was heard by both clocks. */
export interface Answer {
  readonly name: string;
  readonly hostMs: number;
  readonly guestMs: number;
}

export class GuestKiosk {
  readonly scanned = new Map<string, Scanned>();
  readonly answers: Answer[] = [];
  /** Readings that were thanked for, and codes that were no cards, as was expected. */
  thanks = 0;
  strangers = 0;
  /** Device nodes that the kiosk has open. */
  opened: readonly string[] = [];
  /** How long one thing may take to happen, on a machine that has other work. */
  patienceMs = 600_000;
  readonly venue: Venue;
  readonly guest: Guest;
  readonly #directory: string;
  readonly #heard: Heard[] = [];
  /** What should not be. */
  readonly #faults: string[] = [];
  readonly #done = new Map<number, Heard>();
  #orders = 0;
  #expectedStrangers = 0;
  #wake = () => {};

  private constructor(directory: string, venue: Venue, guest: Guest) {
    this.#directory = directory;
    this.venue = venue;
    this.guest = guest;
    guest.onLine('answers', (line) => this.#hear(JSON.parse(line) as Heard));
  }

  /** @param tree whose kiosk runs. */
  static async boot(machine: Machine, tree = root): Promise<GuestKiosk> {
    const directory = guestDirectory();
    const share = shareOf(directory);
    mkdirSync(share);
    const venue = await Venue.open(join(directory, 'data'), join(share, 'installed'), true);
    writeFileSync(join(share, 'config.json'), JSON.stringify(SETTINGS));
    writeFileSync(join(share, 'pos.descriptor'), posDescriptor(HONEYWELL_FORMAT));
    writeFileSync(join(share, 'keyboard.descriptor'), KEYBOARD_DESCRIPTOR);
    const node = await guestNode(join(directory, 'compiled'), tree);
    const guest = await Guest.boot(machine, {
      script: `${TAKE_NETWORK}
. ${join(import.meta.dirname, 'set-up.sh')}
cp -r /share/installed /tmp/kiosk-data
cd /tmp
UV_THREADPOOL_SIZE=16 ${node} ${join(import.meta.dirname, 'agent.ts')} '${node}' ${tree} /tmp/status
exit $(cat /tmp/status)
`,
      directory,
      exports: { udev: await unpackedPackages('amd64', UDEV, 'udev') },
      ports: ['orders', 'answers'],
      wires: ['ftdi', 'board'],
      devices: [
        ...NETWORK,
        ...['-device', 'qemu-xhci', '-device', 'usb-kbd'],
        ...['-device', 'usb-serial,chardev=ftdi,always-plugged=on,serial=scanner'],
      ],
      longestMs: LONGEST_MS,
    });
    return new GuestKiosk(directory, venue, guest);
  }

  /** Has the agent do something. @returns its answer, when it is done. */
  async order(order: Order): Promise<Heard> {
    this.#orders += 1;
    const id = this.#orders;
    this.guest.write('orders', `${JSON.stringify({ ...order, id })}\n`);
    await this.until(() => this.#done.has(id), JSON.stringify(order));
    return this.#done.get(id) as Heard;
  }

  /** @throws Error that tells how far it came, when it takes too long, the guest ends, or the kiosk says what it should not. */
  async until(isSo: () => boolean, what: string | (() => string)): Promise<void> {
    const hopelessMs = performance.now() + this.patienceMs;
    while (!isSo()) {
      const ending = await Promise.race([this.guest.ended, this.#change()]);
      if (isSo()) return;
      const why =
        ending !== undefined
          ? `the guest is gone: ${JSON.stringify(ending)}`
          : (this.#faults[0] ?? (performance.now() > hopelessMs ? 'it takes too long' : undefined));
      // What else is told of it.
      if (why !== undefined) await new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS));
      if (why !== undefined) throw this.#error(typeof what === 'string' ? what : what(), why);
    }
  }

  untilOpened(count: number): Promise<void> {
    return this.until(() => this.opened.length === count, `${count} devices open`);
  }

  /** Until the kiosk says that all of these work, or that none does: a device that is open may not be read yet. */
  async untilDevices(names: readonly string[], areUp: boolean): Promise<void> {
    const hopelessMs = performance.now() + this.patienceMs;
    for (;;) {
      const { up = [] } = await this.order({ order: 'devices' });
      if (names.every((name) => up.includes(name) === areUp)) return;
      const what = `${names.join(', ')} to be ${areUp ? 'up' : 'down'}`;
      if (performance.now() > hopelessMs) throw this.#error(what, `up are ${up.join(', ')}`);
      await this.order({ order: 'pause', ms: LOOK_EVERY_MS });
    }
  }

  /** Scans so many cards, each when there are few unanswered, and waits until all are answered for. */
  async scan(kind: ScannerKind, count: number): Promise<void> {
    for (let at = 0; at < count; at++) {
      await this.until(() => this.scanned.size - this.answers.length < MOST_UNANSWERED, `${kind}: answers`);
      const { code, uuid } = this.venue.nextCard(kind.includes('keyboard'));
      const scanned: Scanned = { kind, card: uuid, sentAtMs: undefined };
      this.scanned.set(uuid, scanned);
      if (SCANNERS[kind] === 'agent') {
        scanned.sentAtMs = (await this.order({ order: 'scan', device: kind, code })).sentAt;
      } else if (kind === 'keyboard-usb') {
        scanned.sentAtMs = await typeOn(this.guest.qmp, `${code}\r`, (events) => this.order({ order: 'pause', ms: events * REPORT_MS }));
      } else {
        scanned.sentAtMs = performance.now();
        this.guest.write('ftdi', `${code}\r`);
      }
    }
    await this.until(() => this.answers.length === this.scanned.size, `${kind}: all answered for`);
  }

  /** Types something on QEMU's keyboard that is no card, as much as it holds at once, and waits for the answer. */
  async typeStranger(digits: string): Promise<void> {
    this.#expectedStrangers += 1;
    await typeAtOnce(this.guest.qmp, digits);
    await this.until(() => this.strangers === this.#expectedStrangers, `an answer to ${digits}`);
  }

  /** Lets the kiosk hand over all it holds, and stops it and the gateway in order. */
  async end(): Promise<Ending> {
    await this.order({ order: 'end' });
    const ending = await this.guest.ended;
    await this.venue.close();
    return ending;
  }

  /** Ends what runs, and leaves nothing. */
  async destroy(): Promise<void> {
    await this.guest.kill();
    await this.venue.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #hear(heard: Heard): void {
    this.#heard.push(heard);
    const { said, done, opened, failed, at } = heard;
    if (done !== undefined) this.#done.set(done, heard);
    if (opened !== undefined) this.opened = opened;
    if (failed !== undefined) this.#faults.push(failed);
    if (said?.kind === 'welcome' && said.keyId !== undefined && said.seq !== undefined) {
      this.answers.push({ name: rowName(this.venue.kiosk, said.keyId, said.seq), hostMs: performance.now(), guestMs: at });
    } else if (said?.kind === 'thank-you') this.thanks += 1;
    else if (said?.kind === 'not-a-card' && this.strangers < this.#expectedStrangers) this.strangers += 1;
    else if (said?.kind !== undefined) this.#faults.push(`the kiosk answered ${said.kind}`);
    this.#wake();
  }

  /** Resolves when something was heard, or a moment has passed. */
  #change(): Promise<undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), LOOK_EVERY_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }

  #error(what: string, why: string): Error {
    return new Error(
      [
        `${what}: ${why}`,
        `${this.scanned.size} scanned, ${this.answers.length} promised, open: ${this.opened.join(', ')}`,
        ...this.#heard.slice(-25).map((heard) => JSON.stringify(heard)),
        this.guest.console,
      ].join('\n'),
    );
  }
}
