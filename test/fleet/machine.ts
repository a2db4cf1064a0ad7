/**
 * A kiosk's machine as processes: a start takes what lies in the slot that its switch names, and runs that. Cards are shown to it all the while,
 * each once, and what its door promises is written down from its answers alone.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chooseSlot } from '../../kiosk/update/file-slots.ts';
import { rowName } from '../support/audit-road.ts';
import { VestibuleProcess } from '../support/child.ts';
import { BOARD } from '../support/slot-machine.ts';
import { unpack, withPackages } from './release-tree.ts';

/** No divisor of the second after which a kiosk looks again whether rows wait: a release is taken when none do. */
const CARD_EVERY_MS = 730;
/** Long enough for a gateway that is started anew meanwhile. */
const TRIAL_MS = 8_000;

interface Said {
  readonly ready?: unknown;
  readonly kind?: string;
  readonly keyId?: string;
  readonly seq?: number;
}

export interface MachineDoors {
  /** Of all machines: trees that were unpacked. */
  readonly trees: string;
  readonly trust: string;
  readonly keys: readonly string[];
  /** The text of a card that nobody has shown before. */
  readonly nextCard: () => string;
}

export class Machine {
  readonly data: string;
  readonly promised: string[] = [];
  /** What a door must not say, and ends that nobody asked for. */
  readonly faults: string[] = [];
  readonly #doors: MachineDoors;
  readonly #fixed: string | undefined;
  #process: VestibuleProcess | undefined;
  #running: Promise<void> | undefined;
  #isOver = false;
  #isReady = false;
  #kiosk = '';

  /** @param software an archive for slot a, or the tree of a release that knows no slots. */
  constructor(data: string, software: Uint8Array | string, doors: MachineDoors) {
    this.data = data;
    this.#doors = doors;
    for (const slot of ['a', 'b']) mkdirSync(join(data, 'slots', slot), { recursive: true });
    if (typeof software === 'string') this.#fixed = software;
    else writeFileSync(this.#root('a'), software);
  }

  get config(): object {
    const { trust, keys } = this.#doors;
    const common = {
      trustPath: trust,
      scanners: [{ kind: 'standard-input' }],
      page: { isOn: false },
      uplink: { firstBackoffMs: 50, longestBackoffMs: 500 },
    };
    if (this.#fixed !== undefined) return common;
    const updates = {
      board: BOARD,
      keys,
      slots: { a: { root: this.#root('a') }, b: { root: this.#root('b') } },
      switch: { kind: 'files', directory: join(this.data, 'slots') },
      media: [],
      bytesPerSecond: 100_000_000,
      quietMs: 0,
      trialMs: TRIAL_MS,
    };
    return { ...common, updates };
  }

  /** Starts again whenever it has ended, until `end`. @param kiosk its id. */
  start(kiosk: string): void {
    this.#kiosk = kiosk;
    writeFileSync(join(this.data, 'config.json'), JSON.stringify(this.config));
    this.#running = this.#live();
  }

  /** No further cards; what was promised goes on being sent. */
  quiet(): void {
    this.#isReady = false;
    this.#isOver = true;
  }

  async end(): Promise<void> {
    this.quiet();
    const status = await this.#process?.end('SIGTERM');
    if (status !== 0) this.faults.push(`ended with ${status}: ${this.#process?.written.slice(-2_000)}`);
    await this.#running;
  }

  /** Ends whatever runs, at once. */
  async destroy(): Promise<void> {
    this.quiet();
    await this.#process?.end('SIGKILL');
    await this.#running;
  }

  /** @returns the slot that it would start from now. */
  get lasting(): string {
    const path = join(this.data, 'slots', 'lasting');
    return existsSync(path) ? readFileSync(path, 'utf8').trim() : 'a';
  }

  async #live(): Promise<void> {
    do {
      const tree = this.#fixed ?? this.#treeIn(chooseSlot(join(this.data, 'slots')));
      const args = ['kiosk', 'run', '--data', this.data, '--config', join(this.data, 'config.json'), '--output', 'json', '--log', 'error'];
      const life = new VestibuleProcess(args, { tree, onLine: (line) => this.#hear(line) });
      this.#process = life;
      const cards = setInterval(() => {
        if (this.#isReady) life.type(`${this.#doors.nextCard()}\n`);
      }, CARD_EVERY_MS);
      const status = await life.ended();
      clearInterval(cards);
      this.#isReady = false;
      if (status !== 0 && !this.#isOver) this.faults.push(`ended with ${status}: ${life.written.slice(-2_000)}`);
    } while (!this.#isOver);
  }

  #hear(line: string): void {
    const { ready, kind, keyId, seq } = JSON.parse(line) as Said;
    if (ready !== undefined) this.#isReady = !this.#isOver;
    if (kind === undefined) return;
    if (kind === 'welcome' && keyId !== undefined && seq !== undefined) this.promised.push(rowName(this.#kiosk, keyId, seq));
    else this.faults.push(`a card was answered with ${kind}`);
  }

  #root(slot: string): string {
    return join(this.data, 'slots', slot, 'root');
  }

  /** What lies in a slot, unpacked; once for all machines that have the same. */
  #treeIn(slot: string): string {
    const archive = readFileSync(this.#root(slot));
    const tree = join(this.#doors.trees, createHash('sha256').update(archive).digest('hex').slice(0, 16));
    if (existsSync(tree)) return tree;
    const draft = `${tree}.${process.hrtime.bigint()}`;
    unpack(archive, draft);
    withPackages(draft);
    renameSync(draft, tree);
    return tree;
  }
}
