/**
 * `$SYS`: what a broker's own tools look for, retained, every ten seconds, under the names that Mosquitto gave them. Counts only, of kiosks and of
 * what they send; operators and what they read are in none. docs/operator.md says what each is.
 * Source: mosquitto(8), "Broker status"; MQTT 3.1.1, section 4.7.2.
 */
import type { Clock } from '../protocol/time.ts';
import type { MonotonicMillis } from '../protocol/units.ts';
import type { Broker } from './broker.ts';
import type { Kiosk } from './registry.ts';
import type { StateBoard } from './state-board.ts';
import type { Watch } from './watch.ts';

const EVERY_MS = 10_000;

export interface SystemSources {
  readonly watch: Watch;
  readonly board: StateBoard;
  readonly kiosks: () => Iterable<Kiosk>;
  readonly version: string;
  readonly clock: Clock;
}

/** @returns publishes, at most every ten seconds however often it is called. */
export function publishSystemTopics(publish: Broker['publish'], from: SystemSources): () => void {
  const { watch, board, kiosks, version, clock } = from;
  // Wall times are not subtracted: the clock of a gateway is set while it runs, too.
  const startedAtMs = clock.monotonic();
  let lastMs: MonotonicMillis | undefined;
  return () => {
    const nowMs = clock.monotonic();
    if (lastMs !== undefined && nowMs - lastMs < EVERY_MS) return;
    lastMs = nowMs;
    const { rows, batches, bytes } = watch.tallies();
    const admitted = [...kiosks()].filter(({ revokedAtMs }) => revokedAtMs === undefined);
    const told: Readonly<Record<string, string | number>> = {
      version: `vestibule ${version}`,
      uptime: `${Math.floor((nowMs - startedAtMs) / 1_000)} seconds`,
      'clients/connected': admitted.filter(({ kiosk }) => board.kiosk(kiosk)?.isConnected === true).length,
      'clients/total': admitted.length,
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
