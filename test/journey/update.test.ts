/**
 * A release on its whole way: from the gateway in pieces over TLS, and from a stick; into the other slot, tried, kept or left; while cards are
 * scanned. Kiosks and gateway are whole ones in this process. Killed at every step: test/crash/update.test.ts.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { gatewayPaths } from '../../gateway/paths.ts';
import { BundleShelf } from '../../gateway/rollout/bundle-shelf.ts';
import type { RolloutBook, RolloutOrder, RolloutStep } from '../../gateway/rollout/rollout-book.ts';
import { openRegistry } from '../../gateway/status.ts';
import type { KioskId } from '../../protocol/ids.ts';
import { formatTrust, parseTrust } from '../../protocol/trust.ts';
import type { RunningKiosk } from '../kiosk/running-kiosk.ts';
import { BOARD, bundleOf, SlotMachine, type Software } from '../support/slot-machine.ts';
import { telling } from '../support/until.ts';
import { cardOf, promisedBy, Road } from './road.ts';

/** The gateway's, opened beside it as a command does. */
async function openBook(t: Test, road: Road): Promise<RolloutBook> {
  const registry = await openRegistry(road.gatewayDir);
  t.teardown(() => registry.close());
  return registry.rolloutBook;
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));

async function untilSoon(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const told = telling(what);
  for (; !(await isSo()); told()) await pause();
}

/** A kiosk that is started anew from the slot that it chose, until the test ends. */
class Updated {
  readonly machine: SlotMachine;
  readonly promised: string[] = [];
  readonly starts: string[] = [];
  readonly #road: Road;
  readonly #name: string;
  #kiosk: Promise<RunningKiosk> | undefined;

  constructor(t: Test, road: Road, name: string, version: string) {
    this.#road = road;
    this.#name = name;
    this.machine = new SlotMachine(join(road.dirOf(name), 'machine'), { version });
    t.teardown(() => this.stop());
  }

  start(): Promise<RunningKiosk> {
    const { software, slot } = this.machine.start();
    this.starts.push(`${slot} ${software.version}`);
    const json = { updates: this.machine.updates, ...(software.isBroken && { trustPath: this.#wrongTrust() }) };
    const again = () => {
      this.#kiosk = this.stop().then(() => this.start());
    };
    this.#kiosk = this.#road.startKiosk(this.#name, json, { version: software.version, restartMachine: again });
    return this.#kiosk;
  }

  async scan(card: number): Promise<string | undefined> {
    return await (await this.#kiosk)?.scan(this.#road.textOf(cardOf(card)));
  }

  async stop(): Promise<void> {
    const kiosk = await this.#kiosk;
    this.#kiosk = undefined;
    if (kiosk === undefined) return;
    this.promised.push(...promisedBy(kiosk));
    await kiosk.stop();
  }

  get memory(): { readonly work?: { readonly phase: string }; readonly last?: { readonly outcome: string; readonly why?: string } } {
    try {
      return JSON.parse(readFileSync(join(this.#road.dirOf(this.#name), 'update.json'), 'utf8'));
    } catch {
      return {};
    }
  }

  /** Where nobody answers. */
  #wrongTrust(): string {
    const trust = parseTrust(readFileSync(this.#road.trustPath, 'utf8'));
    const path = join(this.machine.dir, 'wrong-trust.json');
    // Where it was reached last is known from before.
    rmSync(join(this.#road.dirOf(this.#name), 'gateway.json'), { force: true });
    writeFileSync(path, formatTrust({ ...trust, gateway: { ...trust.gateway, port: 1 } }));
    return path;
  }
}

async function rollOut(road: Road, book: RolloutBook, path: string, software: Software, more: Partial<RolloutOrder> = {}): Promise<void> {
  const { digest, lengthBytes } = await bundleOf(path, software);
  const name = Buffer.from(digest).toString('hex');
  new BundleShelf(gatewayPaths(road.gatewayDir).releases).put(name, path);
  const order = {
    digest: name,
    version: software.version,
    board: BOARD,
    lengthBytes,
    percent: 100,
    kiosks: [],
    venues: [],
    mostFailed: 0,
    atOnce: 10,
  };
  book.start({ ...order, ...more }, road.clock.wall());
}

const stepsOf = (book: RolloutBook): readonly RolloutStep[] => book.steps(book.newest()?.number ?? 0);
const phaseOf = (book: RolloutBook, kiosk: KioskId): string | undefined => stepsOf(book).find((step) => step.kiosk === kiosk)?.phase;

t.test(
  'update: a release goes from the gateway to a kiosk, is tried and kept, and every scan before and after is delivered once',
  async (t) => {
    const road = await Road.open(t);
    const kiosk = await road.admit('kiosk');
    const updated = new Updated(t, road, 'kiosk', '1.0.0');
    await updated.start();
    t.equal(await updated.scan(1), 'welcome');
    const book = await openBook(t, road);
    await rollOut(road, book, join(road.data, 'next.vrelease'), { version: '1.1.0' });
    await untilSoon('the release to be kept', () => phaseOf(book, kiosk) === 'kept');
    t.equal(await updated.scan(2), 'welcome');
    await road.delivered('kiosk');
    await updated.stop();
    t.strictSame(updated.starts, ['a 1.0.0', 'b 1.1.0']);
    t.strictSame(updated.machine.start(), { slot: 'b', software: { version: '1.1.0' } }, 'it is what the machine starts from now');
    const { rows } = await road.audit();
    const names = rows.map(({ name }) => name);
    t.equal(new Set(names).size, names.length);
    t.strictSame(
      updated.promised.filter((name) => !names.includes(name)),
      [],
      'keys and outbox are those from before',
    );
  },
);

t.test(
  'update: one that reaches no gateway goes back by itself, is tried once more, is told of, pauses the rollout, and is not tried again',
  async (t) => {
    const road = await Road.open(t);
    const kiosk = await road.admit('kiosk');
    const updated = new Updated(t, road, 'kiosk', '1.0.0');
    await updated.start();
    const book = await openBook(t, road);
    await rollOut(road, book, join(road.data, 'bad.vrelease'), { version: '1.1.0', isBroken: true });
    await untilSoon('the failure to be known', () => phaseOf(book, kiosk) === 'failed');
    await untilSoon('the rollout to pause', () => book.newest()?.state === 'paused');
    t.match(stepsOf(book), [{ kiosk, phase: 'failed', why: 'release.not_healthy' }]);
    const twice = ['a 1.0.0', 'b 1.1.0', 'a 1.0.0', 'b 1.1.0', 'a 1.0.0'];
    t.strictSame(updated.starts, twice, 'the first time it may have been the gateway');
    t.match(updated.memory, { last: { outcome: 'failed', why: 'release.not_healthy' } });
    book.goOn(undefined);
    t.equal(await updated.scan(1), 'welcome');
    await road.delivered('kiosk');
    t.match(updated.memory, { failed: [{ version: '1.1.0' }], last: { outcome: 'failed' } });
    t.equal(updated.starts.length, twice.length, 'what did not hold is not tried again');
  },
);
