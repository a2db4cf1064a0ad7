/**
 * A kiosk made of an image and of nothing else: its card's bytes start a virtual machine through a stand-in for the firmware, a keyboard and a
 * scanner are plugged in, and its power is cut again and again. What was promised is what came out of the machine before the cut.
 */
import { closeSync, existsSync, openSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openCodeDesk } from '../../gateway/enrol/give-codes.ts';
import type { KioskId } from '../../protocol/ids.ts';
import { partitionNamed } from '../../workshop/image/layout.ts';
import { typeOn } from '../guest/usb-keyboard.ts';
import { type DiskReport, readDisk } from '../powercut/read-disk.ts';
import { auditRoad, rowName } from '../support/audit-road.ts';
import { powerOn } from '../support/card/firmware.ts';
import { giveCode } from '../support/enrolling.ts';
import { needPrograms } from '../support/guest/debian.ts';
import { type Ending, Guest, guestDirectory, socketArguments, TIME } from '../support/guest/guest.ts';
import { runCommand } from '../support/guest/run-command.ts';
import { NETWORK, Venue } from '../support/guest/venue.ts';
import { type Cut, VolatileDisk } from '../support/guest/volatile-disk.ts';

export interface Promised {
  readonly name: string;
  /** Hexadecimal. */
  readonly card: string;
}

interface Said {
  readonly ready?: { readonly kiosk: string };
  readonly kind?: string;
  readonly keyId?: string;
  readonly seq?: number;
}

/** Of this machine's time, which may stand still for the guest. */
const LONGEST_LIFE_MS = 3_600_000;
/** Cards that are scanned and not answered for. */
const MOST_UNANSWERED = 2;
/** The keyboard holds 16 events, and loses what is typed while its machine stands still: the next try is at half the pace. */
const SLOWER = 3;
const TRIES = 5;
const ANSWER_MS = 60_000;

/**
 * What a test adds to the command line of the card: where the kernel speaks, and where the kiosk does, since a program is to read it; both by
 * systemd's own means (systemd.system-credentials(7), `systemd.unit-dropin.*`). The image knows nothing of it.
 */
const answersOf = (settings: object | undefined): string => `[Unit]
Requires=dev-virtio\\x2dports-answers.device
After=dev-virtio\\x2dports-answers.device
[Service]
ExecStart=
ExecStart=/opt/vestibule/cli/vestibule.js kiosk run --data /var/lib/vestibule --output json --log info${settings === undefined ? '' : ' --config %d/kiosk.json\nImportCredential=kiosk.json'}
StandardOutput=file:/dev/virtio-ports/answers
StandardError=journal+console
DeviceAllow=char-virtio-portsdev rw
`;
const addedWith = (settings: object | undefined): string =>
  [
    'console=ttyAMA0',
    'systemd.journald.forward_to_console=1',
    'systemd.journald.max_level_console=info',
    `systemd.set_credential_binary=systemd.unit-dropin.vestibule-kiosk.service~zz:${Buffer.from(answersOf(settings)).toString('base64')}`,
    ...(settings === undefined
      ? []
      : [`systemd.set_credential_binary=kiosk.json:${Buffer.from(JSON.stringify(settings)).toString('base64')}`]),
  ].join(' ');

export class CardKiosk {
  readonly promised: Promised[] = [];
  /** What no kiosk should do. */
  readonly faults: string[] = [];
  readonly venue: Venue;
  readonly card: string;
  /** Cards that were turned away, by kind. */
  readonly refusals: string[] = [];
  readonly #directory: string;
  readonly #random: () => number;
  readonly #hasScreen: boolean;
  #guest: Guest | undefined;
  #disk: VolatileDisk | undefined;
  #kiosk = '';
  #isReady = false;
  #unanswered: string[] = [];
  #wake: () => void = () => {};
  #settings: object | undefined;
  #bootPartition = 0;
  #saidBefore = 0;

  private constructor(directory: string, card: string, venue: Venue, random: () => number, hasScreen: boolean) {
    this.#hasScreen = hasScreen;
    this.#directory = directory;
    this.card = card;
    this.venue = venue;
    this.#random = random;
  }

  /** Flashes a card with the image, and opens a gateway that knows nothing of this kiosk. @param hasScreen for an image with a browser. */
  static async open(image: string, random: () => number, hasScreen = false): Promise<CardKiosk> {
    const directory = guestDirectory();
    const card = join(directory, 'card');
    await runCommand('cp', ['--sparse=always', image, card]);
    const venue = await Venue.open(join(directory, 'data'), join(directory, 'other-kiosk'), true);
    return new CardKiosk(directory, card, venue, random, hasScreen);
  }

  /** Which the firmware took at the last start. */
  get bootPartition(): number {
    return this.#bootPartition;
  }

  /** Has it run by these settings from the next start on, in place of its image's. */
  setUp(settings: object): void {
    this.#settings = settings;
  }

  /** Plugs a stick in, to be read. */
  async plugStick(image: string): Promise<void> {
    const qmp = this.#guest?.qmp;
    await qmp?.execute('blockdev-add', { driver: 'file', 'node-name': 'stick', filename: image, 'read-only': true });
    await qmp?.execute('device_add', { driver: 'usb-storage', id: 'plugged', drive: 'stick', removable: true });
  }

  /** Waits until its console says something, in this life. */
  async says(what: RegExp): Promise<void> {
    while (!what.test(this.#said())) {
      const ending = await Promise.race([this.#guest?.ended, pause(500)]);
      if (ending !== undefined) throw new Error(`the machine is gone (${JSON.stringify(ending)}) before it said ${what}: ${this.console}`);
    }
  }

  /**
   * Waits until it starts anew by itself, which is the end of the machine here. What it had not flushed is lost.
   * @returns whether it asked its firmware for the other slot, once.
   */
  async restarts(): Promise<boolean> {
    await this.#guest?.ended;
    this.#disk?.cut('all-lost', this.#random);
    this.#disk?.close();
    this.#guest = undefined;
    return /with argument '0 tryboot'/.test(this.#said());
  }

  #said(): string {
    const path = join(this.#directory, 'console.log');
    return existsSync(path) ? readFileSync(path, 'utf8').slice(this.#saidBefore) : '';
  }

  /** Plugs it in. @param isTryboot as after `reboot '0 tryboot'`. */
  async start(isTryboot = false): Promise<void> {
    const { setpriv, 'qemu-system-aarch64': qemu } = await needPrograms(['setpriv', 'qemu-system-aarch64', 'mcopy']);
    const started = await powerOn(this.card, { directory: this.#directory, isTryboot, deviceTree: 'bcm2837-rpi-3-b.dtb' });
    this.#bootPartition = started.bootPartition;
    this.#saidBefore += this.#said().length;
    const socket = join(this.#directory, 'disk.sock');
    this.#disk = await VolatileDisk.open(this.card, socket);
    this.#unanswered = [];
    this.#isReady = false;
    const line = (name: string): string[] => socketArguments(this.#directory, name);
    this.#guest = await Guest.launch(
      { setpriv, qemu },
      {
        directory: this.#directory,
        names: ['answers', 'scanner'],
        longestMs: LONGEST_LIFE_MS,
        args: [
          ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
          ...['-M', 'virt', '-accel', 'tcg', '-cpu', 'cortex-a53', '-smp', '1', '-m', this.#hasScreen ? '2048' : '1024', ...TIME],
          ...(this.#hasScreen ? ['-device', 'virtio-gpu-pci,xres=1280,yres=800'] : []),
          ...['-kernel', started.kernel, '-initrd', started.initrd, '-append', `${started.commandLine} ${addedWith(this.#settings)}`],
          ...[...line('console'), '-serial', 'chardev:console', ...line('qmp'), '-mon', 'chardev=qmp,mode=control'],
          ...['-blockdev', `driver=nbd,node-name=disk,server.type=unix,server.path=${socket}`, '-device', 'virtio-blk-pci,drive=disk'],
          ...[
            '-device',
            'virtio-serial-pci,id=ports',
            ...line('answers'),
            '-device',
            'virtserialport,bus=ports.0,chardev=answers,name=answers',
          ],
          ...['-device', 'virtio-rng-pci', '-device', 'qemu-xhci', '-device', 'usb-kbd'],
          ...[...line('scanner'), '-device', 'usb-serial,chardev=scanner,always-plugged=on'],
          ...NETWORK,
        ],
      },
    );
    this.#guest.onLine('answers', (text) => this.#hear(JSON.parse(text) as Said));
  }

  /** Resolves when the kiosk runs: it serves, or waits for its label. */
  async ready(): Promise<void> {
    await this.#until(() => this.#isReady);
  }

  /** Types a label's code on the keyboard, or scans it, until the gateway has made a kiosk of it. Keys that were lost are typed again, as by a person. */
  async enrol(by: 'keyboard' | 'scanner' = 'keyboard'): Promise<void> {
    const gateway = join(this.venue.data, 'gateway');
    const { text, number } = await giveCode(gateway, { venue: this.venue.venue, direction: 'in' }, Date.now());
    const desk = await openCodeDesk(gateway);
    try {
      const isUsed = () => desk.book.codes().some((code) => code.number === number && code.bound?.isDone === true);
      for (let tries = 0; tries < TRIES && !isUsed(); tries++) {
        const refused = this.refusals.length;
        if (by === 'scanner') this.#guest?.write('scanner', `${text}\r`);
        else await this.#type(text, tries);
        for (let waits = 0; waits < ANSWER_MS / 1_000 && !isUsed() && this.refusals.length === refused; waits++) await pause(1_000);
      }
      if (!isUsed()) throw new Error(`the code on the label was not used: ${this.refusals.join(', ')} ${this.console}`);
    } finally {
      desk.close();
    }
  }

  /** Types a card's code, as a scanner does that types, until it is promised: a card that is not taken is held before the scanner again. */
  async typeCard(): Promise<void> {
    const { code, uuid } = this.venue.nextCard(true);
    const promised = this.promised.length;
    for (let tries = 0; tries < TRIES && this.promised.length === promised; tries++) {
      const refused = this.refusals.length;
      this.#unanswered = [uuid];
      await this.#type(code, tries);
      await Promise.race([this.#until(() => this.promised.length > promised || this.refusals.length > refused), pause(ANSWER_MS)]);
    }
    if (this.promised.length === promised) throw new Error(`the card was not promised: ${this.refusals.join(', ')} ${this.console}`);
  }

  /** Scans by a serial scanner until so many more are promised; the next are on their way then. */
  async scan(count: number): Promise<void> {
    const enough = this.promised.length + count;
    this.#scanOn();
    await this.#until(() => {
      if (this.promised.length < enough) this.#scanOn();
      return this.promised.length >= enough;
    });
  }

  /** Cuts the power: what the disk was not told to flush is lost, or some of it. @returns how many sectors. */
  async cut(how: Cut): Promise<{ readonly cached: number; readonly lost: number }> {
    await this.#guest?.kill();
    const left = this.#disk?.cut(how, this.#random) ?? { cached: 0, lost: 0 };
    this.#disk?.close();
    this.#guest = undefined;
    return left;
  }

  /** Waits until the gateway has all that was promised. */
  async delivered(): Promise<void> {
    for (;;) {
      const { rows } = await auditRoad(this.venue.data);
      const arrived = new Set(rows.map(({ name }) => name));
      if (this.promised.every(({ name }) => arrived.has(name))) return;
      const ending = await Promise.race([this.#guest?.ended, pause(2_000)]);
      if (ending !== undefined) throw new Error(`the machine is gone (${JSON.stringify(ending)}): ${this.console}`);
    }
  }

  /** Whether it still runs, after so long. */
  async lives(forMs: number): Promise<boolean> {
    const ending = await Promise.race([this.#guest?.ended, pause(forMs)]);
    return ending === undefined;
  }

  /** What is on the card now; no machine runs. */
  look(): Promise<DiskReport> {
    const { startBytes, sizeBytes } = partitionNamed('data');
    const data = join(this.#directory, 'partition');
    copyPart(this.card, startBytes, sizeBytes, data);
    return readDisk(data, join(this.#directory, 'scratch'), this.#kiosk as KioskId, '/vestibule/kiosk');
  }

  /** @returns partitions of the firmware's that are not sound now, with what is said of them. */
  async damagedFats(): Promise<string[]> {
    const { 'fsck.vfat': check } = await needPrograms(['fsck.vfat']);
    const part = join(this.#directory, 'fat');
    const damaged: string[] = [];
    for (const name of ['config', 'boot-a'] as const) {
      const { startBytes, sizeBytes } = partitionNamed(name);
      copyPart(this.card, startBytes, sizeBytes, part);
      await runCommand(check, ['-n', part]).catch((error: Error) => damaged.push(`${name}: ${error.message}`));
    }
    return damaged;
  }

  /** What its screen shows now. @param path of a PNG that is made. @returns how many colours it has. */
  async picture(path: string): Promise<number> {
    const raw = join(this.#directory, 'screen.ppm');
    await this.#guest?.qmp.execute('screendump', { filename: raw, format: 'ppm' });
    await this.#guest?.qmp.execute('screendump', { filename: path, format: 'png' });
    const pixels = readFileSync(raw);
    const colours = new Set<number>();
    // Past a header of some fifteen bytes, to the whole pixel or not: what counts is how many there are.
    for (let at = 15; at + 3 <= pixels.length; at += 3) colours.add(pixels.readUIntBE(at, 3));
    return colours.size;
  }

  /** The end of what kernel and kiosk said. */
  get console(): string {
    return this.#guest?.console ?? '';
  }

  async destroy(): Promise<void> {
    await this.#guest?.kill();
    await this.venue.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** A line; after a try, the rest of that one is ended first. */
  async #type(text: string, tries: number): Promise<void> {
    const guest = this.#guest;
    if (guest === undefined) throw new Error('no machine runs');
    await typeOn(guest.qmp, `${tries > 0 ? '\r' : ''}${text}\r`, (ms) => pause(ms * SLOWER * 2 ** tries));
  }

  #scanOn(): void {
    while (this.#unanswered.length < MOST_UNANSWERED) {
      const { code, uuid } = this.venue.nextCard(true);
      this.#unanswered.push(uuid);
      this.#guest?.write('scanner', `${code}\r`);
    }
  }

  #hear(said: Said): void {
    if (said.ready !== undefined) {
      this.#kiosk = said.ready.kiosk;
      this.#isReady = true;
    } else if (said.kind === 'not-enrolled') {
      this.#isReady = true;
    } else if (said.keyId !== undefined && said.seq !== undefined && said.kind === 'welcome') {
      this.promised.push({ name: rowName(this.#kiosk, said.keyId, said.seq), card: this.#unanswered.shift() ?? '' });
    } else {
      this.refusals.push(said.kind ?? 'nothing');
      this.#unanswered.shift();
    }
    this.#wake();
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      const woken = new Promise<undefined>((resolve) => {
        this.#wake = () => resolve(undefined);
      });
      const ending: Ending | undefined = await Promise.race([this.#guest?.ended, woken]);
      if (ending !== undefined) throw new Error(`the machine is gone (${JSON.stringify(ending)}): ${this.console}`);
    }
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function copyPart(from: string, offsetBytes: number, lengthBytes: number, to: string): void {
  rmSync(to, { force: true });
  const source = openSync(from, 'r');
  const target = openSync(to, 'w');
  const chunk = Buffer.alloc(1_048_576);
  const zeros = Buffer.alloc(1_048_576);
  for (let at = 0; at < lengthBytes; at += chunk.length) {
    readSync(source, chunk, 0, chunk.length, offsetBytes + at);
    if (at + chunk.length >= lengthBytes || !chunk.equals(zeros)) writeSync(target, chunk, 0, chunk.length, at);
  }
  closeSync(source);
  closeSync(target);
}
