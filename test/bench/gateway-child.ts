/** The gateway that gateway.bench.ts loads, whole, in a process of its own. Its core takes what it is offered. */
import { mkdirSync } from 'node:fs';
import { parseGatewayConfig } from '../../gateway/config.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { Registry } from '../../gateway/registry.ts';
import { type RunningGateway, runGateway } from '../../gateway/run-gateway.ts';
import { type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { type Log, silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import type { Target } from './bench-kiosk.ts';
import { answering, type Usage, usage } from './bench-process.ts';

export type AdmittedKiosk = { readonly kiosk: string; readonly publicKey: string };

export type GatewayTalk = {
  open: { ask: object; answer: { readonly port: number; readonly target: Target } };
  admit: { ask: { readonly kiosks: readonly AdmittedKiosk[] }; answer: object };
  usage: { ask: object; answer: Usage };
  /** @property groups how many batches each commit had since the last question. */
  groups: { ask: object; answer: { readonly groups: readonly number[]; readonly quarantined: number } };
  collect: { ask: object; answer: Usage };
};

answering<GatewayTalk, { directory: string }>(({ directory }) => {
  let groups: number[] = [];
  let quarantined = 0;
  let registry: Registry | undefined;
  let running: RunningGateway | undefined;
  const log: Log = {
    ...silentLog,
    debug: (event, fields) => {
      if (event === 'batches.committed') groups.push(Number(fields?.().batches));
    },
    warn: (event) => {
      if (event === 'batch.quarantined') quarantined += 1;
    },
  };
  return {
    async open() {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const config = parseGatewayConfig({
        directory,
        publicHost: '127.0.0.1',
        tls: { host: '127.0.0.1', port: 0 },
        tcp: { port: 0 },
        // All kiosks come from one address, and some at once send what a kiosk has in weeks.
        limits: {
          packetsPerSecond: 1_000_000,
          bytesPerSecond: 1_000_000_000,
          connectionsPerSecond: 100_000,
          waitingConnections: 10_000,
          rowsPerDay: 1_000_000_000,
        },
      });
      // The core is measured by core.bench.ts; what carries to it is in here.
      const intake = { accept: () => Promise.resolve(), taken: () => Promise.resolve(Number.MAX_SAFE_INTEGER) };
      running = await runGateway(config, { clock: systemClock, log, intake }, new AbortController().signal);
      const { storeKey, recipient } = await openIdentity(directory);
      registry = new Registry(gatewayPaths(directory).registry, storeKey);
      if (registry.venues().length === 0) registry.putVenue({ id: newPlaceId<VenueId>(), name: 'Shop', timezone: 'Europe/Berlin' });
      return { port: running.tlsPort, target: { deployment: running.trust.deployment, recipient } };
    },
    admit({ kiosks }) {
      const entrance = newPlaceId<EntranceId>();
      const venue = registry?.venues()[0]?.id;
      if (venue === undefined) throw new Error('bench: a gateway that is not open');
      const place = { venue, entrance, direction: 'both', dwellMs: 3_600_000 } as const;
      for (const { kiosk, publicKey } of kiosks)
        registry?.admit({ kiosk: kiosk as KioskId, publicKey: Buffer.from(publicKey, 'base64url'), ...place }, systemClock.wall());
      return {};
    },
    usage: () => usage(),
    groups() {
      const told = { groups, quarantined };
      groups = [];
      return told;
    },
    collect() {
      (globalThis as { gc?: () => void }).gc?.();
      return usage();
    },
  };
});
