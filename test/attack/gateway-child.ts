/** The gateway under attack, in a process of its own: it can be seen to crash, to grow and to lose, apart from those who attack it. */
import { mkdirSync } from 'node:fs';
import type { Intake, LedgerEntry } from '../../core/intake.ts';
import { type GatewayConfigInput, parseGatewayConfig } from '../../gateway/config.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { Registry } from '../../gateway/registry.ts';
import { runGateway } from '../../gateway/run-gateway.ts';
import { type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import type { Log } from '../../protocol/log.ts';
import { digestOf } from '../../protocol/row.ts';
import { type Clock, systemClock } from '../../protocol/time.ts';
import { formatTrust } from '../../protocol/trust.ts';
import type { EpochMillis } from '../../protocol/units.ts';

export interface ChildOptions {
  readonly directory: string;
  readonly config: Partial<GatewayConfigInput>;
}

export type ToChild =
  | { readonly kind: 'admit'; readonly kiosk: string; readonly publicKey: string }
  | { readonly kind: 'revoke'; readonly kiosk: string }
  /** Its wall clock goes on by so much. */
  | { readonly kind: 'step'; readonly byMs: number }
  | { readonly kind: 'tell' };

export interface Told {
  readonly kind: 'told';
  /** Rows that reached the intake, by kiosk, each counted once. */
  readonly rows: Readonly<Record<string, number>>;
  /** Rows that reached it more than once. */
  readonly twice: number;
  /** After a full collection. */
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly rssBytes: number;
  /** Open sockets, timers and the like. */
  readonly resources: number;
  readonly logLines: Readonly<Record<string, number>>;
}

export type FromChild =
  | { readonly kind: 'ready'; readonly tlsPort: number; readonly tcpPort: number; readonly trust: string; readonly venue: string }
  | { readonly kind: 'done' }
  | Told;

const { directory, config } = JSON.parse(process.argv[2] ?? '{}') as ChildOptions;
const send = (message: FromChild): void => {
  process.send?.(message);
};
const stopping = new AbortController();
process.on('disconnect', () => stopping.abort());

let steppedMs = 0;
const clock: Clock = { ...systemClock, wall: () => (systemClock.wall() + steppedMs) as EpochMillis };

const logLines: Record<string, number> = {};
const count = (event: string): void => {
  logLines[event] = (logLines[event] ?? 0) + 1;
};
const log: Log = { error: count, warn: count, info: count, debug() {} };

const seen = new Map<string, string>();
const rows: Record<string, number> = {};
let twice = 0;
const intake: Intake = {
  accept(entries: readonly LedgerEntry[]) {
    for (const entry of entries) {
      if (entry.kind !== 'batch') continue;
      for (const row of entry.rows) {
        const name = Buffer.from(digestOf(row)).toString('base64');
        if (seen.has(name)) twice += 1;
        else rows[entry.kiosk] = (rows[entry.kiosk] ?? 0) + 1;
        seen.set(name, entry.kiosk);
      }
    }
    return Promise.resolve();
  },
  taken: () => Promise.resolve(Number.MAX_SAFE_INTEGER),
};

mkdirSync(directory, { recursive: true, mode: 0o700 });
const parsed = parseGatewayConfig({
  directory,
  publicHost: '127.0.0.1',
  tls: { host: '127.0.0.1', port: 0 },
  tcp: { port: 0 },
  ...config,
  // On every loopback address, so that attackers can come from another one than kiosks.
  ...(config.tls === undefined ? { tls: { host: '0.0.0.0', port: 0 } } : {}),
});
const running = await runGateway(parsed, { clock, log, intake }, stopping.signal);
const { storeKey } = await openIdentity(directory);
const registry = new Registry(gatewayPaths(directory).registry, storeKey);
const venue = newPlaceId<VenueId>();
registry.putVenue({ id: venue, name: 'Shop', timezone: 'Europe/Berlin' });

const tell = (): Told => {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  const resources = process.getActiveResourcesInfo().length;
  return { kind: 'told', rows, twice, heapBytes: heapUsed, externalBytes: external, rssBytes: rss, resources, logLines };
};

process.on('message', (message: ToChild) => {
  switch (message.kind) {
    case 'admit':
      registry.admit(
        {
          kiosk: message.kiosk as KioskId,
          publicKey: Buffer.from(message.publicKey, 'base64url'),
          venue,
          entrance: newPlaceId<EntranceId>(),
          direction: 'both',
          dwellMs: 3_600_000,
        },
        clock.wall(),
      );
      break;
    case 'revoke':
      registry.revoke(message.kiosk as KioskId, clock.wall());
      break;
    case 'step':
      steppedMs += message.byMs;
      break;
    case 'tell':
      send(tell());
      return;
  }
  send({ kind: 'done' });
});
send({ kind: 'ready', tlsPort: running.tlsPort, tcpPort: running.tcpPort, trust: formatTrust(running.trust), venue });
await running.done;
registry.close();
