/** The kiosk in the guest, seen from the host: scans with one device or another, and gathers what is promised, and when. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { rowName } from '../support/audit-road.ts';
import { type Ending, Guest, guestDirectory, type Machine, shareOf } from '../support/guest/guest.ts';
import { guestNode } from '../support/guest/guest-node.ts';
import { NETWORK, TAKE_NETWORK, Venue } from '../support/guest/venue.ts';
import { HONEYWELL_FORMAT, posDescriptor } from '../support/pos-format.ts';
import type { Heard, Order } from './orders.ts';
import { KEYBOARD_DESCRIPTOR } from './uhid.ts';
import { typeOn } from './usb-keyboard.ts';

const root = resolve(import.meta.dirname, '../..');

/** Scanner kinds, and who hands them their codes. */
export const SCANNERS = {
  'serial-ftdi': 'host',
  'keyboard-usb': 'host',
  'keyboard-evdev': 'agent',
  'hid-pos': 'agent',
  'gadget-hid': 'agent',
  'gadget-serial': 'agent',
  'gadget-keyboard': 'agent',
} as const;

export type ScannerKind = keyof typeof SCANNERS;

/** By line end: on an emulated processor a device may pause within a code for longer than the silence that ends one. */
const CONFIG = {
  scanners: [
    { kind: 'serial', name: 'serial-ftdi', path: '/dev/ttyUSB0', baudRate: 115_200, framing: 'line' },
    { kind: 'serial', name: 'gadget-serial', path: '/dev/ttyACM0', baudRate: 115_200, framing: 'line' },
    { kind: 'hid-pos', name: 'hid-pos', vendorId: '0c2e', productId: '0b61' },
    { kind: 'hid-pos', name: 'gadget-hid', vendorId: '0c2e', productId: '0b81' },
    { kind: 'keyboard', name: 'gadget-keyboard', vendorId: '0c2e', productId: '0b81', via: 'usb', framing: 'line' },
    { kind: 'keyboard', name: 'keyboard-usb', vendorId: '0627', productId: '0001', via: 'usb', framing: 'line' },
    { kind: 'keyboard', name: 'keyboard-evdev', vendorId: '0c2e', productId: '0b01', via: 'evdev', framing: 'line' },
  ],
  thermometers: [{ kind: 'mlx90614-i2c', name: 'infrared', path: '/dev/i2c-0', isPecRequired: false }],
  page: { isOn: false },
};
/** Nodes that the kiosk has open when all of these work; and without the gadget. */
export const ALL_OPENED = 8;
export const OPENED_WITHOUT_GADGET = 5;

/** Cards that are scanned and not answered for, over all devices: people come one after the other. */
const MOST_UNANSWERED = 3;
const LONGEST_MS = 600_000;
/** Of a guest that has something to do. */
const LONGEST_SILENCE_MS = 150_000;

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
  /** Answers that were no promise. */
  readonly refusals: string[] = [];
  readonly heard: Heard[] = [];
  readonly venue: Venue;
  readonly guest: Guest;
  readonly #directory: string;
  readonly #waiting = new Set<() => void>();
  #answered = 0;

  private constructor(directory: string, venue: Venue, guest: Guest) {
    this.#directory = directory;
    this.venue = venue;
    this.guest = guest;
    guest.onLine('answers', (line) => this.#hear(JSON.parse(line) as Heard));
    void guest.ended.then(() => this.#wake());
  }

  /** @param tree whose kiosk runs. */
  static async boot(machine: Machine, tree = root): Promise<GuestKiosk> {
    const directory = guestDirectory();
    const share = shareOf(directory);
    mkdirSync(share);
    const venue = await Venue.open(join(directory, 'data'), join(share, 'installed'), true);
    writeFileSync(join(share, 'config.json'), JSON.stringify(CONFIG));
    writeFileSync(join(share, 'pos.descriptor'), posDescriptor(HONEYWELL_FORMAT));
    writeFileSync(join(share, 'keyboard.descriptor'), KEYBOARD_DESCRIPTOR);
    const node = await guestNode(join(directory, 'compiled'), tree);
    const guest = await Guest.boot(machine, {
      script: `${TAKE_NETWORK}
. ${join(import.meta.dirname, 'set-up.sh')}
cp -r /share/installed /tmp/kiosk-data
cd /tmp
exec ${node} ${join(import.meta.dirname, 'agent.ts')} '${node}' ${tree}
`,
      directory,
      ports: ['orders', 'answers'],
      wires: ['ftdi'],
      devices: [...NETWORK, '-device', 'qemu-xhci', '-device', 'usb-serial,chardev=ftdi,always-plugged=on', '-device', 'usb-kbd'],
      longestMs: LONGEST_MS,
    });
    return new GuestKiosk(directory, venue, guest);
  }

  order(order: Order): void {
    this.guest.write('orders', `${JSON.stringify(order)}\n`);
  }

  /** Resolves when a line came that fits. @throws Error when the guest ends before. */
  async until(fits: (heard: Heard) => boolean): Promise<Heard> {
    for (let at = 0; ; ) {
      for (; at < this.heard.length; at++) {
        const heard = this.heard[at];
        if (heard !== undefined && fits(heard)) return heard;
      }
      await this.#more();
    }
  }

  /** Has the kiosk find so many devices. */
  async untilOpened(count: number): Promise<void> {
    const from = this.heard.length;
    this.order({ order: 'until-opened', count });
    await this.until((heard) => this.heard.indexOf(heard) >= from && heard.isOpened === count);
  }

  /** Scans so many cards, each when there are few unanswered. */
  async scan(kind: ScannerKind, count: number): Promise<void> {
    for (let at = 0; at < count; at++) {
      while (this.scanned.size - this.#answered >= MOST_UNANSWERED) await this.#more();
      const { code, uuid } = this.venue.nextCard(kind.includes('keyboard'));
      const scanned: Scanned = { kind, card: uuid, sentAtMs: undefined };
      this.scanned.set(uuid, scanned);
      if (SCANNERS[kind] === 'agent') {
        this.order({ order: 'scan', device: kind, code, id: uuid });
        await this.until(({ scanned: id }) => id === uuid);
      } else {
        if (kind === 'keyboard-usb') await typeOn(this.guest.qmp, `${code}\r`);
        else this.guest.write('ftdi', `${code}\r`);
        scanned.sentAtMs = performance.now();
      }
    }
  }

  /** Waits until every card was answered for. */
  async untilAnswered(): Promise<void> {
    while (this.#answered < this.scanned.size) await this.#more();
  }

  /** Lets the kiosk hand over all it holds, and stops it and the gateway in order. */
  async end(): Promise<Ending> {
    this.order({ order: 'end' });
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
    this.heard.push(heard);
    const { said, scanned, at } = heard;
    const found = this.scanned.get(scanned ?? '');
    if (found !== undefined) found.sentAtMs = at;
    if (said?.kind === 'welcome' && said.keyId !== undefined && said.seq !== undefined) {
      this.answers.push({ name: rowName(this.venue.kiosk, said.keyId, said.seq), hostMs: performance.now(), guestMs: at });
      this.#answered += 1;
    } else if (said?.kind !== undefined) this.refusals.push(said.kind);
    this.#wake();
  }

  /** @throws Error that tells how far it came, when nothing comes for a while. */
  async #more(): Promise<void> {
    let isLate: () => void = () => {};
    const late = new Promise<'late'>((resolve) => {
      isLate = () => resolve('late');
    });
    const timer = setTimeout(isLate, LONGEST_SILENCE_MS);
    const came = new Promise<undefined>((wake) => this.#waiting.add(() => wake(undefined)));
    const ending = await Promise.race([this.guest.ended, came, late]);
    clearTimeout(timer);
    if (ending === undefined) return;
    const last = this.heard.slice(-12).map((heard) => JSON.stringify(heard));
    throw new Error(
      [
        `the guest is ${JSON.stringify(ending)}`,
        `${this.scanned.size} scanned, ${this.#answered} promised`,
        ...this.refusals,
        ...last,
        this.guest.console,
      ].join('\n'),
    );
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
