/**
 * How late a PUBACK is while the core in the gateway's process traces, makes columns or drops a day: a town of the last three weeks beneath the core,
 * and 50 kiosks that send a visitor each now and then over mutual TLS.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dataPaths } from '../../cli/data-paths.ts';
import { DAY_MS, dayOf } from '../../core/day.ts';
import { makeCoreKeys } from '../../core/keys.ts';
import { TOWN_KEY, Town } from '../core/town.ts';
import { seededRandom } from '../support/suite-size.ts';
import { BenchProcess } from './bench-process.ts';
import type { CoreGatewayTalk, Worked } from './core-gateway-child.ts';
import { TOWN_DAYS, townCards, townDays } from './core-town.ts';
import { makeDiskDirectory, rounded } from './figures.ts';
import type { LoadFigures, LoadTalk } from './load-child.ts';

const VISITS = 1_000_000;
const KIOSKS = 50;
const ROWS_A_SECOND = 200;
const SECONDS = 8;
/** Columns of a town take as long as they take: so long the load goes on beside them. */
const COLUMNS_SECONDS = 20;
/** Four cases a second are more than a country has on its worst day; without a rest, what the collector makes of hundreds a second is measured as well. */
const REST_MS = 250;
/** Of cases that kiosks are told of: what the gateway makes for each kiosk is measured as well. */
const TOLD_REST_MS = 1_000;

export async function measurePuback(say: (line: string) => void): Promise<Record<string, number>> {
  const root = makeDiskDirectory('core-puback');
  const startMs = Math.floor(Date.now() / DAY_MS) * DAY_MS - (TOWN_DAYS - 1) * DAY_MS;
  const cards = townCards(VISITS);
  await fill(root, cards, startMs);
  const gateway = new BenchProcess<CoreGatewayTalk>('core-gateway-child.ts', { directory: root });
  const load = new BenchProcess<LoadTalk>('load-child.ts', {});
  const figures: Record<string, number> = {};
  try {
    const { port, target } = await gateway.ask('open', {});
    const { kiosks } = await load.ask('make', { kiosks: KIOSKS, target });
    await gateway.ask('admit', { kiosks });
    await load.ask('connect', { port, isOneCertificate: false });
    const beside = async (name: string, seconds: number, work: () => Promise<Worked>): Promise<LoadFigures> => {
      const running = load.ask('run', { rows: 1, window: 8, kiosks: KIOSKS, seconds, rowsPerSecond: ROWS_A_SECOND });
      const worked = await work();
      const acks = await running;
      figures[`puback${name}P50Ms`] = rounded(acks.ackP50Ms, 2);
      figures[`puback${name}P99Ms`] = rounded(acks.ackP99Ms, 1);
      figures[`puback${name}LongestMs`] = rounded(acks.ackLongestMs, 1);
      figures[`puback${name}HoldMs`] = rounded(worked.holdMs, 1);
      const traces = worked.traces > 0 ? `, ${worked.traces} traces of up to ${worked.mostExposed} cards` : '';
      say(
        `PUBACK, ${name}: p50 ${rounded(acks.ackP50Ms, 1)}, p99 ${rounded(acks.ackP99Ms, 1)}, longest ${rounded(acks.ackLongestMs, 1)} ms; held ${rounded(worked.holdMs, 1)} ms at most in ${rounded(worked.lastedMs / 1_000, 1)} s${traces}`,
      );
      return acks;
    };
    const random = seededRandom(5);
    const cases = Array.from({ length: 20 }, () => Math.floor(random() * cards));
    await load.ask('run', { rows: 1, window: 8, kiosks: KIOSKS, seconds: 3, rowsPerSecond: ROWS_A_SECOND });
    // The first trace waits for the columns of all that came.
    await beside('Columns', COLUMNS_SECONDS, () => gateway.ask('trace', { seconds: 0, cards: cases, restMs: 0, isTold: false }));
    await gateway.ask('trace', { seconds: 1, cards: cases, restMs: 0, isTold: false });
    // As long as with traces, and as warm: the longest of more is longer.
    const alone = await beside('Alone', 2 * SECONDS, () => gateway.ask('rest', { seconds: 2 * SECONDS }));
    const traced = await beside('Tracing', 2 * SECONDS, () =>
      gateway.ask('trace', { seconds: 2 * SECONDS, cards: cases, restMs: REST_MS, isTold: false }),
    );
    const saturated = await beside('Saturated', SECONDS, () =>
      gateway.ask('trace', { seconds: SECONDS, cards: cases, restMs: 0, isTold: false }),
    );
    const told = await beside('Told', SECONDS, () =>
      gateway.ask('trace', { seconds: SECONDS, cards: cases, restMs: TOLD_REST_MS, isTold: true }),
    );
    const days = Array.from({ length: 5 }, (_, nth) => dayOf(startMs + (nth + 1) * DAY_MS));
    await beside('Drop', 4, () => gateway.ask('drop', { days }));
    // Below 0 where other programs delayed them more than the core did: then it says nothing.
    figures.traceDelaysPubackMs = rounded(traced.ackLongestMs - alone.ackLongestMs, 1);
    figures.traceDelaysPubackP99Ms = rounded(traced.ackP99Ms - alone.ackP99Ms, 1);
    figures.toldTraceDelaysPubackMs = rounded(told.ackLongestMs - alone.ackLongestMs, 1);
    figures.toldTraceDelaysPubackP99Ms = rounded(told.ackP99Ms - alone.ackP99Ms, 1);
    figures.saturatedTraceDelaysPubackMs = rounded(saturated.ackLongestMs - alone.ackLongestMs, 1);
    figures.saturatedTraceDelaysPubackP99Ms = rounded(saturated.ackP99Ms - alone.ackP99Ms, 1);
    return figures;
  } finally {
    for (const child of [gateway, load]) child.stop();
    rmSync(root, { recursive: true, force: true });
  }
}

/** A core's files with a town in them, of which no columns were made. */
async function fill(root: string, cards: number, startMs: number): Promise<void> {
  const { core, coreKeys } = dataPaths(root);
  mkdirSync(coreKeys, { recursive: true });
  for (const name of ['core.key', 'pseudonym.key']) writeFileSync(`${coreKeys}/${name}`, TOWN_KEY);
  await makeCoreKeys(coreKeys);
  const town = new Town(core);
  const now = { firstDay: dayOf(startMs), nowMs: startMs + TOWN_DAYS * DAY_MS };
  for (const { keeps } of townDays(cards, startMs)) for (const batches of keeps) town.keepPlaced(batches, now);
  town.close();
  // What was written a moment ago is not to be written while PUBACKs wait for the disk.
  execFileSync('sync');
}
