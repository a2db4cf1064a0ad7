/** What the measurements share: quantiles, rounding, and what is to be said of the machine they ran on. */
import { mkdtempSync, statfsSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, tmpdir } from 'node:os';
import { join } from 'node:path';

/** linux/magic.h */
const TMPFS_MAGIC = 0x01021994;

/** @param share 0 to 1; the nearest rank. NaN where there are no values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export const rounded = (value: number, digits = 3): number => Number(value.toFixed(digits));

/** A fresh directory on a disk: in memory, an fsync would cost nothing. */
export function makeDiskDirectory(name: string): string {
  const parent = [tmpdir(), process.cwd()].find((path) => statfsSync(path).type !== TMPFS_MAGIC);
  if (parent === undefined) throw new Error('bench: neither the temporary nor the working directory is on a disk');
  return mkdtempSync(join(parent, `vestibule-${name}-bench-`));
}

export const machine = (): Record<string, string | number> => ({
  cpu: `${cpus()[0]?.model ?? 'unknown'} x${availableParallelism()}`,
  kernel: release(),
  node: process.version,
  loadBefore: rounded(loadavg()[0] ?? Number.NaN, 2),
});
