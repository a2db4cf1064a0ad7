/**
 * A kiosk in a virtual machine whose power is cut again and again, while cards are scanned and something else writes to the same disk. What
 * was promised is what came out of the machine before the cut, and nothing else.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { rowName } from '../support/audit-road.ts';
import { Guest, guestDirectory, type Machine } from '../support/guest/guest.ts';
import { guestNode } from '../support/guest/guest-node.ts';
import { runCommand } from '../support/guest/run-command.ts';
import { NETWORK, TAKE_NETWORK, Venue } from '../support/guest/venue.ts';
import { type Cut, VolatileDisk } from '../support/guest/volatile-disk.ts';
import { type DiskReport, readDisk } from './read-disk.ts';

const root = resolve(import.meta.dirname, '../..');

/**
 * When the power is cut: so long after the disk was mounted; or after so many promises of this life, and then at the next write, between which and
 * its flush a machine is seldom met by chance.
 */
export type Moment = { readonly afterMountMs: number } | { readonly afterPromises: number; readonly andMs: number };

export interface Life {
  readonly moment: Moment;
  readonly cut: Cut;
  /** Whether this life reaches the gateway. */
  readonly isOnline: boolean;
}

export interface Promised {
  readonly name: string;
  /** Hexadecimal. */
  readonly card: string;
}

/** One line of the kiosk: `vestibule kiosk run --output json`. */
interface Said {
  readonly ready?: object;
  readonly kind?: string;
  readonly keyId?: string;
  readonly seq?: number;
}

export interface PowerKioskOptions {
  readonly machine: Machine;
  /** The tree whose kiosk runs; this one, unless it is to be a broken one. */
  readonly tree?: string;
  /** A disk that says it has flushed, and has not. */
  readonly ignoresFlush?: boolean;
  readonly random: () => number;
}

/** Longest from the start of a machine to its death; TCG on two busy cores. */
const LONGEST_LIFE_MS = 1_200_000;
/** The load writes several times a second. */
const LONGEST_WITHOUT_WRITE_MS = 20_000;
/** Cards that are scanned and not answered for: the next waits in the wire while one is being promised. */
const MOST_UNANSWERED = 2;
const DISK_MB = 96;
const MOST_LOG_LINES = 40;
/** One line of the kiosk's log, as `device.recovered` where its first tries failed. */
const SCANNER_IS_OPEN = /\bdevice\.(up|recovered)\b/;

export class PowerKiosk {
  readonly promised: Promised[] = [];
  /** What no kiosk should do. */
  readonly faults: string[] = [];
  readonly venue: Venue;
  readonly #options: PowerKioskOptions;
  readonly #directory: string;
  readonly #image: string;
  readonly #node: string;
  #guest: Guest | undefined;
  #disk: VolatileDisk | undefined;
  #unanswered: string[] = [];
  /** The end of the log of the kiosk that runs, or ran last. */
  #log: string[] = [];

  private constructor(options: PowerKioskOptions, directory: string, venue: Venue, node: string) {
    this.#options = options;
    this.#directory = directory;
    this.#image = imageIn(directory);
    this.venue = venue;
    this.#node = node;
  }

  /** Makes a gateway, and a disk with the kiosk's key and settings on it. */
  static async open(options: PowerKioskOptions): Promise<PowerKiosk> {
    const directory = guestDirectory();
    const installed = join(directory, 'installed');
    const venue = await Venue.open(join(directory, 'data'), installed);
    writeFileSync(
      join(installed, 'config.json'),
      JSON.stringify({
        scanners: [{ kind: 'serial', name: 'scanner', path: '/dev/ttyS1', baudRate: 115_200, framing: 'line' }],
        page: { isOn: false },
        outbox: { maxSettledRows: 100_000 },
        uplink: { firstBackoffMs: 100, longestBackoffMs: 1_000 },
      }),
    );
    await runCommand('/sbin/mkfs.ext4', ['-q', '-d', installed, imageIn(directory), `${DISK_MB}M`]);
    return new PowerKiosk(options, directory, venue, await guestNode(join(directory, 'compiled'), options.tree));
  }

  /** Lives once, until the power is cut. @returns what was in the disk's cache then, and how much of that is lost. */
  async liveAndDie({ moment, cut, isOnline }: Life): Promise<{ cached: number; lost: number }> {
    const before = this.promised.length;
    const { guest, mounted } = await this.#start(isOnline, '');
    const isDue =
      'afterMountMs' in moment
        ? mounted.then(() => pause(moment.afterMountMs))
        : this.#promisedAre(before + moment.afterPromises)
            .then(() => pause(moment.andMs))
            .then(() => Promise.race([this.#disk?.stopAtWrite(), pause(LONGEST_WITHOUT_WRITE_MS)]))
            .then(() => undefined);
    const ending = await Promise.race([isDue, guest.ended]);
    if (ending !== undefined) this.faults.push(`ended before its power was cut: ${JSON.stringify(ending)} ${this.#words(guest)}`);
    await guest.kill();
    const left = this.#disk?.cut(cut, this.#options.random) ?? { cached: 0, lost: 0 };
    this.#disk?.close();
    return left;
  }

  /** Lives a last time, hands over all it holds, and is shut down in order. */
  async deliver(): Promise<void> {
    const { guest } = await this.#start(
      true,
      'until_delivered; kill -TERM $kiosk; wait $kiosk; status=$?; cd /; umount /mnt; exit $status',
    );
    const ending = await guest.ended;
    if (ending.how !== 'ended' || ending.status !== 0)
      this.faults.push(`did not end in order: ${JSON.stringify(ending)} ${this.#words(guest)}`);
    this.#disk?.close();
    await this.venue.close();
  }

  /** What is on the disk now; no machine runs. */
  look(): Promise<DiskReport> {
    return readDisk(this.#image, join(this.#directory, 'scratch'), this.venue.kiosk);
  }

  /** Ends what runs, and leaves nothing. */
  async destroy(): Promise<void> {
    await this.#guest?.kill();
    await this.venue.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #start(isOnline: boolean, end: string): Promise<{ guest: Guest; mounted: Promise<void> }> {
    const { machine, tree = root, ignoresFlush } = this.#options;
    const socket = join(this.#directory, 'disk.sock');
    this.#disk = await VolatileDisk.open(this.#image, socket, ignoresFlush);
    this.#unanswered = [];
    this.#log = [];
    const guest = await Guest.boot(machine, {
      script: scriptOf(this.#node, tree, isOnline, end),
      directory: this.#directory,
      // ext4 asks for the last of them by a name that no index knows.
      modules: ['virtio_blk', 'ext4', 'crc32c_generic'],
      ports: ['answers', 'said', 'log'],
      wires: ['scanner'],
      devices: [
        ...['-serial', 'chardev:scanner'],
        ...['-blockdev', `driver=nbd,node-name=disk,server.type=unix,server.path=${socket}`],
        ...['-device', 'virtio-blk-pci,drive=disk'],
        ...(isOnline ? NETWORK : []),
      ],
      longestMs: LONGEST_LIFE_MS,
    });
    this.#guest = guest;
    guest.onLine('answers', (line) => this.#hear(guest, JSON.parse(line) as Said, end !== ''));
    guest.onLine('log', (line) => {
      this.#log = [...this.#log, line].slice(-MOST_LOG_LINES);
      // Opening a serial port throws away what it has received: a card sent before that is half a card.
      if (SCANNER_IS_OPEN.test(line) && end === '') this.#scan(guest);
    });
    const mounted = new Promise<void>((resolve) => {
      guest.onLine('said', (line) => {
        if (line === 'mounted') resolve();
      });
    });
    return { guest, mounted };
  }

  #hear(guest: Guest, said: Said, isLast: boolean): void {
    if (said.ready !== undefined) return;
    const card = this.#unanswered.shift() ?? '';
    if (said.kind !== 'welcome' || said.keyId === undefined || said.seq === undefined) this.faults.push(`answered ${said.kind}`);
    else this.promised.push({ name: rowName(this.venue.kiosk, said.keyId, said.seq), card });
    this.#wake();
    if (!isLast) this.#scan(guest);
  }

  #scan(guest: Guest): void {
    while (this.#unanswered.length < MOST_UNANSWERED) {
      const { code, uuid } = this.venue.nextCard();
      this.#unanswered.push(uuid);
      guest.write('scanner', `${code}\r`);
    }
  }

  #words(guest: Guest): string {
    return [guest.console, ...this.#log].join('\n');
  }

  #wake: () => void = () => {};

  #promisedAre(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        if (this.promised.length >= count) resolve();
      };
    });
  }
}

const imageIn = (directory: string): string => join(directory, 'disk');

const pause = (ms: number): Promise<undefined> => new Promise((resolve) => setTimeout(() => resolve(undefined), ms));

/** What the guest does: mounts, writes beside the kiosk, and runs it as a person would. */
const scriptOf = (node: string, tree: string, isOnline: boolean, end: string): string => `
mkdir -p /mnt
mount -t ext4 /dev/vda /mnt || exit 9
echo mounted >/dev/virtio-ports/said
${isOnline ? TAKE_NETWORK : ''}
cd /mnt
load() {
  while :; do
    dd if=/dev/urandom of=/mnt/load bs=16k count=64 conv=notrunc 2>/dev/null
    busybox sleep 0.2
    dd if=/dev/zero of=/mnt/load.synced bs=4k count=8 conv=fsync 2>/dev/null
  done
}
until_delivered() {
  while ! ${node} ${join(import.meta.dirname, 'is-delivered.ts')} /mnt/kiosk/outbox.db; do busybox sleep 0.5; done
}
${end === '' ? 'load &' : ''}
${node} ${tree}/cli/main.ts kiosk run --data /mnt --trust /mnt/trust.json \\
  --config /mnt/config.json --output json --log info >/dev/virtio-ports/answers 2>/dev/virtio-ports/log </dev/null &
kiosk=$!
${end === '' ? 'wait $kiosk; exit $?' : end}
`;
