/**
 * A whole house in this process, with real stores and sockets: gateway and core on one clock, a kiosk on the same or another, and a cable
 * between them. Time moves by hand; what the network brings is waited for while it moves.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { openIssuer } from '../../cards/issuer.ts';
import { type DataPaths, dataPaths, gatewayIdentity } from '../../cli/data-paths.ts';
import { type GatewayAndCore, runGatewayAndCore } from '../../cli/run-gateway-and-core.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { Registry } from '../../gateway/registry.ts';
import type { GatewayState } from '../../gateway/state-board.ts';
import type { Feedback } from '../../kiosk/feedback.ts';
import { openIdentity } from '../../kiosk/kiosk-identity.ts';
import type { RunKioskOptions } from '../../kiosk/run-kiosk.ts';
import { en } from '../../kiosk/screen/languages/en.ts';
import { signCard } from '../../protocol/card.ts';
import { encodeCode } from '../../protocol/code.ts';
import { type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { decodeKioskState, type KioskStateReport } from '../../protocol/kiosk-state.ts';
import { GATEWAY_STATE_TOPIC, topicOf } from '../../protocol/topics.ts';
import { cardOf } from '../kiosk/fixtures.ts';
import { type RunningKiosk, startKiosk } from '../kiosk/running-kiosk.ts';
import { auditRoad, type RoadAudit, rowName } from '../support/audit-road.ts';
import { type CuttableLink, openCuttableLink } from '../support/cuttable-link.ts';
import { LogRecorder } from '../support/log-recorder.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** So much time passes in each look: the network needs some turns of the event loop, and no wait of the product is to end before it. */
const STEP_MS = 20;
const KEPT_OFFLINE = new RegExp(en.storedOffline.replaceAll('.', '\\.'));

export { KEPT_OFFLINE };

interface Test {
  teardown(run: () => Promise<void>): void;
  testdir(): string;
}

export class House {
  readonly paths: DataPaths;
  readonly clock = new ManualClock();
  /** Of the kiosk, where it is to differ from the gateway's. */
  readonly kioskClock: ManualClock;
  readonly log = new LogRecorder();
  /** Every answer that any start of the kiosk gave. */
  readonly feedback: Feedback[] = [];
  /** Everything that the kiosk's terminal showed. */
  readonly shown: string[] = [];
  kioskId = '' as KioskId;
  /** The gateway's state and the kiosk's, as operators were last told. */
  gatewayState: GatewayState | undefined;
  kioskState: KioskStateReport | undefined;
  #issuer: ReturnType<typeof openIssuer> | undefined;
  #cable: CuttableLink | undefined;
  #tlsPort = 0;
  #kiosk: RunningKiosk | undefined;
  #gateway: { readonly running: GatewayAndCore; readonly stop: () => Promise<void> } | undefined;

  private constructor(root: string, kioskClock: ManualClock | undefined) {
    this.paths = dataPaths(root);
    this.kioskClock = kioskClock ?? this.clock;
  }

  /** A kiosk that is admitted; nothing runs yet. @param root where gateway, core and kiosk keep what they keep. */
  static async open(t: Test, { kioskClock, root = t.testdir() }: { kioskClock?: ManualClock; root?: string } = {}): Promise<House> {
    const house = new House(root, kioskClock);
    t.teardown(() => house.close());
    const { paths } = house;
    house.#issuer = openIssuer(paths.issuer);
    house.#tlsPort = await freePort();
    house.#cable = await openCuttableLink(() => house.#tlsPort);
    // A first start makes the keys and the trust document.
    await house.startGateway();
    house.#pointAtCable();
    mkdirSync(paths.kiosk, { recursive: true, mode: 0o700 });
    const { kiosk, publicKey } = openIdentity(paths.kiosk);
    house.kioskId = kiosk;
    const registry = new Registry(gatewayPaths(paths.gateway).registry, (await gatewayIdentity(paths)).storeKey);
    const venue = newPlaceId<VenueId>();
    registry.putVenue({ id: venue, name: 'Library', timezone: 'UTC' });
    const door = { venue, entrance: newPlaceId<EntranceId>(), direction: 'both', dwellMs: 3_600_000 } as const;
    registry.admit({ kiosk, publicKey, ...door }, house.clock.wall());
    registry.close();
    await house.stopGateway();
    return house;
  }

  get cable(): CuttableLink {
    if (this.#cable === undefined) throw new Error('the house is not open');
    return this.#cable;
  }

  get kiosk(): RunningKiosk {
    if (this.#kiosk === undefined) throw new Error('no kiosk runs');
    return this.#kiosk;
  }

  get isOnline(): boolean {
    return (this.#gateway !== undefined && this.gatewayState?.connectedKiosks === 1) ?? false;
  }

  /** All that the kiosk's terminal showed so far. */
  get terminal(): string {
    return this.shown.join('');
  }

  async startGateway(): Promise<void> {
    const stopping = new AbortController();
    const settings = { tls: { host: '127.0.0.1', port: this.#tlsPort }, tcp: { port: 0 } };
    const doors = { clock: this.clock, log: this.log };
    const running = await runGatewayAndCore(this.paths, settings, doors, stopping.signal);
    let operator: MqttClient | undefined;
    const stop = async () => {
      operator?.end(true);
      stopping.abort();
      await running.done;
    };
    this.#gateway = { running, stop };
    operator = await this.#listen(running.gateway.tcpPort);
  }

  async stopGateway(): Promise<void> {
    const gateway = this.#gateway;
    this.#gateway = undefined;
    this.gatewayState = undefined;
    await gateway?.stop();
  }

  async startKiosk(json: Record<string, unknown> = {}, options: Partial<RunKioskOptions> = {}): Promise<RunningKiosk> {
    const config = {
      dataDir: this.paths.kiosk,
      trustPath: join(this.paths.root, 'trust-by-cable.json'),
      direction: 'both',
      page: { isOn: true, port: 0 },
      uplink: { firstBackoffMs: 100, longestBackoffMs: 2_000 },
      ...json,
    };
    const terminal = { hasColour: false, write: (text: string) => void this.shown.push(text) };
    this.#kiosk = await startKiosk(config, { clock: this.kioskClock, log: this.log, terminal, ...options });
    return this.#kiosk;
  }

  async stopKiosk(): Promise<void> {
    const kiosk = this.#kiosk;
    this.#kiosk = undefined;
    this.feedback.push(...(kiosk?.feedback ?? []));
    await kiosk?.stop();
  }

  /** The signed text of card number `index`. */
  cardText(index: number): string {
    if (this.#issuer === undefined) throw new Error('the house is not open');
    return encodeCode(signCard(cardOf(index), this.#issuer.deployment, this.#issuer.privateKey));
  }

  /** Scans cards `from` up to, not including, `to`. @returns what the door said to each. */
  async scanMany(from: number, to: number): Promise<(string | undefined)[]> {
    const said: (string | undefined)[] = [];
    for (let card = from; card < to; card++) said.push(await this.kiosk.scan(this.cardText(card)));
    return said;
  }

  /** What a person sees who looks at the kiosk's page, and what a monitor sees. */
  async health(): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
    const response = await fetch(`${this.kiosk.ready.pageUrl}/healthz`);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  /** Moves both clocks on. */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms);
    if (this.kioskClock !== this.clock) await this.kioskClock.advance(ms);
  }

  /** Lets time pass until it is so; tap's time limit is the end of it. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await this.pass(STEP_MS);
  }

  /** Until the kiosk has found by itself that its store keeps again. */
  async untilStoreKeeps(): Promise<void> {
    do await this.pass(1_000);
    while ((await this.health()).body.storeWhy !== undefined);
  }

  /** Until everything that was promised has been acknowledged, and taken by the core. */
  async untilDelivered(): Promise<void> {
    // The kiosk tells of its queue once a minute, or when something changes.
    await this.until(() => this.isOnline && this.kioskState?.isUp === true);
    for (;;) {
      await this.pass(1_000);
      const { queued, storeWhy } = (await this.health()).body;
      // A damaged outbox is let go of, and nothing waits in none: what is saved of it waits in the next.
      if (queued === 0 && storeWhy !== 'store.corrupt' && this.gatewayState?.sinks.core?.behindEntries === 0) return;
    }
  }

  /** The rows that stand behind every answer given, by name. */
  get promised(): string[] {
    return [...this.feedback, ...(this.#kiosk?.feedback ?? [])].flatMap(({ keyId, seq }) =>
      keyId === undefined || seq === undefined ? [] : [rowName(this.kioskId, keyId, seq)],
    );
  }

  /** Stops all, and counts what arrived by other means than the product's own. */
  async audit(): Promise<RoadAudit> {
    await this.stopKiosk();
    await this.stopGateway();
    return await auditRoad(this.paths.root);
  }

  async close(): Promise<void> {
    await this.stopKiosk();
    await this.stopGateway();
    await this.#cable?.close();
    this.#cable = undefined;
  }

  async #listen(port: number): Promise<MqttClient> {
    const password = readFileSync(join(this.paths.gateway, 'operator.txt'), 'utf8').trim();
    const client = await connectAsync({ host: '127.0.0.1', port, username: 'operator', password, reconnectPeriod: 0 });
    client.on('message', (topic, payload) => {
      if (topic === GATEWAY_STATE_TOPIC) this.gatewayState = JSON.parse(payload.toString()) as GatewayState;
      else this.kioskState = decodeKioskState(payload);
    });
    await client.subscribeAsync([GATEWAY_STATE_TOPIC, 'vestibule/1/kiosk/+/state']);
    return client;
  }

  #pointAtCable(): void {
    const trust = JSON.parse(readFileSync(gatewayPaths(this.paths.gateway).trust, 'utf8')) as { gateway: { port: number } };
    trust.gateway.port = this.cable.port;
    writeFileSync(join(this.paths.root, 'trust-by-cable.json'), JSON.stringify(trust));
  }
}

/** Compares what was promised with what arrived. @returns what should all be empty. */
export function compare(house: House, { rows, scans, quarantined }: RoadAudit) {
  const promised = new Set(house.promised);
  const inLedger = rows.map(({ name }) => name);
  const isScan = new Set(rows.filter(({ event }) => event.type === 'check-in' || event.type === 'check-out').map(({ name }) => name));
  const inCore = scans.map(({ name }) => name);
  return {
    lost: [...promised].filter((name) => !isScan.has(name)),
    lostBehindTheLedger: [...promised].filter((name) => !inCore.includes(name)),
    twice: [...twiceIn(inLedger), ...twiceIn(inCore)],
    neverPromised: [...isScan].filter((name) => !promised.has(name)),
    quarantined,
  };
}

/** What `compare` is to find. */
export const NOTHING = { lost: [], lostBehindTheLedger: [], twice: [], neverPromised: [], quarantined: 0 };

const twiceIn = (names: readonly string[]): string[] => names.filter((name, index) => names.indexOf(name) !== index);

export const kioskTopic = (house: House): string => topicOf(house.kioskId, 'state');

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
