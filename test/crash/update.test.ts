/**
 * A kiosk that takes one release after the other, from its gateway and from sticks, killed with SIGKILL at each step of it, and at once started anew
 * from whichever slot its machine chooses then. Each release is kept in the end, or left where it does not hold; cards are scanned all the while.
 * In the end: nothing promised is lost, nothing counts twice, and keys and outbox are those of the beginning.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { gatewayPaths } from '../../gateway/paths.ts';
import { BundleShelf } from '../../gateway/rollout/bundle-shelf.ts';
import type { RolloutBook } from '../../gateway/rollout/rollout-book.ts';
import { openRegistry } from '../../gateway/status.ts';
import type { KioskId } from '../../protocol/ids.ts';
import { formatTrust, parseTrust } from '../../protocol/trust.ts';
import { cardOf, Road } from '../journey/road.ts';
import { rowName } from '../support/audit-road.ts';
import { BOARD, bundleOf, SlotMachine, type Software } from '../support/slot-machine.ts';
import { seededRandom, suiteSize } from '../support/suite-size.ts';
import { telling } from '../support/until.ts';
import { Mortal, type Said } from './mortal.ts';

const { isFull, seed } = suiteSize();
const random = seededRandom(seed);
const ROUNDS = isFull ? 10 : 1;
/** In the order of an update, with how often each is survived before. */
const GOOD_STEPS: readonly (readonly [point: string, most: number])[] = [
  ['update.chunk_written', 8],
  ['update.all_written', 0],
  ['update.sealed', 0],
  ['update.ready', 0],
  ['update.trial_noted', 0],
  ['machine.restarting', 0],
  ['update.other_chosen', 0],
  ['update.trial_heard', 0],
  ['update.slot_kept', 0],
  ['update.keep_noted', 0],
];
const BAD_STEPS = ['update.trial_heard', 'update.failure_noted'] as const;

interface Memory {
  readonly last?: { readonly version: string; readonly outcome: string };
}

class Machine {
  readonly promised: string[] = [];
  readonly faults: string[] = [];
  readonly slots: SlotMachine;
  readonly #road: Road;
  readonly #kiosk: KioskId;
  readonly #book: RolloutBook;
  #cards = 0;
  #point: readonly [string, number] | undefined;
  #life: Mortal | undefined;
  #isOver = false;

  constructor(road: Road, kiosk: KioskId, book: RolloutBook) {
    this.#road = road;
    this.#kiosk = kiosk;
    this.#book = book;
    this.slots = new SlotMachine(join(road.dirOf('kiosk'), 'machine'), { version: '1.0.0' });
  }

  /** Lives, dies and lives again until it is told to end. */
  async run(): Promise<void> {
    while (!this.#isOver) {
      const { software } = this.slots.start();
      const [point, passed] = this.#point ?? ['', 0];
      const args = [JSON.stringify(this.#config(software)), point, String(passed), software.version];
      const life = new Mortal('update-child.ts', args, join(this.#road.data, 'compiled'), (said) => this.#hear(life, said));
      this.#life = life;
      await life.gone;
      if (life.diedAt !== undefined) this.#point = undefined;
      else if (life.fault !== undefined && !life.hasStopped) this.faults.push(life.fault);
    }
  }

  async end(): Promise<void> {
    this.#isOver = true;
    this.#life?.kill();
    await this.#life?.gone;
  }

  /** Has it take a release, and die at a point of that. @returns what came of it. */
  async take(software: Software, from: 'gateway' | 'medium', point: string, passed: number): Promise<string> {
    const path = join(from === 'medium' ? join(this.slots.dir, 'media') : this.#road.data, `${software.version}.vrelease`);
    this.#point = [point, passed];
    // The life that runs now is to know of it.
    this.#life?.kill();
    await this.#life?.gone;
    const { digest, lengthBytes } = await bundleOf(path, software);
    if (from === 'gateway') this.#rollOut(software.version, Buffer.from(digest).toString('hex'), lengthBytes, path);
    const told = telling(`release ${software.version} to be done with, killed at ${point}`);
    for (; this.#memory.last?.version !== software.version || this.#point !== undefined; told()) await pause();
    if (from === 'medium') rmSync(path);
    return this.#memory.last.outcome;
  }

  get #memory(): Memory {
    try {
      return JSON.parse(readFileSync(join(this.#road.dirOf('kiosk'), 'update.json'), 'utf8')) as Memory;
    } catch {
      return {};
    }
  }

  #rollOut(version: string, digest: string, lengthBytes: number, path: string): void {
    if ((this.#book.newest()?.state ?? 'stopped') !== 'stopped') this.#book.stop();
    new BundleShelf(gatewayPaths(this.#road.gatewayDir).releases).put(digest, path);
    this.#book.start(
      { digest, version, board: BOARD, lengthBytes, percent: 100, kiosks: [], venues: [], mostFailed: 9, atOnce: 10 },
      this.#road.clock.wall(),
    );
  }

  #config(software: Software): object {
    return {
      dataDir: this.#road.dirOf('kiosk'),
      trustPath: software.isBroken ? this.#wrongTrust() : this.#road.trustPath,
      scanners: [{ kind: 'standard-input' }],
      page: { isOn: false },
      uplink: { firstBackoffMs: 10, longestBackoffMs: 100 },
      updates: this.slots.updates,
    };
  }

  #wrongTrust(): string {
    const trust = parseTrust(readFileSync(this.#road.trustPath, 'utf8'));
    const path = join(this.slots.dir, 'wrong-trust.json');
    // Where it was reached last is known from before.
    rmSync(join(this.#road.dirOf('kiosk'), 'gateway.json'), { force: true });
    writeFileSync(path, formatTrust({ ...trust, gateway: { ...trust.gateway, port: 1 } }));
    return path;
  }

  #hear(life: Mortal, { isReady, kind, keyId, seq }: Said): void {
    if (keyId !== undefined && seq !== undefined) this.promised.push(rowName(this.#kiosk, Buffer.from(keyId, 'hex'), seq));
    else if (kind !== undefined) this.faults.push(`a card was answered with ${kind}`);
    for (let some = 0; isReady === true && some < 3; some++) {
      this.#cards += 1;
      life.type(this.#road.textOf(cardOf(this.#cards)));
    }
  }
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));

t.test(`update: killed at every step, a kiosk keeps what holds, leaves what does not, and loses nothing (seed ${seed})`, async (t) => {
  const road = await Road.open(t);
  const kiosk = await road.admit('kiosk');
  const registry = await openRegistry(road.gatewayDir);
  t.teardown(() => registry.close());
  const machine = new Machine(road, kiosk, registry.rolloutBook);
  const running = machine.run();
  let release = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const [at, [point, most]] of GOOD_STEPS.entries()) {
      release += 1;
      const version = `1.${release}.0`;
      const from = (at + round) % 2 === 0 ? 'gateway' : 'medium';
      const outcome = await machine.take({ version }, from, point, Math.floor(random() * (most + 1)));
      t.equal(outcome, 'kept', `${point}, ${from}`);
    }
    for (const point of BAD_STEPS) {
      release += 1;
      const version = `1.${release}.0`;
      t.equal(await machine.take({ version, isBroken: true }, 'gateway', point, 0), 'failed', `${point}, which does not hold`);
    }
  }
  await machine.end();
  await running;
  t.match(machine.slots.start().software, { version: `1.${release - BAD_STEPS.length}.0` }, 'what it starts from is the last that held');
  t.strictSame(machine.faults, []);
  const last = await road.startKiosk('kiosk', {}, { version: '9.0.0' });
  await road.delivered('kiosk');
  await last.stop();
  const { rows, quarantined } = await road.audit();
  const names = rows.map(({ name }) => name);
  t.ok(machine.promised.length > release, `${machine.promised.length} promised`);
  t.strictSame(
    machine.promised.filter((name) => !names.includes(name)),
    [],
    'nothing promised is lost',
  );
  t.equal(new Set(names).size, names.length, 'nothing counts twice');
  t.equal(quarantined, 0);
});
