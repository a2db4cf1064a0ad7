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
import { makeDiskDirectory, median, rounded } from './figures.ts';
import type { LoadTalk } from './load-child.ts';

const VISITS = 1_000_000;
const KIOSKS = 50;
const ROWS_A_SECOND = 200;
const SECONDS = 8;
/** In turns, and of each the median: the longest PUBACK of eight seconds is now and then one that waited for a disk that somebody else held. */
const ROUNDS = 5;
/** Columns of a town take as long as they take: so long the load goes on beside them. */
const COLUMNS_SECONDS = 20;
/** Four cases a second are more than a country has on its worst day; without a rest, what the collector makes of hundreds a second is measured as well. */
const REST_MS = 250;
/** Of cases that kiosks are told of: what the gateway makes for each kiosk is measured as well. */
const TOLD_REST_MS = 1_000;

interface Delays {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly longestMs: number;
  /** The longest step of the event loop. */
  readonly holdMs: number;
}

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
    const beside = async (name: string, seconds: number, work: () => Promise<Worked>): Promise<Delays> => {
      const running = load.ask('run', { rows: 1, window: 8, kiosks: KIOSKS, seconds, rowsPerSecond: ROWS_A_SECOND });
      const worked = await work();
      const { ackP50Ms, ackP99Ms, ackLongestMs } = await running;
      const traces = worked.traces > 0 ? `, ${worked.traces} traces of up to ${worked.mostExposed} cards` : '';
      say(
        `PUBACK, ${name}: p50 ${rounded(ackP50Ms, 1)}, p99 ${rounded(ackP99Ms, 1)}, longest ${rounded(ackLongestMs, 1)} ms; held ${rounded(worked.holdMs, 1)} ms at most in ${rounded(worked.lastedMs / 1_000, 1)} s${traces}`,
      );
      return { p50Ms: ackP50Ms, p99Ms: ackP99Ms, longestMs: ackLongestMs, holdMs: worked.holdMs };
    };
    const note = (name: string, rounds: readonly Delays[]): Delays => {
      const middle = middleOf(rounds);
      figures[`puback${name}P50Ms`] = rounded(middle.p50Ms, 2);
      figures[`puback${name}P99Ms`] = rounded(middle.p99Ms, 1);
      figures[`puback${name}LongestMs`] = rounded(middle.longestMs, 1);
      figures[`puback${name}HoldMs`] = rounded(middle.holdMs, 1);
      return middle;
    };
    const trace = (seconds: number, restMs: number, isTold: boolean) => () =>
      gateway.ask('trace', { seconds, cards: cases, restMs, isTold });
    const random = seededRandom(5);
    const cases = Array.from({ length: 20 }, () => Math.floor(random() * cards));
    await load.ask('run', { rows: 1, window: 8, kiosks: KIOSKS, seconds: 3, rowsPerSecond: ROWS_A_SECOND });
    // The first trace waits for the columns of all that came.
    note('Columns', [await beside('Columns', COLUMNS_SECONDS, trace(0, 0, false))]);
    await trace(1, 0, false)();
    const works = {
      Alone: () => gateway.ask('rest', { seconds: SECONDS }),
      Tracing: trace(SECONDS, REST_MS, false),
      Saturated: trace(SECONDS, 0, false),
      Told: trace(SECONDS, TOLD_REST_MS, true),
    };
    const rounds = { Alone: [] as Delays[], Tracing: [] as Delays[], Saturated: [] as Delays[], Told: [] as Delays[] };
    for (let round = 0; round < ROUNDS; round++)
      for (const name of Object.keys(works) as (keyof typeof works)[]) rounds[name].push(await beside(name, SECONDS, works[name]));
    const alone = note('Alone', rounds.Alone);
    const days = Array.from({ length: 5 }, (_, nth) => dayOf(startMs + (nth + 1) * DAY_MS));
    note('Drop', [await beside('Drop', 4, () => gateway.ask('drop', { days }))]);
    // Below 0 where other programs delayed them more than the core did: then it says nothing.
    for (const [name, key] of [
      ['Tracing', 'traceDelaysPuback'],
      ['Told', 'toldTraceDelaysPuback'],
      ['Saturated', 'saturatedTraceDelaysPuback'],
    ] as const) {
      const { longestMs, p99Ms } = note(name, rounds[name]);
      figures[`${key}Ms`] = rounded(longestMs - alone.longestMs, 1);
      figures[`${key}P99Ms`] = rounded(p99Ms - alone.p99Ms, 1);
    }
    return figures;
  } finally {
    for (const child of [gateway, load]) child.stop();
    rmSync(root, { recursive: true, force: true });
  }
}

/** Of each figure the median. */
const middleOf = (rounds: readonly Delays[]): Delays => ({
  p50Ms: median(rounds.map(({ p50Ms }) => p50Ms)),
  p99Ms: median(rounds.map(({ p99Ms }) => p99Ms)),
  longestMs: median(rounds.map(({ longestMs }) => longestMs)),
  holdMs: median(rounds.map(({ holdMs }) => holdMs)),
});

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
