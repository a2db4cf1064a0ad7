/**
 * A gateway under as much load as it takes, killed and started again, its core in its process. Kiosks in this process keep what has no PUBACK
 * and send it again, as it was; what they count is what they were told by PUBACK alone.
 */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { makeCoreKeys } from '../../core/keys.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { openLedgerFile } from '../../gateway/ledger.ts';
import { ledgerTotals } from '../../gateway/ledger-totals.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { Registry } from '../../gateway/registry.ts';
import { type EntranceId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { systemClock } from '../../protocol/time.ts';
import { BenchKiosk } from '../bench/bench-kiosk.ts';
import { LoadConnection } from '../bench/load-connection.ts';
import { Mortal } from './mortal.ts';

const KIOSKS = 8;
const WINDOW = 8;
const ROWS_A_BATCH = 10;
/** All kiosks come from one address, and send what a kiosk has in weeks. */
const LIMITS = {
  packetsPerSecond: 1_000_000,
  bytesPerSecond: 1_000_000_000,
  connectionsPerSecond: 100_000,
  waitingConnections: 10_000,
  rowsPerDay: 1_000_000_000,
};

class Sender {
  readonly kiosk = new BenchKiosk();
  /** Rows in all batches that were acknowledged. */
  acknowledgedRows = 0;
  sentRows = 0;
  /** Sent, and no PUBACK yet; oldest first. */
  #waiting: Buffer[] = [];
  #connection: LoadConnection | undefined;
  /** Of this connection, by packet: what has no PUBACK yet. */
  #sent = new Map<number, Buffer>();
  isFilling = true;

  async connect(port: number): Promise<void> {
    const connection = await LoadConnection.connect(port, { clientId: this.kiosk.kiosk, key: this.kiosk.signingKey }, this.kiosk.topic);
    this.#connection = connection;
    this.#sent = new Map();
    connection.listen(
      (_tookMs, packetId) => this.#acknowledge(packetId),
      () => {
        if (this.#connection === connection) this.#connection = undefined;
      },
    );
    for (const batch of this.#waiting) this.#publish(connection, batch);
    this.#fill();
  }

  get isDone(): boolean {
    return this.#waiting.length === 0;
  }

  drop(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  #acknowledge(packetId: number): void {
    const batch = this.#sent.get(packetId);
    this.#sent.delete(packetId);
    this.#waiting = this.#waiting.filter((other) => other !== batch);
    this.acknowledgedRows += ROWS_A_BATCH;
    this.#fill();
  }

  #fill(): void {
    const connection = this.#connection;
    while (connection !== undefined && this.isFilling && this.#waiting.length < WINDOW) {
      const batch = this.kiosk.batch(ROWS_A_BATCH);
      this.sentRows += ROWS_A_BATCH;
      this.#waiting.push(batch);
      this.#publish(connection, batch);
    }
  }

  #publish(connection: LoadConnection, batch: Buffer): void {
    this.#sent.set(connection.publish(batch, performance.now()), batch);
  }
}

export class LoadedGateway {
  readonly data: string;
  readonly senders: readonly Sender[];
  readonly faults: string[] = [];
  readonly #port = randomInt(20_000, 30_000);
  readonly #env: Readonly<Record<string, string>>;
  #mortal: Mortal | undefined;

  /** @param env more of its environment. */
  private constructor(data: string, env: Readonly<Record<string, string>>, senders: readonly Sender[]) {
    this.data = data;
    this.senders = senders;
    this.#env = env;
  }

  static async open(data: string, env: Readonly<Record<string, string>> = {}): Promise<LoadedGateway> {
    const loaded = new LoadedGateway(
      data,
      env,
      Array.from({ length: KIOSKS }, () => new Sender()),
    );
    const directory = join(data, 'gateway');
    const { storeKey, deployment, recipient } = await openIdentity(directory);
    const { recipient: core } = await makeCoreKeys(join(data, 'core', 'keys'));
    const registry = new Registry(gatewayPaths(directory).registry, storeKey);
    const venue = newPlaceId<VenueId>();
    registry.putVenue({ id: venue, name: 'Shop', timezone: 'UTC' });
    for (const { kiosk } of loaded.senders) {
      const entrance = newPlaceId<EntranceId>();
      const publicKey = new Uint8Array(Buffer.from(kiosk.publicKey, 'base64url'));
      registry.admit({ kiosk: kiosk.kiosk, publicKey, venue, entrance, direction: 'in', dwellMs: 3_600_000 }, systemClock.wall());
      await kiosk.sealFor({ deployment, recipient, core });
    }
    registry.close();
    return loaded;
  }

  /** One that was restored: nobody sends to it. */
  static restarted(data: string): LoadedGateway {
    return new LoadedGateway(data, {}, []);
  }

  get acknowledgedRows(): number {
    return this.senders.reduce((sum, { acknowledgedRows }) => sum + acknowledgedRows, 0);
  }

  /** Starts the gateway and connects every kiosk. @returns how long it took until it was ready, ms. */
  async start(): Promise<number> {
    const config = { tls: { host: '127.0.0.1', port: this.#port }, limits: LIMITS };
    const startedMs = performance.now();
    await new Promise<void>((resolve, reject) => {
      const args = [this.data, JSON.stringify(config)];
      const mortal = new Mortal('gateway-child.ts', args, join(this.data, 'compiled'), ({ isReady }) => isReady && resolve(), this.#env);
      this.#mortal = mortal;
      void mortal.gone.then(() => reject(new Error(`the gateway did not start: ${mortal.fault}`)));
    });
    const readyMs = performance.now() - startedMs;
    await Promise.all(this.senders.map((sender) => sender.connect(this.#port)));
    return readyMs;
  }

  async kill(): Promise<void> {
    this.#mortal?.kill();
    await this.#mortal?.gone;
    if (this.#mortal?.fault !== undefined) this.faults.push(this.#mortal.fault);
    for (const sender of this.senders) sender.drop();
  }

  /** Sends no more that is new, waits until all that was sent is acknowledged and in the core, and stops in order. */
  async drain(): Promise<void> {
    for (const sender of this.senders) sender.isFilling = false;
    while (this.senders.some(({ isDone }) => !isDone)) await pause(20);
    for (const sender of this.senders) sender.drop();
    while (await this.#isCoreBehind()) await pause(50);
    await this.#mortal?.stop();
  }

  async #isCoreBehind(): Promise<boolean> {
    const directory = join(this.data, 'gateway');
    const { storeKey } = await openIdentity(directory);
    const { ledger, segments } = gatewayPaths(directory);
    const db = openLedgerFile(ledger, storeKey, true);
    try {
      return ledgerTotals(db, segments, storeKey).sinks.some(({ behindEntries }) => behindEntries > 0);
    } finally {
      db.close();
    }
  }

  destroy(): void {
    for (const sender of this.senders) sender.drop();
    this.#mortal?.kill();
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
