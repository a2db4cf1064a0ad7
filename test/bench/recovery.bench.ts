/**
 * How long a gateway takes to be back after it was killed under load, beside how much its ledger holds: until kiosks may connect, and until the
 * first PUBACK. The ledger is filled by the same road, kiosks that publish over mutual TLS; the floor is the same program's start on a ledger without
 * entries, in the same run.
 *
 * - `kill`: SIGKILL while it commits. The kernel has all that was written.
 * - `cut`: what a power cut may leave at worst. What only the index's log had is gone back to its last checkpoint, and is made again from the entries,
 *   which are synced before each PUBACK; nothing of the files is in memory any more, where the kernel lets us ask for that (root).
 *
 * Small: 0.1 and 1 million rows, three starts of each. --full: 10 million as well, five starts.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gatewayPaths } from '../../gateway/paths.ts';
import { BenchProcess } from './bench-process.ts';
import { machine, makeDiskDirectory, median, quantile, rounded } from './figures.ts';
import type { GatewayTalk } from './gateway-child.ts';
import type { LoadTalk } from './load-child.ts';
import type { Bench } from './main.ts';

const KIOSKS = 50;
const ROWS = 64;
const WINDOW = 8;
/** It is killed that long after the load has begun again. */
const LOADED_MS = 1_000;
/** proc_sys_vm(5): pages, directory entries and inodes that nobody changed. */
const DROP_CACHES = '/proc/sys/vm/drop_caches';

type Loss = 'kill' | 'cut';

interface Start {
  readonly readyMs: number;
  readonly firstAckMs: number;
}

export const bench: Bench = async ({ isFull, say }) => {
  const root = makeDiskDirectory('recovery');
  const directory = join(root, 'gateway');
  const figures: Record<string, number | string> = machine();
  const sizes = isFull ? [100_000, 1_000_000, 10_000_000] : [100_000, 1_000_000];
  const starts = isFull ? 5 : 3;
  let gateway = new BenchProcess<GatewayTalk>('gateway-child.ts', { directory });
  let open = await gateway.ask('open', {});
  const start = async (): Promise<void> => {
    gateway = new BenchProcess<GatewayTalk>('gateway-child.ts', { directory });
    open = await gateway.ask('open', {});
  };
  let isCold = false;
  let held = 0;

  /** Kiosks that are admitted here, in a process of their own. */
  const admitted = async (kiosks: number): Promise<BenchProcess<LoadTalk>> => {
    const load = new BenchProcess<LoadTalk>('load-child.ts', {});
    const made = await load.ask('make', { kiosks, target: open.target });
    await gateway.ask('admit', { kiosks: made.kiosks });
    return load;
  };

  const fill = async (rows: number): Promise<void> => {
    const load = await admitted(KIOSKS);
    await load.ask('connect', { port: open.port, isOneCertificate: false });
    while (held < rows) {
      const ran = await load.ask('run', {
        rows: ROWS,
        window: WINDOW,
        kiosks: KIOSKS,
        seconds: Math.min(5, (rows - held) / 60_000),
        rowsPerSecond: undefined,
      });
      held += ran.rows;
    }
    load.stop();
  };

  /** Kills it while it commits, and starts it again. */
  const startAfter = async (loss: Loss | 'nothing'): Promise<Start> => {
    const probe = await admitted(1);
    if (loss !== 'nothing') {
      const load = await admitted(KIOSKS);
      await load.ask('connect', { port: open.port, isOneCertificate: false });
      load.tell('run', { rows: ROWS, window: WINDOW, kiosks: KIOSKS, seconds: 600, rowsPerSecond: undefined });
      await new Promise((resolve) => setTimeout(resolve, LOADED_MS));
      await Promise.all([gateway.kill(), load.kill()]);
    } else await gateway.kill();
    if (loss === 'cut') isCold = cutPower(directory);
    const startedMs = performance.now();
    await start();
    const readyMs = performance.now() - startedMs;
    await probe.ask('connect', { port: open.port, isOneCertificate: false });
    await probe.ask('run', { rows: ROWS, window: 1, kiosks: 1, seconds: 0.001, rowsPerSecond: undefined });
    const firstAckMs = performance.now() - startedMs;
    probe.stop();
    return { readyMs, firstAckMs };
  };

  const measure = async (name: string, loss: Loss | 'nothing'): Promise<void> => {
    const taken: Start[] = [];
    for (let count = 0; count < starts; count++) taken.push(await startAfter(loss));
    const of = {
      readyMs: rounded(median(taken.map(({ readyMs }) => readyMs)), 0),
      longestReadyMs: rounded(
        quantile(
          taken.map(({ readyMs }) => readyMs),
          1,
        ),
        0,
      ),
      firstAckMs: rounded(median(taken.map(({ firstAckMs }) => firstAckMs)), 0),
    };
    for (const [key, value] of Object.entries(of)) figures[`${name}${key[0]?.toUpperCase()}${key.slice(1)}`] = value;
    say(`${name}: ready after ${of.readyMs} ms (the longest ${of.longestReadyMs}), the first PUBACK after ${of.firstAckMs}`);
  };

  try {
    await measure('empty', 'nothing');
    for (const rows of sizes) {
      await fill(rows);
      const name = `M${rows / 1_000_000}`.replace('.', '_');
      await measure(`kill${name}`, 'kill');
      await measure(`cut${name}`, 'cut');
    }
    return { ...figures, rows: held, isCold: isCold ? 1 : 0 };
  } finally {
    gateway.stop();
    rmSync(root, { recursive: true, force: true });
  }
};

/** @returns whether the kernel forgot the files, too. */
function cutPower(directory: string): boolean {
  const { ledger } = gatewayPaths(directory);
  for (const log of [`${ledger}-wal`, `${ledger}-shm`]) rmSync(log, { force: true });
  try {
    writeFileSync(DROP_CACHES, '3');
    return true;
  } catch {
    return false;
  }
}
