/** A real gateway on the loopback with a clock moved by hand, and an intake that remembers and can be made to fail. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import type { Intake, LedgerEntry } from '../../core/intake.ts';
import { type GatewayConfigInput, parseGatewayConfig } from '../../gateway/config.ts';
import type { Db } from '../../gateway/database.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { openLedgerFile } from '../../gateway/ledger.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { Registry } from '../../gateway/registry.ts';
import { type RunningGateway, runGateway } from '../../gateway/run-gateway.ts';
import type { ProcessDoor } from '../../gateway/watching.ts';
import { StoreError } from '../../protocol/errors.ts';
import { type EntranceId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { LogRecorder } from './log-recorder.ts';
import { ManualClock } from './manual-clock.ts';
import { TestKiosk } from './test-kiosk.ts';

export class MemoryIntake implements Intake {
  readonly entries: LedgerEntry[] = [];
  isFailing = false;
  offers = 0;

  accept(entries: readonly LedgerEntry[]): Promise<void> {
    this.offers += 1;
    if (this.isFailing) return Promise.reject(new StoreError('store.busy', 'intake: made to fail'));
    const known = new Set(this.entries.map(({ position }) => position));
    this.entries.push(...entries.filter(({ position }) => !known.has(position)));
    return Promise.resolve();
  }

  taken(): Promise<number> {
    return Promise.resolve(this.entries.at(-1)?.position ?? 0);
  }
}

export interface TestGateway {
  readonly running: RunningGateway;
  readonly directory: string;
  /** As given; a restart keeps it. */
  readonly config: Partial<GatewayConfigInput>;
  readonly clock: ManualClock;
  readonly log: LogRecorder;
  readonly intake: MemoryIntake;
  readonly registry: Registry;
  readonly venue: VenueId;
  /** The ledger's file, opened beside the running gateway to look into. */
  readonly ledger: Db;
  /** @param where a venue of its own where it is not at the gateway's first. */
  admit(kiosk?: TestKiosk, where?: VenueId): TestKiosk;
  operator(options?: IClientOptions): Promise<MqttClient>;
  stop(): Promise<void>;
}

interface Teardown {
  teardown(run: () => Promise<void>): void;
  testdir(): string;
}

/** Starts one in a fresh directory, or again in that of an earlier one. */
export async function startTestGateway(
  t: Teardown,
  options: {
    readonly config?: Partial<GatewayConfigInput>;
    readonly after?: TestGateway;
    readonly process?: ProcessDoor;
    readonly moreIssuers?: () => readonly Uint8Array[];
  } = {},
): Promise<TestGateway> {
  const { after } = options;
  const directory = after?.directory ?? join(t.testdir(), 'gateway');
  const clock = after?.clock ?? new ManualClock();
  const log = after?.log ?? new LogRecorder();
  const intake = after?.intake ?? new MemoryIntake();
  const input = options.config ?? after?.config ?? {};
  const config = parseGatewayConfig({
    directory,
    publicHost: '127.0.0.1',
    tls: { host: '127.0.0.1', port: 0 },
    tcp: { port: 0 },
    ...input,
  });
  const stopping = new AbortController();
  const { process, moreIssuers } = options;
  const running = await runGateway(
    config,
    { clock, log, intake, ...(process && { process }), ...(moreIssuers && { moreIssuers }) },
    stopping.signal,
  );
  const { storeKey } = await openIdentity(directory);
  const paths = gatewayPaths(directory);
  const registry = new Registry(paths.registry, storeKey);
  const ledger = openLedgerFile(paths.ledger, storeKey);
  const venue = after?.venue ?? newPlaceId<VenueId>();
  registry.putVenue({ id: venue, name: 'Shop', timezone: 'Europe/Berlin' });
  const clients: MqttClient[] = [];
  let isStopped = false;
  const stop = async () => {
    if (isStopped) return;
    isStopped = true;
    for (const client of clients) client.end(true);
    registry.close();
    ledger.close();
    stopping.abort();
    await running.done;
  };
  t.teardown(stop);
  return {
    running,
    config: input,
    directory,
    clock,
    log,
    intake,
    registry,
    venue,
    ledger,
    admit(kiosk = new TestKiosk(running.trust, clock), where = venue) {
      const entrance = newPlaceId<EntranceId>();
      const { kiosk: id, publicKey } = kiosk;
      registry.admit({ kiosk: id, publicKey, venue: where, entrance, direction: 'both', dwellMs: 3_600_000 }, clock.wall());
      return kiosk;
    },
    async operator(more = {}) {
      const password = readFileSync(join(directory, 'operator.txt'), 'utf8').trim();
      const client = await connectAsync({
        host: '127.0.0.1',
        port: running.tcpPort,
        username: 'operator',
        password,
        reconnectPeriod: 0,
        ...more,
      });
      clients.push(client);
      return client;
    },
    stop,
  };
}
