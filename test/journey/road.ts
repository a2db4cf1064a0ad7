/**
 * The whole road in one process: real kiosks, a real gateway over TLS on the loopback, a real core, real files. Waits are real and short;
 * how late it is can be moved on, so that a visit of an hour takes none.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { type Core, openCore } from '../../core/core.ts';
import { makeCoreKeys } from '../../core/keys.ts';
import { type GatewayConfigInput, parseGatewayConfig } from '../../gateway/config.ts';
import { openIdentity as openGatewayIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { Registry } from '../../gateway/registry.ts';
import { type RunningGateway, runGateway } from '../../gateway/run-gateway.ts';
import type { GatewayState } from '../../gateway/state-board.ts';
import type { Feedback } from '../../kiosk/feedback.ts';
import { openIdentity as openKioskIdentity } from '../../kiosk/kiosk-identity.ts';
import type { RunKioskOptions } from '../../kiosk/run-kiosk.ts';
import { signCard, signStaffCard, signSticker } from '../../protocol/card.ts';
import { encodeCode, type StaffCommand } from '../../protocol/code.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import {
  type DeploymentId,
  type EntranceId,
  type KioskId,
  newPlaceId,
  newVenueId,
  type VenueId,
  type VisitorUuid,
} from '../../protocol/ids.ts';
import { type Log, silentLog } from '../../protocol/log.ts';
import { type Clock, systemClock } from '../../protocol/time.ts';
import type { EpochMillis, MonotonicMillis } from '../../protocol/units.ts';
import { uuidOfPublicKey } from '../../protocol/visitor.ts';
import { type RunningKiosk, startKiosk } from '../kiosk/running-kiosk.ts';
import { auditRoad, type RoadAudit, rowName } from '../support/audit-road.ts';
import { countUnsent, sentAgainVersion } from '../support/count-unsent.ts';
import { tellIfLong, telling } from '../support/until.ts';

/** The machine's clock, some time ahead: waits take as long as they take. */
export class AheadClock implements Clock {
  #aheadMs = 0;
  readonly sleep = systemClock.sleep;
  readonly after = systemClock.after;
  wall = (): EpochMillis => (systemClock.wall() + this.#aheadMs) as EpochMillis;
  monotonic = (): MonotonicMillis => (systemClock.monotonic() + this.#aheadMs) as MonotonicMillis;

  /** Makes it later by so much, for everybody at once. */
  pass(byMs: number): void {
    this.#aheadMs += byMs;
  }
}

type Sinks = NonNullable<GatewayConfigInput['sinks']>;

interface Teardown {
  testdir(): string;
  teardown(run: () => unknown): void;
}

/** @returns the card of visitor number `index`: always the same one. */
export const cardOf = (index: number): VisitorUuid => uuidOfPublicKey(Buffer.from(`visitor ${index}`));
export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export class Road {
  readonly clock = new AheadClock();
  readonly venue = newPlaceId<VenueId>();
  readonly #data: string;
  readonly #issuerKey = generateSigningKey();
  readonly #running = new Set<RunningKiosk>();
  #stopping = new AbortController();
  #gateway: RunningGateway | undefined;
  #core: Core | undefined;
  #sinks: Sinks | undefined;

  private constructor(data: string) {
    this.#data = data;
  }

  /** @param sinks of a gateway; its core is elsewhere where none of them is the core here. Made when its deployment is known. @param directory another than the test's own. */
  static async open(
    t: Teardown,
    {
      sinks,
      directory = t.testdir(),
    }: { readonly sinks?: (deployment: DeploymentId) => Promise<Sinks> | Sinks; readonly directory?: string } = {},
  ): Promise<Road> {
    const road = new Road(directory);
    if (sinks !== undefined) road.#sinks = await sinks((await openGatewayIdentity(road.gatewayDir)).deployment);
    await road.startGateway();
    t.teardown(() => road.close());
    return road;
  }

  get core(): Core {
    if (this.#core === undefined) throw new Error('road: closed');
    return this.#core;
  }

  get gateway(): RunningGateway {
    if (this.#gateway === undefined) throw new Error('road: closed');
    return this.#gateway;
  }

  /** As the gateway wrote it. */
  get trustPath(): string {
    return gatewayPaths(join(this.#data, 'gateway')).trust;
  }

  /** A client of the gateway's operators; ends with the gateway. */
  async operator(): Promise<MqttClient> {
    const password = readFileSync(join(this.#data, 'gateway', 'operator.txt'), 'utf8').trim();
    const { tcpPort } = this.gateway;
    return await connectAsync({ host: '127.0.0.1', port: tcpPort, username: 'operator', password, reconnectPeriod: 0 });
  }

  /** What gateway, core and kiosks keep, each in its directory. */
  get data(): string {
    return this.#data;
  }

  /** The gateway's directory. */
  get gatewayDir(): string {
    return join(this.#data, 'gateway');
  }

  /** A new venue whose id begins as this gateway's do. */
  ownVenue(): VenueId {
    return newVenueId(this.gateway.trust.deployment);
  }

  async startGateway(log: Log = silentLog): Promise<void> {
    const config = parseGatewayConfig({
      directory: join(this.#data, 'gateway'),
      publicHost: '127.0.0.1',
      tls: { host: '127.0.0.1', port: this.#gateway?.tlsPort ?? 0 },
      tcp: { port: 0 },
      issuers: [Buffer.from(rawPublicKey(this.#issuerKey)).toString('base64url')],
      ...(this.#sinks && { sinks: this.#sinks }),
    });
    const { deployment } = await openGatewayIdentity(config.directory);
    const { clock } = this;
    this.#stopping = new AbortController();
    if (this.#sinks?.every(({ kind }) => kind !== 'core') === true) {
      this.#gateway = await runGateway(config, { clock, log }, this.#stopping.signal);
      return;
    }
    const keys = await makeCoreKeys(join(this.#data, 'core', 'keys'));
    this.#core = await openCore({ dir: join(this.#data, 'core'), deployment, keys, clock, log: silentLog });
    const { holder, notices } = this.#core;
    const revocations = this.#core.revocationsFor();
    const doors = { clock, log, intake: this.#core, revocations, holder, notices, recipients: [keys.recipient] };
    this.#gateway = await runGateway(config, doors, this.#stopping.signal);
  }

  /** The text of a card. */
  textOf(card: VisitorUuid): string {
    return encodeCode(signCard(card, this.gateway.trust.deployment, this.#issuerKey));
  }

  /** The text of a sticker, 16 bytes. */
  textOfSticker(sticker: Uint8Array): string {
    return encodeCode(signSticker(sticker, this.gateway.trust.deployment, this.#issuerKey));
  }

  /** The text of a staff card. */
  textOfStaff(command: StaffCommand): string {
    return encodeCode(signStaffCard(cardOf(-1), command, this.gateway.trust.deployment, this.#issuerKey));
  }

  dirOf(name: string): string {
    const dir = join(this.#data, name);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return dir;
  }

  /** Copies all of a stopped kiosk, as a card writer would. */
  copy(from: string, to: string): void {
    cpSync(this.dirOf(from), this.dirOf(to), { recursive: true });
  }

  /** @param venue the road's own where it is left out. */
  async admit(name: string, venue = this.venue): Promise<KioskId> {
    const { kiosk, publicKey } = openKioskIdentity(this.dirOf(name));
    const directory = join(this.#data, 'gateway');
    const { storeKey } = await openGatewayIdentity(directory);
    const registry = new Registry(gatewayPaths(directory).registry, storeKey);
    registry.putVenue({ id: venue, name: 'Shop', timezone: 'UTC' });
    const entrance = newPlaceId<EntranceId>();
    const admission = { kiosk, publicKey, venue, entrance, direction: 'both', dwellMs: 7_200_000 } as const;
    registry.admit(admission, this.clock.wall());
    registry.close();
    return kiosk;
  }

  async startKiosk(name: string, json: object = {}, options: Partial<RunKioskOptions> = {}): Promise<RunningKiosk> {
    const settings = { dataDir: this.dirOf(name), trustPath: this.trustPath, ...json };
    const kiosk = await startKiosk(settings, { clock: this.clock, isClockSynced: () => true, ...options });
    const stop = async (): Promise<void> => {
      this.#running.delete(kiosk);
      await kiosk.stop();
    };
    const stoppable = { ...kiosk, stop };
    this.#running.add(kiosk);
    return stoppable;
  }

  /** Starts a kiosk that says that it is `kiosk`, with a key of its own. */
  async startThief(name: string, kiosk: KioskId): Promise<RunningKiosk> {
    const dir = this.dirOf(name);
    rmSync(join(dir, 'kiosk.key'));
    rmSync(join(dir, 'kiosk.json'));
    const { publicKey } = openKioskIdentity(dir);
    writeFileSync(join(dir, 'kiosk.json'), JSON.stringify({ kiosk, publicKey: Buffer.from(publicKey).toString('base64url') }));
    return await this.startKiosk(name);
  }

  /** Waits until the gateway has all that a kiosk holds. */
  async delivered(name: string): Promise<void> {
    const told = telling(`what ${name} holds is delivered`);
    for (; countUnsent(join(this.dirOf(name), 'outbox.db')) > 0; told()) await pause();
  }

  /** Waits until a kiosk has been asked to send again what the gateway lacks, and has taken it back into its queue. */
  async askedAgain(name: string): Promise<void> {
    const told = telling(`${name} to be asked to send again`);
    for (; sentAgainVersion(join(this.dirOf(name), 'outbox.db')) === 0; told()) await pause();
  }

  /** Waits until the core has all that the gateway holds, and the gateway says what is asked for of its state. */
  async state(isIt: (state: GatewayState) => boolean = () => true): Promise<GatewayState> {
    const path = gatewayPaths(join(this.#data, 'gateway')).state;
    const told = telling(`the gateway's state: ${isIt}`);
    for (; ; told()) {
      const state = JSON.parse(readFileSync(path, 'utf8')) as GatewayState;
      if (Object.values(state.sinks).every(({ behindEntries }) => behindEntries === 0) && isIt(state)) return state;
      await pause();
    }
  }

  /** Waits until the gateway has died of a bug. */
  async gatewayDied(): Promise<void> {
    await this.gateway.done.catch(() => {});
    this.#core?.close();
  }

  async stopGateway(): Promise<void> {
    this.#stopping.abort();
    await tellIfLong('the gateway to stop', this.#gateway?.done ?? Promise.resolve());
    this.#core?.close();
  }

  /** Stops what still runs. Closing twice is not an error. */
  async close(): Promise<void> {
    for (const kiosk of this.#running) await kiosk.stop();
    this.#running.clear();
    await this.stopGateway();
  }

  /** Stops everything and counts what arrived. */
  async audit(): Promise<RoadAudit> {
    await this.close();
    return await auditRoad(this.#data);
  }
}

export const promisedBy = ({ ready, feedback }: { ready: { kiosk: KioskId }; feedback: readonly Feedback[] }): string[] =>
  feedback.flatMap(({ keyId, seq }) => (keyId === undefined || seq === undefined ? [] : [rowName(ready.kiosk, keyId, seq)]));

/** Between two looks at a file that another part writes. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));
