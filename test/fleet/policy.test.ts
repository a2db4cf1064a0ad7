/**
 * A change of policy on its way to fifty kiosks in real time, each with its own mutual TLS connection and its own file. What is timed begins
 * with the change in the registry, as a command makes it, and ends where an operator sees the last kiosk confirm the new version.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import t from 'tap';
import { parseGatewayConfig } from '../../gateway/config.ts';
import { runGateway } from '../../gateway/run-gateway.ts';
import { openRegistry } from '../../gateway/status.ts';
import { type EntranceId, type KioskId, newPlaceId, type VenueId, type VisitorUuid } from '../../protocol/ids.ts';
import { decodeKioskState } from '../../protocol/kiosk-state.ts';
import { silentLog } from '../../protocol/log.ts';
import { MOST_LOST_CARDS } from '../../protocol/lost-card.ts';
import { systemClock } from '../../protocol/time.ts';
import { parseTopic } from '../../protocol/topics.ts';
import { operatorOf } from '../support/operator-of.ts';
import { suiteSize } from '../support/suite-size.ts';
import { MemoryIntake } from '../support/test-gateway.ts';
import { FleetKiosk } from './fleet-kiosk.ts';

const KIOSKS = 50;
/** What is promised is asked of a machine that does nothing else, at full size; of a busy one, that all arrives. */
const WITHIN_MS = suiteSize().isFull ? 5_000 : 60_000;
const newCard = () => new Uint8Array(randomBytes(16)) as VisitorUuid;

t.test(
  `fleet: ${KIOSKS} kiosks confirm a change of policy within ${WITHIN_MS} ms, and one that was away confirms it on its return`,
  async (t) => {
    const root = t.testdir();
    const directory = join(root, 'gateway');
    const config = parseGatewayConfig({ directory, publicHost: '127.0.0.1', tls: { host: '127.0.0.1', port: 0 }, tcp: { port: 0 } });
    const stopping = new AbortController();
    const gateway = await runGateway(config, { clock: systemClock, log: silentLog, intake: new MemoryIntake() }, stopping.signal);
    const registry = await openRegistry(directory);
    const kiosks = Array.from({ length: KIOSKS + 1 }, (_, n) => new FleetKiosk(join(root, `kiosk-${n}`), gateway.trust));
    const [absent, ...present] = kiosks as [FleetKiosk, ...FleetKiosk[]];
    const operator = await operatorOf(directory, gateway.tcpPort);
    t.teardown(async () => {
      operator.end(true);
      for (const kiosk of kiosks) await kiosk.leave();
      registry.close();
      stopping.abort();
      await gateway.done;
    });
    const venue = registry.venueBook.add({ name: 'Fair', timezone: 'UTC' }, newPlaceId<VenueId>()).id as VenueId;
    for (const { kiosk, identity } of kiosks)
      registry.admit({ kiosk, publicKey: identity.publicKey, venue, entrance: newPlaceId<EntranceId>() }, systemClock.wall());

    const held = new Map<KioskId, number>();
    let heard = () => {};
    operator.on('message', (topic, payload) => {
      const { kiosk } = parseTopic(topic) ?? {};
      const { isUp, policy } = decodeKioskState(payload);
      if (kiosk === undefined || !isUp) return;
      held.set(kiosk, policy?.version ?? 0);
      heard();
    });
    await operator.subscribeAsync('vestibule/1/kiosk/+/state');
    /** @returns the time since `sinceMs` once each of these holds a later version than in `before`. */
    const confirmed = (by: readonly FleetKiosk[], before: ReadonlyMap<KioskId, number>, sinceMs: number): Promise<number> =>
      new Promise((resolve) => {
        heard = () => {
          if (by.every(({ kiosk }) => (held.get(kiosk) ?? 0) > (before.get(kiosk) ?? 0))) resolve(performance.now() - sinceMs);
        };
        heard();
      });

    for (const kiosk of kiosks) await kiosk.connect();
    await confirmed(kiosks, new Map(), 0);
    await absent.leave();

    const changes: [string, () => unknown][] = [
      ['a threshold', () => registry.venueBook.edit(venue, { threshold: 3_790 })],
      ['a lost card', () => registry.lostList.add([newCard()], systemClock.wall())],
      [
        `${MOST_LOST_CARDS - 1} lost cards more`,
        () => registry.lostList.add(Array.from({ length: MOST_LOST_CARDS - 1 }, newCard), systemClock.wall()),
      ],
      ['unsigned cards, with the longest list of lost ones', () => registry.venueBook.edit(venue, { unsignedCards: 'taken' })],
    ];
    for (const [name, change] of changes) {
      const before = new Map(held);
      const startMs = performance.now();
      change();
      const tookMs = await confirmed(present, before, startMs);
      t.ok(tookMs <= WITHIN_MS, `${name}: confirmed by ${present.length} kiosks in ${Math.round(tookMs)} ms`);
    }

    const before = new Map(held);
    const startMs = performance.now();
    await absent.connect();
    const tookMs = await confirmed([absent], before, startMs);
    t.ok(tookMs <= WITHIN_MS, `back from being away: confirmed ${Math.round(tookMs)} ms after it began to connect`);
    t.equal(new Set(held.values()).size, 1, 'all hold the same version');
  },
);
