/**
 * `$SYS`: what a broker's own tools look for, retained, every ten seconds, under the names that Mosquitto gave them. Counts only.
 * Source: mosquitto(8), "Broker status"; MQTT 3.1.1, section 4.7.2.
 */
import type { Clock } from '../protocol/time.ts';
import type { MonotonicMillis } from '../protocol/units.ts';
import type { Broker } from './broker.ts';
import type { StateBoard } from './state-board.ts';
import type { Watch } from './watch.ts';

const EVERY_MS = 10_000;

/** @returns publishes, at most every ten seconds however often it is called. */
export function publishSystemTopics(
  publish: Broker['publish'],
  from: { readonly watch: Watch; readonly board: StateBoard; readonly version: string; readonly clock: Clock },
): () => void {
  let lastMs: MonotonicMillis | undefined;
  return () => {
    const nowMs = from.clock.monotonic();
    if (lastMs !== undefined && nowMs - lastMs < EVERY_MS) return;
    lastMs = nowMs;
    const { rows, batches, bytes, connections } = from.watch.tallies();
    const connected = [...from.board.kiosks()].filter((kiosk) => from.board.kiosk(kiosk)?.isConnected === true).length;
    const told: Readonly<Record<string, string | number>> = {
      version: `vestibule ${from.version}`,
      uptime: `${Math.floor((from.clock.wall() - from.watch.startedAtMs) / 1_000)} seconds`,
      'clients/connected': connected,
      'clients/total': connections,
      'messages/received': Object.values(batches).reduce((sum, count) => sum + count, 0),
      'bytes/received': bytes,
      'vestibule/rows/accepted': rows.accepted,
      'vestibule/rows/duplicate': rows.duplicate,
    };
    // Resolves however slow a reader is: what it did not take is told again soon.
    for (const [name, value] of Object.entries(told))
      publish(`$SYS/broker/${name}`, Buffer.from(String(value)), { qos: 0, retain: true }).catch(() => {});
  };
}
