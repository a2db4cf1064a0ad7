/**
 * The door: scan bytes in to answer out, beside two floors taken in turn with the scans: the disk's own (write 4 KiB and fdatasync, in the
 * kiosk's process), and what a bare program takes that is woken by the same bytes and does only that. Offline, with a gateway that acknowledges at once, through a real terminal as a serial scanner, and with 20 ms added to every
 * fsync. Small: 2,000 scans a run, 600 of the slow ones; --full: 10,000 and 2,000.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { machine, makeDiskDirectory, median, quantile, rounded } from './figures.ts';
import { buildFsyncLibrary } from './fsync-library.ts';
import { type RunResult, type RunSettings, runOnce } from './kiosk-run.ts';
import type { Bench } from './main.ts';
import { buildScanner } from './scanner.ts';

const SLOW_FSYNC_US = 20_000;

/**
 * Of scans that met nobody before them; those in a queue wait for the fsyncs of those ahead, so that they are told apart.
 * `aboveFsync…` is the difference of the two quantiles; `aboveOwnFsync…` the quantile of each scan's time less what its own fsync took,
 * which another program's use of the same disk does not touch. `aboveBare…`: over a program that has to be woken, too.
 */
function figuresOf({ kept, strangers, fsyncMs, bareMs, ...rest }: RunResult): Record<string, number> {
  const single = kept.filter(({ ahead }) => ahead === 0);
  const alone = single.map(({ tookMs }) => tookMs);
  const ownFsyncMs = single.map(({ syncedMs }) => syncedMs);
  const aboveOwnMs = single.map(({ tookMs, syncedMs }) => tookMs - syncedMs);
  const insideMs = single.map((scan) => scan.insideMs);
  const queued = kept.filter(({ ahead }) => ahead > 0);
  const floor = median(fsyncMs);
  const of = (values: readonly number[], share: number) => rounded(quantile(values, share));
  const strangerMs = strangers.filter(({ ahead }) => ahead === 0).map(({ tookMs }) => tookMs);
  return {
    scans: kept.length,
    medianMs: of(alone, 0.5),
    p99Ms: of(alone, 0.99),
    longestMs: of(alone, 1),
    allP99Ms: of(
      kept.map(({ tookMs }) => tookMs),
      0.99,
    ),
    fsyncMedianMs: of(fsyncMs, 0.5),
    fsyncP99Ms: of(fsyncMs, 0.99),
    bareMedianMs: of(bareMs, 0.5),
    bareP99Ms: of(bareMs, 0.99),
    aboveFsyncMedianMs: rounded(quantile(alone, 0.5) - quantile(fsyncMs, 0.5)),
    aboveFsyncP99Ms: rounded(quantile(alone, 0.99) - quantile(fsyncMs, 0.99)),
    aboveBareMedianMs: rounded(quantile(alone, 0.5) - quantile(bareMs, 0.5)),
    aboveBareP99Ms: rounded(quantile(alone, 0.99) - quantile(bareMs, 0.99)),
    ownFsyncMedianMs: of(ownFsyncMs, 0.5),
    ownFsyncP99Ms: of(ownFsyncMs, 0.99),
    aboveOwnFsyncMedianMs: of(aboveOwnMs, 0.5),
    aboveOwnFsyncP99Ms: of(aboveOwnMs, 0.99),
    queuedScans: queued.length,
    // One fsync of its own and one of each ahead.
    queuedAboveFsyncsP99Ms: of(
      queued.map(({ tookMs, ahead }) => tookMs - (ahead + 1) * floor),
      0.99,
    ),
    insideMedianMs: of(insideMs, 0.5),
    insideP99Ms: of(insideMs, 0.99),
    noStoreMedianMs: of(strangerMs, 0.5),
    noStoreP99Ms: of(strangerMs, 0.99),
    hasPriority: rest.hasPriority ? 1 : 0,
    firstScanMs: rounded(rest.firstScanMs),
    fsyncsPerScan: rounded((rest.scanFsyncs + rest.otherFsyncs) / kept.length),
    waitedFsyncsPerScan: rounded(rest.scanFsyncs / kept.length),
    bytesPerScan: Math.round(rest.writtenBytes / kept.length),
    walPeakBytes: rest.walPeakBytes,
    batches: rest.batches,
  };
}

const named = (figures: Record<string, number>, prefix: string): Record<string, number> =>
  Object.fromEntries(
    // Not measured through a terminal: the time of reading.
    Object.entries(figures)
      .filter(([, value]) => !Number.isNaN(value))
      .map(([name, value]) => [prefix === '' ? name : `${prefix}${name.charAt(0).toUpperCase()}${name.slice(1)}`, value]),
  );

export const bench: Bench = async ({ isFull, say }) => {
  const root = makeDiskDirectory('kiosk');
  const about = machine();
  const scans = isFull ? 10_000 : 2_000;
  // Of fewer, a 99th percentile of the floors taken in between is the second longest.
  const slowScans = isFull ? 2_000 : 600;
  const fast = { extraFsyncUs: 0, scans, scansPerSecond: 30, door: 'standard-input' } as const;
  const slow = { extraFsyncUs: SLOW_FSYNC_US, scans: slowScans, scansPerSecond: 8, door: 'standard-input' } as const;
  const runs: [prefix: string, Omit<RunSettings, 'dir' | 'library' | 'scanner' | 'seed'>][] = [
    ['', { ...fast, isOnline: false }],
    ['online', { ...fast, isOnline: true }],
    ['pty', { ...fast, door: 'pty', isOnline: true, scans: scans / 4 }],
    ['slow', { ...slow, isOnline: false }],
    ['slowOnline', { ...slow, isOnline: true }],
  ];
  const chosen = process.env.VESTIBULE_BENCH_RUNS?.split(',');
  try {
    const library = buildFsyncLibrary(root);
    const scanner = buildScanner(root);
    const figures: Record<string, number | string> = { ...about };
    for (const [index, [prefix, settings]] of runs.entries()) {
      if (chosen !== undefined && !chosen.includes(prefix)) continue;
      const measured = figuresOf(await runOnce({ ...settings, dir: join(root, `run-${index}`), library, scanner, seed: 11 + index }));
      Object.assign(figures, named(measured, prefix));
      say(
        `${prefix || 'offline'}: median ${measured.medianMs} ms, p99 ${measured.p99Ms} ms; ${measured.aboveFsyncP99Ms} above an fsync's p99, ` +
          `${measured.aboveBareP99Ms} above a bare program's; ${measured.fsyncsPerScan} fsyncs and ${measured.bytesPerScan} bytes a scan`,
      );
    }
    return figures;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
};
