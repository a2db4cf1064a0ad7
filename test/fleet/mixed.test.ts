/**
 * A fleet while it is updated, as processes of three releases: the last one of the wire's first revision, this one, and the one that would follow
 * it (revisions 2 and 3). The gateway goes from the first to the third; the kiosks of one venue go to the third through a rollout whose first
 * release does not hold, those of the other later; one kiosk is never updated. Cards are shown at each door all the while.
 * In the end: nothing promised is lost, nothing counts twice, and doors, ledger and core count the same.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Rollout, RolloutBook } from '../../gateway/rollout/rollout-book.ts';
import { openRegistry } from '../../gateway/status.ts';
import { openIdentity } from '../../kiosk/kiosk-identity.ts';
import { signCard } from '../../protocol/card.ts';
import { encodeCode } from '../../protocol/code.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import type { KioskId } from '../../protocol/ids.ts';
import { CHUNK_BYTES } from '../../protocol/release.ts';
import { formatReleaseKey } from '../../protocol/release-key.ts';
import { parseVersion } from '../../protocol/release-version.ts';
import { systemClock } from '../../protocol/time.ts';
import { parseTrust } from '../../protocol/trust.ts';
import { OUR_WIRE, type WireRevisions } from '../../protocol/wire-revision.ts';
import { makeBundle } from '../../workshop/release/make-bundle.ts';
import { cardOf } from '../journey/road.ts';
import { auditRoad } from '../support/audit-road.ts';
import { VestibuleProcess } from '../support/child.ts';
import { countUnsent } from '../support/count-unsent.ts';
import { BOARD, releaseKey } from '../support/slot-machine.ts';
import { Machine, type MachineDoors } from './machine.ts';
import { copyOfThis, packed, treeOfNext, treeOfRevision1 } from './release-tree.ts';

const NEXT_WIRE = { least: OUR_WIRE.greatest, greatest: OUR_WIRE.greatest + 1 };
/** A release after the next one. */
const FAR_WIRE = { least: OUR_WIRE.greatest + 1, greatest: OUR_WIRE.greatest + 2 };
const LONGEST_WAIT_MS = 300_000;

class Fleet {
  readonly machines = new Map<string, { readonly machine: Machine; readonly kiosk: KioskId }>();
  readonly #root: string;
  readonly #issuerKey = generateSigningKey();
  readonly #signed: string;
  #gateway: VestibuleProcess | undefined;
  #tree = '';
  #cards = 0;

  constructor(t: Test) {
    this.#root = t.testdir();
    this.#signed = join(this.#root, 'release.pub');
    writeFileSync(this.#signed, formatReleaseKey(rawPublicKey(releaseKey)));
    const issuers = [Buffer.from(rawPublicKey(this.#issuerKey)).toString('base64url')];
    writeFileSync(join(this.#root, 'gateway.json'), JSON.stringify({ publicHost: '127.0.0.1', issuers }));
    t.teardown(async () => {
      for (const { machine } of this.machines.values()) await machine.destroy();
      await this.#gateway?.end('SIGKILL');
    });
  }

  get data(): string {
    return join(this.#root, 'data');
  }

  path(name: string): string {
    return join(this.#root, name);
  }

  /** Starts a release as the gateway, in the place of the one that runs. */
  async gatewayOf(tree: string): Promise<void> {
    await this.#gateway?.end('SIGTERM');
    const port = this.#gateway === undefined ? 0 : this.#trust().gateway.port;
    const ports = ['--tls-port', String(port), '--tcp-port', '0', '--web-port', '0', '--rest-port', '0'];
    const args = ['gateway', 'run', '--data', this.data, '--config', this.path('gateway.json'), ...ports, '--log', 'error'];
    this.#tree = tree;
    this.#gateway = new VestibuleProcess(args, { tree });
    await this.#gateway.line((line) => line.startsWith('gateway ready'));
  }

  /** A command of the gateway's release. */
  async command(...args: readonly string[]): Promise<string> {
    return await VestibuleProcess.run([...args, '--data', this.data], '', {}, this.#tree);
  }

  async addVenue(name: string): Promise<string> {
    const [venue = ''] = (await this.command('venue', 'add', '--name', name, '--timezone', 'UTC')).split(' ');
    return venue;
  }

  async addKiosk(name: string, venue: string, software: Uint8Array | string): Promise<void> {
    const { deployment } = this.#trust();
    const doors: MachineDoors = {
      trees: this.path('trees'),
      trust: join(this.data, 'gateway', 'trust.json'),
      keys: [this.#signed],
      nextCard: () => {
        this.#cards += 1;
        return encodeCode(signCard(cardOf(this.#cards), deployment, this.#issuerKey));
      },
    };
    const machine = new Machine(this.path(name), software, doors);
    const dir = join(machine.data, 'kiosk');
    mkdirSync(dir, { mode: 0o700 });
    const { kiosk } = openIdentity(dir);
    await this.command('gateway', 'admit', join(dir, 'kiosk.json'), '--venue', venue, '--direction', 'in');
    this.machines.set(name, { machine, kiosk });
    machine.start(kiosk);
  }

  kiosk(name: string): { readonly machine: Machine; readonly kiosk: KioskId } {
    const found = this.machines.get(name);
    if (found === undefined) throw new Error(`no kiosk ${name}`);
    return found;
  }

  /** Waits until each of these doors has promised some more cards, and the gateway has what it had promised before that. */
  async deliver(names: Iterable<string> = this.machines.keys()): Promise<void> {
    await Promise.all(
      [...names].map(async (name) => {
        const { machine } = this.kiosk(name);
        const from = machine.promised.length;
        await this.wait(`${name} to take cards, and to hand them over`, () => {
          const more = machine.promised.length - from;
          return more >= 3 && countUnsent(join(machine.data, 'kiosk', 'outbox.db')) < more;
        });
      }),
    );
  }

  /** No more cards at these doors; resolves once all that they promised is handed over and they have ended. */
  async close(names: Iterable<string>): Promise<void> {
    await Promise.all(
      [...names].map(async (name) => {
        const { machine } = this.kiosk(name);
        machine.quiet();
        await this.wait(`${name} to hand over all`, () => countUnsent(join(machine.data, 'kiosk', 'outbox.db')) === 0);
        await machine.end();
      }),
    );
  }

  async stopGateway(): Promise<void> {
    await this.wait('the core to have all', () => {
      const { sinks } = JSON.parse(readFileSync(join(this.data, 'gateway', 'state.json'), 'utf8')) as {
        sinks: Record<string, { behindEntries: number }>;
      };
      return Object.values(sinks).every(({ behindEntries }) => behindEntries === 0);
    });
    await this.#gateway?.end('SIGTERM');
  }

  /** @throws with what was waited for, and what the doors complain of, after five minutes. */
  async wait(what: string, isSo: () => boolean): Promise<void> {
    const lastMs = performance.now() + LONGEST_WAIT_MS;
    while (!isSo()) {
      if (performance.now() > lastMs || this.#gateway?.hasEnded === true)
        throw new Error(`waited for ${what}; ${this.faults.join('; ')}; the gateway: ${this.#gateway?.written.slice(-2_000)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  get faults(): string[] {
    return [...this.machines].flatMap(([name, { machine }]) => machine.faults.map((fault) => `${name} ${fault}`));
  }

  /** @returns a signed bundle of a release. */
  async bundle(version: string, wire: WireRevisions, software: Uint8Array): Promise<string> {
    const path = this.path(`${version}.vrelease`);
    writeFileSync(`${path}.root`, software);
    const parts = [{ name: 'root', path: `${path}.root` }];
    await makeBundle({ version: parseVersion(version), board: BOARD, wire, chunkBytes: CHUNK_BYTES.greatest, parts }, releaseKey, path);
    return path;
  }

  async rollOut(bundle: string, ...more: readonly string[]): Promise<void> {
    await this.command('rollout', 'start', bundle, '--key', this.#signed, ...more);
  }

  #trust() {
    return parseTrust(readFileSync(join(this.data, 'gateway', 'trust.json'), 'utf8'));
  }
}

/** How far a rollout is, as the gateway's registry says. */
class Told {
  readonly #book: RolloutBook;

  constructor(book: RolloutBook) {
    this.#book = book;
  }

  get newest(): Rollout | undefined {
    return this.#book.newest();
  }

  /** Kiosk to phase, of the last rollout. */
  get phases(): ReadonlyMap<KioskId, string> {
    const steps = this.#book.steps(this.newest?.number ?? 0);
    return new Map(steps.map(({ kiosk, phase, why }) => [kiosk, why === undefined ? phase : `${phase} ${why}`]));
  }
}

t.test('fleet: releases one apart deliver all the while a rollout goes on, pauses, and is gone on with', async (t) => {
  const beganMs = systemClock.monotonic();
  const fleet = new Fleet(t);
  const say = (what: string) => t.comment(`${((systemClock.monotonic() - beganMs) / 1_000).toFixed(1)} s: ${what}`);
  const first = treeOfRevision1(fleet.path('revision-1'));
  const here = copyOfThis(fleet.path('here'));
  const next = treeOfNext(fleet.path('next'), { version: '0.2.1', wire: NEXT_WIRE });
  const broken = treeOfNext(fleet.path('broken'), { version: '0.2.0', wire: NEXT_WIRE, isBroken: true });

  await fleet.gatewayOf(first);
  const [east, west] = [await fleet.addVenue('East'), await fleet.addVenue('West')];
  const software = packed(here);
  await fleet.addKiosk('old', west, first);
  for (const name of ['east-1', 'east-2']) await fleet.addKiosk(name, east, software);
  for (const name of ['west-1', 'west-2']) await fleet.addKiosk(name, west, software);
  await fleet.deliver();
  say('a gateway of the release before, kiosks of two releases');

  await fleet.gatewayOf(here);
  await fleet.deliver();
  say('the gateway is of this release');
  const registry = await openRegistry(join(fleet.data, 'gateway'));
  t.teardown(() => registry.close());
  const told = new Told(registry.rolloutBook);
  const idOf = (name: string) => fleet.kiosk(name).kiosk;

  await fleet.rollOut(await fleet.bundle('0.2.0', NEXT_WIRE, packed(broken)), '--venue', east, '--at-once', '1');
  await fleet.wait('the rollout to pause', () => told.newest?.state === 'paused');
  t.match([...told.phases.values()], ['failed release.not_healthy'], 'one kiosk tried what does not hold, and no other');
  t.match(told.newest, { version: '0.2.0', why: 'release.too_many_failed' });
  await fleet.deliver();
  say('a release did not hold, and the rollout paused');

  await fleet.command('rollout', 'stop');
  await fleet.rollOut(await fleet.bundle('0.2.1', NEXT_WIRE, packed(next)), '--venue', east, '--to', '1');
  await fleet.command('rollout', 'go-on', '--to', '100');
  await fleet.wait('East to keep it', () => ['east-1', 'east-2'].every((name) => told.phases.get(idOf(name)) === 'kept'));
  t.equal(told.phases.size, 2, 'West was not told of it');
  await fleet.deliver();
  say('three releases at a gateway of the middle one');

  await fleet.command('rollout', 'stop');
  await fleet.rollOut(await fleet.bundle('0.9.0', FAR_WIRE, Buffer.from('never unpacked')), '--venue', east);
  await fleet.wait('East to refuse it', () => told.newest?.state === 'paused');
  // Who refuses first pauses it: another may not have answered by then.
  const answers = [...told.phases.values()].filter((phase) => phase !== 'offered');
  t.strictSame(new Set(answers), new Set(['refused release.wire_new']), 'one that would not hear its gateway is refused');
  await fleet.command('rollout', 'stop');

  await fleet.close(['old']);
  await fleet.gatewayOf(next);
  const fresh = ['east-1', 'east-2', 'west-1', 'west-2'];
  await fleet.deliver(fresh);
  say('the gateway is of the next release, West still of this one');
  await fleet.rollOut(fleet.path('0.2.1.vrelease'), '--venue', west);
  await fleet.wait('West to keep it', () => ['west-1', 'west-2'].every((name) => told.phases.get(idOf(name)) === 'kept'));
  await fleet.deliver(fresh);
  say('all are of the next release');
  await fleet.close(fresh);
  await fleet.stopGateway();

  t.strictSame(fleet.faults, []);
  for (const name of fresh) t.equal(fleet.kiosk(name).machine.lasting, 'b', `${name} starts from its other slot for good`);
  const { rows, quarantined, scans } = await auditRoad(fleet.data);
  const visits = rows.filter(({ event }) => event.type === 'check-in').map(({ name }) => name);
  const promised = [...fleet.machines.values()].flatMap(({ machine }) => machine.promised);
  say(`${promised.length} promised`);
  t.strictSame(visits.toSorted(), promised.toSorted(), 'the ledger has what the doors promised, each once');
  t.strictSame(scans.map(({ name }) => name).toSorted(), promised.toSorted(), 'and so has the core');
  t.equal(new Set(rows.map(({ name }) => name)).size, rows.length, 'no row counts twice');
  t.equal(new Set(rows.map(({ nonce }) => nonce)).size, rows.length, 'no nonce was used twice');
  t.equal(quarantined, 0);
});
