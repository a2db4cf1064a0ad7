/** A gateway with its core in one process, as `vestibule start` wires them, for the load of core-puback.ts: and the work of the core that PUBACKs may wait behind. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { dataPaths } from '../../cli/data-paths.ts';
import { type GatewayAndCore, runGatewayAndCore } from '../../cli/run-gateway-and-core.ts';
import type { Day } from '../../core/day.ts';
import { readCoreKeys } from '../../core/keys.ts';
import { DEFAULT_TRACE_POLICY } from '../../core/trace/trace.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { Registry } from '../../gateway/registry.ts';
import { type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { type Log, silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import { cardOf } from '../core/town.ts';
import type { Target } from './bench-kiosk.ts';
import { answering } from './bench-process.ts';
import type { AdmittedKiosk } from './gateway-child.ts';

export interface Worked {
  /** The longest that the process was held meanwhile, ms. */
  readonly holdMs: number;
  readonly lastedMs: number;
  /** Of traces: how many there were, and how many cards the largest told of. */
  readonly traces: number;
  readonly mostExposed: number;
}

export type CoreGatewayTalk = {
  open: { ask: object; answer: { readonly port: number; readonly target: Target } };
  admit: { ask: { readonly kiosks: readonly AdmittedKiosk[] }; answer: object };
  rest: { ask: { readonly seconds: number }; answer: Worked };
  /** Cases are raised and dismissed again, one behind the other. @property isTold whether they are confirmed: then kiosks are told. @property restMs that each stands. */
  trace: {
    ask: { readonly seconds: number; readonly cards: readonly number[]; readonly restMs: number; readonly isTold: boolean };
    answer: Worked;
  };
  drop: { ask: { readonly days: readonly string[] }; answer: Worked };
};

answering<CoreGatewayTalk, { directory: string }>(({ directory }) => {
  const paths = dataPaths(directory);
  const { signal } = new AbortController();
  let running: GatewayAndCore | undefined;
  let cases = 0;
  let onTraced = (_exposures: number) => {};
  const log: Log = {
    ...silentLog,
    info: (event, fields) => {
      if (event === 'trace.done') onTraced(Number(fields?.exposures));
    },
  };
  const nextTrace = () =>
    new Promise<number>((resolve) => {
      onTraced = resolve;
    });
  const limits = { packetsPerSecond: 1_000_000, bytesPerSecond: 1_000_000_000, connectionsPerSecond: 100_000, waitingConnections: 10_000 };

  const working = async (work: () => Promise<Partial<Worked>>): Promise<Worked> => {
    const delays = monitorEventLoopDelay({ resolution: 1 });
    delays.enable();
    const began = performance.now();
    const done = await work();
    delays.disable();
    return { traces: 0, mostExposed: 0, ...done, holdMs: delays.max / 1e6, lastedMs: performance.now() - began };
  };
  const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

  return {
    async open() {
      const settings = {
        tls: { host: '127.0.0.1', port: 0 },
        tcp: { port: 0 },
        rest: { port: 0 },
        limits: { ...limits, rowsPerDay: 1_000_000_000 },
      };
      running = await runGatewayAndCore(paths, settings, { clock: systemClock, log }, signal);
      const { recipient } = await openIdentity(paths.gateway);
      const core = (await readCoreKeys(paths.coreKeys)).recipient;
      return { port: running.gateway.tlsPort, target: { deployment: running.gateway.trust.deployment, recipient, core } };
    },
    async admit({ kiosks }) {
      const { storeKey } = await openIdentity(paths.gateway);
      const registry = new Registry(gatewayPaths(paths.gateway).registry, storeKey);
      const venue = newPlaceId<VenueId>();
      registry.putVenue({ id: venue, name: 'Shop', timezone: 'Europe/Berlin' });
      const place = { venue, entrance: newPlaceId<EntranceId>(), direction: 'both', dwellMs: 3_600_000 } as const;
      for (const { kiosk, publicKey } of kiosks)
        registry.admit({ kiosk: kiosk as KioskId, publicKey: Buffer.from(publicKey, 'base64url'), ...place }, systemClock.wall());
      return {};
    },
    rest: ({ seconds }) =>
      working(async () => {
        await pause(seconds * 1_000);
        return {};
      }),
    trace: ({ seconds, cards, restMs, isTold }) =>
      working(async () => {
        const core = running?.core;
        let [traces, mostExposed] = [0, 0];
        const endMs = performance.now() + seconds * 1_000;
        if (core === undefined) return {};
        // Everybody whom anybody met for a quarter of an hour: some thousands.
        const { minimumOverlapMs } = DEFAULT_TRACE_POLICY;
        core.notices.policies.set({ mediumMinimumOverlapMs: minimumOverlapMs }, { by: 'bench', nowMs: systemClock.wall() });
        do {
          const card = cardOf(cards[traces % cards.length] ?? 0);
          const done = nextTrace();
          cases += 1;
          const state = isTold ? 'confirmed' : 'suspected';
          const { id } = core.cases.raise({ card, state, source: 'officer', by: 'bench', key: `${cases}` });
          mostExposed = Math.max(mostExposed, await done);
          traces += 1;
          if (restMs > 0) await pause(restMs);
          core.cases.decide(id, 'dismissed');
        } while (performance.now() < endMs);
        return { traces, mostExposed };
      }),
    drop: ({ days }) =>
      working(async () => {
        for (const day of days) {
          await pause(500);
          running?.core?.dropDay(day as Day);
        }
        await pause(500);
        return {};
      }),
  };
});
