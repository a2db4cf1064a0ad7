/**
 * Coming back: a gateway with its core in its process, killed by SIGKILL while fifty kiosks send as fast as they are answered, and started again;
 * beside the size of its ledger, which those kiosks made. Time counts from the beginning of the process: until kiosks can connect, and
 * until the first PUBACK. The floor, in the same run and before each start: a bare process that opens the same files as the kill left them.
 * Small: a ledger of 0.1, 1 and 3 million rows, three kills each. --full: 10 and 30 million as well, five kills.
 */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readCoreKeys } from '../../core/keys.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { LoadedGateway, pause } from '../crash/loaded-gateway.ts';
import { BenchProcess } from './bench-process.ts';
import { machine, makeDiskDirectory, median, rounded } from './figures.ts';
import type { Bench } from './main.ts';
import type { EncryptedFile, FloorTalk } from './recovery-floor.ts';

const LOAD = { kiosks: 50, rowsABatch: 64 };
const SMALL = [0.1, 1, 3];
const FULL = [...SMALL, 10, 30];
/** From the moment at which all kiosks are connected: the threads that open batches and move the logs are begun within the second second. */
const LIFE_MS = 3_000;
const MIB = 1_048_576;

interface Death {
  readonly readyMs: number;
  readonly coreOpenMs: number;
  readonly firstAckMs: number;
  readonly floorMs: number;
  /** Entries that the index lacked, made again from the ledger. */
  readonly madeAgain: number;
  readonly logMiB: number;
  /** Acknowledged before the kill. */
  readonly rows: number;
}

export const bench: Bench = async ({ isFull, parts, say }) => {
  const sizes = (isFull ? FULL : SMALL).filter((millions) => parts === undefined || parts.includes(`${millions}M`));
  if (sizes.length === 0) throw new Error(`bench: no such part; there are ${FULL.map((millions) => `${millions}M`).join(', ')}`);
  const deaths = isFull ? 5 : 3;
  const figures: Record<string, number | string> = machine();
  const data = makeDiskDirectory('recovery');
  const loaded = await LoadedGateway.open(data, {}, LOAD);
  try {
    const medians: number[] = [];
    for (const millions of sizes) {
      const begunMs = performance.now();
      if (medians.length === 0) await loaded.start();
      while (loaded.acknowledgedRows < millions * 1e6) await pause(50);
      const filledMs = performance.now() - begunMs;
      const died: Death[] = [];
      for (let death = 0; death < deaths; death++) {
        await loaded.kill();
        const rows = loaded.acknowledgedRows;
        const logMiB = sizeOf(data, (name) => name.endsWith('-wal'));
        const floor = await floorOf(data);
        const { readyMs, coreOpenMs, firstAckMs } = await loaded.start();
        died.push({ readyMs, coreOpenMs, firstAckMs: await firstAckMs, ...floor, logMiB, rows });
        await pause(LIFE_MS);
      }
      const middle = (key: keyof Death) => median(died.map((one) => one[key]));
      const longest = (key: keyof Death) => Math.max(...died.map((one) => one[key]));
      medians.push(middle('readyMs'));
      const of = {
        rowsMost: longest('rows'),
        readyMs: Math.round(middle('readyMs')),
        readyLongestMs: Math.round(longest('readyMs')),
        firstAckMs: Math.round(middle('firstAckMs')),
        firstAckLongestMs: Math.round(longest('firstAckMs')),
        coreOpenMs: Math.round(middle('coreOpenMs')),
        floorMs: Math.round(middle('floorMs')),
        aboveFloorMs: Math.round(median(died.map((one) => one.readyMs - one.floorMs))),
        madeAgainMost: longest('madeAgain'),
        logLongestMiB: rounded(longest('logMiB'), 1),
        filesMiB: Math.round(sizeOf(data, (name) => /\.db(-wal)?$/.test(name))),
      };
      for (const [name, value] of Object.entries(of)) figures[`${name}${millions}M`] = value;
      say(
        `${millions} million rows (to ${rounded(of.rowsMost / 1e6, 2)}; ${of.filesMiB} MiB, made in ${Math.round(filledMs / 1_000)} s): ready after ${of.readyMs} ms (longest ${of.readyLongestMs}), the core ${of.coreOpenMs} of them, floor ${of.floorMs}; first PUBACK after ${of.firstAckMs} (${of.firstAckLongestMs}); ${of.madeAgainMost} entries made again at the most, logs of ${of.logLongestMiB} MiB`,
      );
    }
    if (loaded.faults.length > 0) figures.said = loaded.faults.join(' ');
    figures.deathsEach = deaths;
    figures.readyRatio = rounded((medians.at(-1) ?? Number.NaN) / (medians[0] ?? Number.NaN), 2);
    return figures;
  } finally {
    loaded.destroy();
    rmSync(data, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
};

/** Of the files below a directory whose names are wanted, MiB. */
function sizeOf(directory: string, isWanted: (name: string) => boolean): number {
  const found = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((file) => file.isFile() && isWanted(file.name));
  return found.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0) / MIB;
}

/** As the kill left them, and leaves them so. */
async function floorOf(data: string): Promise<Pick<Death, 'floorMs' | 'madeAgain'>> {
  const directory = join(data, 'gateway');
  const { ledger, segments, registry, enrolment } = gatewayPaths(directory);
  const { storeKey } = await openIdentity(directory);
  const newest =
    readdirSync(segments)
      .filter((name) => name.endsWith('.db'))
      .toSorted()
      .at(-1) ?? '';
  const keyed = (key: Uint8Array, ...paths: readonly string[]): EncryptedFile[] =>
    paths.map((path) => ({ path, key: Buffer.from(key).toString('hex') }));
  const core = await readCoreKeys(join(data, 'core', 'keys'));
  const files = [
    ...keyed(storeKey, ledger, join(segments, newest), registry, enrolment),
    ...keyed(core.storeKey, join(data, 'core', 'core.db')),
  ];
  const begunMs = performance.now();
  const floor = new BenchProcess<FloorTalk>('recovery-floor.ts', {}, { NODE_COMPILE_CACHE: join(data, 'compiled') });
  try {
    await floor.ask('open', { files });
    const floorMs = performance.now() - begunMs;
    const { numbers } = await floor.ask('numbers', { sql: ['SELECT position FROM applied', 'SELECT max(position) FROM entries'] });
    return { floorMs, madeAgain: (numbers[1] ?? Number.NaN) - (numbers[0] ?? Number.NaN) };
  } finally {
    await floor.kill();
  }
}
