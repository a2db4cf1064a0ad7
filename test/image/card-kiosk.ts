/**
 * A kiosk made of an image and of nothing else: its card's bytes start a virtual machine through a stand-in for the firmware, a keyboard and a
 * scanner are plugged in, and its power is cut again and again. What was promised is what came out of the machine before the cut.
 */
import { closeSync, existsSync, openSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { KioskId } from '../../protocol/ids.ts';
import { type PartitionName, partitionNamed } from '../../workshop/image/layout.ts';
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
import { CONSOLE_BYTES, commandLineWith, KeysTaken, PORTS } from './told-by-guest.ts';

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
/** Of the kernel as it restarts (`kernel_restart` in kernel/reboot.c), shown on any console. */
export const TRYBOOT = /Restarting system with command '0 tryboot'/;
/** Of a console, in characters. */
const LAST_WORDS = 1_000;
/** Cards that are scanned and not answered for. */
const MOST_UNANSWERED = 2;
/** What is said of a label that is taken. */
const STEPS: readonly string[] = ['enrolling', 'enrolled'];

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
  #isHeld = false;
  #unanswered: string[] = [];
  #wake: () => void = () => {};
  #settings: object | undefined;
  #bootPartition = 0;
  #saidBefore = 0;
  #keys = new KeysTaken();
  /** What the console showed, again and again. */
  #shown = Buffer.alloc(0);

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
   * @returns what it said of it last: the kernel's own line has the word for the firmware, `TRYBOOT` where it is for the other slot, once.
   */
  async restarts(): Promise<string> {
    await this.#guest?.ended;
    this.#disk?.cut('all-lost', this.#random);
    this.#disk?.close();
    this.#disk = undefined;
    this.#guest = undefined;
    return this.#said().slice(-LAST_WORDS);
  }

  #said(): string {
    const path = join(this.#directory, 'console.log');
    return existsSync(path) ? readFileSync(path, 'utf8').slice(this.#saidBefore) : '';
  }

  /**
   * Plugs it in.
   * @param isTryboot as after `reboot '0 tryboot'`. @param isHeld whether its kiosk does not start before `letGo`.
   */
  async start({ isTryboot = false, isHeld = false } = {}): Promise<void> {
    const { setpriv, 'qemu-system-aarch64': qemu } = await needPrograms(['setpriv', 'qemu-system-aarch64', 'mcopy']);
    const started = await powerOn(this.card, { directory: this.#directory, isTryboot, deviceTree: 'bcm2837-rpi-3-b.dtb' });
    this.#bootPartition = started.bootPartition;
    this.#saidBefore += this.#said().length;
    const socket = join(this.#directory, 'disk.sock');
    this.#disk = await VolatileDisk.open(this.card, socket);
    this.#unanswered = [];
    this.#isReady = false;
    this.#isHeld = false;
    this.#keys = new KeysTaken();
    const commandLine = commandLineWith(started.commandLine, { settings: this.#settings, isHeld });
    const line = (name: string): string[] => socketArguments(this.#directory, name);
    this.#guest = await Guest.launch(
      { setpriv, qemu },
      {
        directory: this.#directory,
        names: [...PORTS, 'scanner'],
        longestMs: LONGEST_LIFE_MS,
        args: [
          ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
          ...['-M', 'virt', '-accel', 'tcg', '-cpu', 'cortex-a53', '-smp', '1', '-m', this.#hasScreen ? '2048' : '1024', ...TIME],
          ...(this.#hasScreen ? ['-device', 'virtio-gpu-pci,xres=1280,yres=800'] : []),
          ...['-kernel', started.kernel, '-initrd', started.initrd, '-append', commandLine],
          ...[...line('console'), '-serial', 'chardev:console', ...line('qmp'), '-mon', 'chardev=qmp,mode=control'],
          ...['-blockdev', `driver=nbd,node-name=disk,server.type=unix,server.path=${socket}`, '-device', 'virtio-blk-pci,drive=disk'],
          ...['-device', 'virtio-serial-pci,id=ports'],
          ...PORTS.flatMap((name) => [...line(name), '-device', `virtserialport,bus=ports.0,chardev=${name},name=${name}`]),
          ...['-device', 'virtio-rng-pci', '-device', 'qemu-xhci', '-device', 'usb-kbd'],
          ...[...line('scanner'), '-device', 'usb-serial,chardev=scanner,always-plugged=on'],
          ...NETWORK,
        ],
      },
    );
    this.#guest.onLine('answers', (text) => this.#hear(JSON.parse(text) as Said));
    this.#guest.onBytes('keys', (bytes) => {
      this.#keys.hear(bytes);
      this.#wake();
    });
    this.#guest.onBytes('screen', (bytes) => {
      this.#shown = Buffer.concat([this.#shown, bytes]);
      this.#wake();
    });
  }

  /** Resolves when the kiosk runs: it serves, or waits for its label. */
  async ready(): Promise<void> {
    await this.#until(() => this.#isReady);
  }

  /** Types a label's code on the keyboard, or scans it. @returns when it is a kiosk, and serves. */
  async enrol(by: 'keyboard' | 'scanner' = 'keyboard'): Promise<void> {
    const { text } = await giveCode(join(this.venue.data, 'gateway'), { venue: this.venue.venue, direction: 'in' }, Date.now());
    const refused = this.refusals.length;
    if (by === 'keyboard') await this.#type(text);
    else {
      await this.says(/kiosk\.not_enrolled.*device\.up/s);
      this.#guest?.write('scanner', `${text}\r`);
    }
    await this.#until(() => this.#kiosk !== '' || this.refusals.length > refused);
    if (this.#kiosk === '') throw new Error(`the code on the label was not taken: ${this.refusals.join(', ')} ${this.console}`);
  }

  /** Types a card's code, as a scanner does that types, and waits until it is promised. */
  async typeCard(): Promise<void> {
    const { code, uuid } = this.venue.nextCard(true);
    const promised = this.promised.length;
    const refused = this.refusals.length;
    this.#unanswered = [uuid];
    await this.#type(code);
    await this.#until(() => this.promised.length > promised || this.refusals.length > refused);
    if (this.promised.length === promised) throw new Error(`the card was not promised: ${this.refusals.join(', ')} ${this.console}`);
  }

  /** Types a line while the kiosk is held. @returns what the console shows then. */
  async showsOfTyped(text: string): Promise<string> {
    await this.#until(() => this.#isHeld);
    await this.#type(text);
    // The second of those that begin now is whole, and what was typed is in it.
    const from = this.#shown.length;
    await this.#until(() => this.#shown.length >= from + 3 * CONSOLE_BYTES);
    return this.#shown.toString('latin1', from);
  }

  /** Lets the kiosk start that was held. @returns when it has read what was typed meanwhile. */
  async letGo(): Promise<void> {
    this.#guest?.write('go', '\n');
    await this.#until(() => this.refusals.length > 0);
  }

  /** Scans by a serial scanner until so many more are promised; the next are on their way then. What comes before its port is open is lost. */
  async scan(count: number): Promise<void> {
    const enough = this.promised.length + count;
    await this.says(/kiosk\.ready.*device\.up/s);
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
    this.#disk = undefined;
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
    const data = join(this.#directory, 'partition');
    this.copy('data', data);
    return readDisk(data, join(this.#directory, 'scratch'), this.#kiosk as KioskId, '/vestibule/kiosk');
  }

  /** Copies a partition; no machine runs. */
  copy(name: PartitionName, to: string): void {
    const { startBytes, sizeBytes } = partitionNamed(name);
    copyPart(this.card, startBytes, sizeBytes, to);
  }

  /** Puts a partition back as it was, as a worn card does that takes what is written and forgets it; no machine runs. */
  putBack(name: PartitionName, from: string): void {
    const card = openSync(this.card, 'r+');
    writeSync(card, readFileSync(from), 0, undefined, partitionNamed(name).startBytes);
    closeSync(card);
  }

  /** Puts a file onto the partition that any computer reads; no machine runs. */
  async put(name: string, text: string): Promise<void> {
    const file = join(this.#directory, name);
    writeFileSync(file, text);
    await runCommand('mcopy', ['-o', '-i', this.#config, file, `::/${name}`]);
  }

  /** Names on the partition that any computer reads; no machine runs. */
  async putThere(): Promise<string> {
    return await runCommand('mdir', ['-b', '-i', this.#config, '::/']);
  }

  get #config(): string {
    return `${this.card}@@${partitionNamed('config').startBytes}`;
  }

  /** @returns partitions of the firmware's that are not sound now, with what is said of them. */
  async damagedFats(): Promise<string[]> {
    const { 'fsck.vfat': check } = await needPrograms(['fsck.vfat']);
    const part = join(this.#directory, 'fat');
    const damaged: string[] = [];
    for (const name of ['config', 'boot-a'] as const) {
      this.copy(name, part);
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
    this.#disk?.close();
    await this.venue.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** A line, no faster than the guest's kernel takes it: QEMU's keyboard holds 16 events and loses the rest. */
  async #type(text: string): Promise<void> {
    const guest = this.#guest;
    if (guest === undefined) throw new Error('no machine runs');
    await this.#until(() => this.#keys.isListening);
    let sent = this.#keys.count;
    await typeOn(guest.qmp, `${text}\r`, async (events) => {
      sent += events;
      await this.#until(() => this.#keys.count >= sent);
    });
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
    } else if (said.kind === undefined) {
      this.#isHeld = true;
    } else if (said.keyId !== undefined && said.seq !== undefined && said.kind === 'welcome') {
      this.promised.push({ name: rowName(this.#kiosk, said.keyId, said.seq), card: this.#unanswered.shift() ?? '' });
    } else if (!STEPS.includes(said.kind)) {
      this.refusals.push(said.kind);
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
