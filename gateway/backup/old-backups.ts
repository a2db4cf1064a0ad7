/** Backups that lie where new ones go: those in which every day is past retention are taken away, as the days themselves are. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { syncDirectory } from '../../disk/files.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { onDisk } from './backup-file.ts';

/** A name by the time it was made, UTC. */
export const backupName = (atMs: EpochMillis): string => `vestibule-${new Date(atMs).toISOString().replaceAll(/[:.]/g, '')}.backup`;

const NAME = /^vestibule-(\d{4}-\d\d-\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z\.backup$/;

/**
 * Takes away the backups of `directory` that are named by a time `retentionDays` or longer ago; others are left alone.
 * @returns how many. @throws StoreError when one can not be taken away.
 */
export function pruneBackups(directory: string, retentionDays: number, nowMs: EpochMillis): number {
  const old = onDisk(directory, () => readdirSync(directory)).filter((name) => {
    const [, day, hour, minute, second, ms] = NAME.exec(name) ?? [];
    return day !== undefined && Date.parse(`${day}T${hour}:${minute}:${second}.${ms}Z`) <= nowMs - retentionDays * 86_400_000;
  });
  for (const name of old) onDisk(name, () => rmSync(join(directory, name)));
  if (old.length > 0) onDisk(directory, () => syncDirectory(directory));
  return old.length;
}
