/** What is on a kiosk's disk after a power cut, read from a copy of it: the file system checked, the outbox read beside the product. */
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { isLogDamaged } from '../../kiosk/outbox-log.ts';
import type { KioskId } from '../../protocol/ids.ts';
import { runCommand } from '../support/guest/run-command.ts';
import { type KeptRow, readOutbox } from '../support/read-outbox.ts';

export interface DiskReport {
  /** What `e2fsck` finds wrong when the journal has been played back, as every mount does; empty when nothing is. */
  readonly fileSystem: string;
  /** Whether the kiosk would take what the power cut left for a damaged medium. */
  readonly isTakenForDamage: boolean;
  /** SQLite's own judgement of the file with its log; `ok`. */
  readonly integrity: string;
  /** Outboxes that a kiosk has set aside. */
  readonly setAside: readonly string[];
  readonly rows: readonly KeptRow[];
}

/** @param image is not touched. @param scratch is made and emptied. @param place of the kiosk's directory in the file system. */
export async function readDisk(image: string, scratch: string, kiosk: KioskId, place = '/kiosk'): Promise<DiskReport> {
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  const copy = join(scratch, 'disk');
  cpSync(image, copy);
  await runCommand('/sbin/e2fsck', ['-E', 'journal_only', '-y', copy]).catch(() => {});
  const fileSystem = await runCommand('/sbin/e2fsck', ['-f', '-n', copy]).then(
    () => '',
    (error: Error) => error.message,
  );
  await runCommand('/sbin/debugfs', ['-R', `rdump ${place} ${scratch}`, copy]);
  const directory = join(scratch, 'kiosk');
  const outbox = join(directory, 'outbox.db');
  if (!existsSync(directory)) return { fileSystem, isTakenForDamage: false, integrity: 'ok', setAside: [], rows: [] };
  const setAside = readdirSync(directory).filter((name) => name.startsWith('outbox.damaged-'));
  if (!existsSync(outbox)) return { fileSystem, isTakenForDamage: false, integrity: 'ok', setAside, rows: [] };
  const isTakenForDamage = isLogDamaged(`${outbox}-wal`);
  const db = new Database(outbox);
  const integrity = String(db.pragma('integrity_check', { simple: true }));
  const isMade = db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'rows'").pluck().get() === 1;
  db.close();
  return { fileSystem, isTakenForDamage, integrity, setAside, rows: isMade ? readOutbox(outbox, kiosk) : [] };
}
