/**
 * What gateway.bench.ts loads, in a process of its own: a whole gateway, or the floor under it: aedes alone behind the same kind of
 * door, with an `authorizePublish` that does nothing.
 */
import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { Aedes } from 'aedes';
import { parseGatewayConfig } from '../../gateway/config.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { Registry } from '../../gateway/registry.ts';
import { runGateway } from '../../gateway/run-gateway.ts';
import { makeCertificate } from '../../protocol/certificate.ts';
import { generateSigningKey } from '../../protocol/ed25519.ts';
import { type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import { formatTrust } from '../../protocol/trust.ts';

export interface GatewayChildOptions {
  readonly directory: string;
  readonly isFloor: boolean;
}

export type ToGatewayChild =
  | { readonly kind: 'admit'; readonly kiosks: readonly { readonly kiosk: string; readonly publicKey: string }[] }
  | { readonly kind: 'tell-cpu' };

export type FromGatewayChild =
  /** @property trust the document's text; empty for the floor. */
  | { readonly kind: 'ready'; readonly port: number; readonly trust: string }
  | { readonly kind: 'admitted' }
  /** User and system time of the process so far. */
  | { readonly kind: 'cpu'; readonly us: number; readonly rssBytes: number };

const { directory, isFloor } = JSON.parse(process.argv[2] ?? '{}') as GatewayChildOptions;
const send = (message: FromGatewayChild): void => {
  process.send?.(message);
};
process.on('disconnect', () => process.exit(0));

async function startFloor(): Promise<void> {
  const key = generateSigningKey();
  const broker = await Aedes.createBroker();
  broker.authorizePublish = (_client, packet, done) => {
    // As the gateway does: nothing of a batch is routed.
    packet.payload = Buffer.alloc(0);
    done(null);
  };
  const server = createServer(
    {
      key: key.export({ format: 'pem', type: 'pkcs8' }),
      cert: await makeCertificate(key, 'floor'),
      minVersion: 'TLSv1.3',
      requestCert: true,
      rejectUnauthorized: false,
    },
    (socket) => {
      socket.setNoDelay(true);
      broker.handle(socket);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  send({ kind: 'ready', port: (server.address() as AddressInfo).port, trust: '' });
}

/** As fast as it can: what the door lets one peer do by default is no measure of that. */
const UNHURRIED = { packetsPerSecond: 1e6, bytesPerSecond: 1e9, connectionsPerSecond: 1e5, waitingConnections: 1e5, rowsPerDay: 1e12 };

async function startGateway(): Promise<Registry> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const config = parseGatewayConfig({
    directory,
    publicHost: '127.0.0.1',
    tls: { host: '127.0.0.1', port: 0 },
    tcp: { port: 0 },
    limits: UNHURRIED,
  });
  // The core is measured by core.bench.ts; what carries to it is in here.
  const intake = { accept: () => Promise.resolve(), taken: () => Promise.resolve(Number.MAX_SAFE_INTEGER) };
  const running = await runGateway(config, { clock: systemClock, log: silentLog, intake }, new AbortController().signal);
  const { storeKey } = await openIdentity(directory);
  const registry = new Registry(gatewayPaths(directory).registry, storeKey);
  send({ kind: 'ready', port: running.tlsPort, trust: formatTrust(running.trust) });
  return registry;
}

const registry = isFloor ? undefined : await startGateway();
if (isFloor) await startFloor();
const venue = newPlaceId<VenueId>();
registry?.putVenue({ id: venue, name: 'Shop', timezone: 'Europe/Berlin' });

process.on('message', (message: ToGatewayChild) => {
  if (message.kind === 'admit') {
    for (const { kiosk, publicKey } of message.kiosks) {
      const entrance = newPlaceId<EntranceId>();
      registry?.admit(
        { kiosk: kiosk as KioskId, publicKey: Buffer.from(publicKey, 'base64url'), venue, entrance, direction: 'both', dwellMs: 3_600_000 },
        systemClock.wall(),
      );
    }
    send({ kind: 'admitted' });
  } else {
    const { user, system } = process.cpuUsage();
    send({ kind: 'cpu', us: user + system, rssBytes: process.memoryUsage.rss() });
  }
});
