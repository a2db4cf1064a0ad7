/**
 * What of a core's directory goes into a backup, as files that stand still, while the core goes on writing. The days first and core.db after
 * them, so that whatever a day's file names is known there; how far each ledger was taken is written back to where it was before the first
 * day was copied, so that what lies between is offered again, which changes nothing where it was taken.
 */
import { copyFileSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openCoreDb } from './core-db.ts';
import type { Day } from './day.ts';
import { DayFile } from './day-file.ts';
import { DayKeys } from './day-keys.ts';
import { Gateways } from './gateways.ts';
import type { CoreKeys } from './keys.ts';
import { copyEncrypted, inStore } from './sqlite.ts';

export interface CorePiece {
  /** In the backup. */
  readonly name: string;
  /** Read when its turn comes, and not needed after that. */
  readonly path: string;
}

/** How far each gateway's ledger was taken, by the gateway's number. */
type Taken = ReadonlyMap<number, number>;

const KEY_FILE = /^[a-z]+\.key$/;

/**
 * @param parts.keysDir where the core's keys lie. @param parts.staging an empty directory for copies, which are taken away as soon as they are used.
 * @throws StoreError.
 */
export function* corePieces(parts: {
  readonly dir: string;
  readonly keysDir: string;
  readonly keys: Pick<CoreKeys, 'storeKey'>;
  readonly staging: string;
}): Generator<CorePiece> {
  const { dir, keysDir, keys, staging } = parts;
  const keyNames = inStore('core keys', () => readdirSync(keysDir).filter((name) => KEY_FILE.test(name)));
  for (const name of keyNames.toSorted()) yield { name: `core/keys/${name}`, path: join(keysDir, name) };
  const corePath = join(dir, 'core.db');
  if (!existsSync(corePath)) return;
  const { taken, days } = readCore(corePath, keys.storeKey, 'read');
  const copiedDays: Day[] = [];
  for (const { day, key } of days) {
    const path = join(dir, 'days', `${day}.db`);
    const to = join(staging, 'day.db');
    rmSync(to, { force: true });
    // Dropped by retention since, or made and not yet written to.
    if (!existsSync(path)) continue;
    copyEncrypted(path, { subject: `day ${day}`, key, ifUnreadable: 'store.corrupt' }, to);
    copiedDays.push(day);
    yield { name: `core/days/${day}.db`, path: to };
    rmSync(to);
  }
  const to = join(staging, 'core.db');
  rmSync(to, { force: true });
  copyEncrypted(corePath, { subject: 'core.db', key: keys.storeKey, ifUnreadable: 'store.wrong_key' }, to);
  goBack(to, keys.storeKey, taken, copiedDays);
  yield { name: 'core/core.db', path: to };
  rmSync(to);
  const auditPath = join(dir, 'audit.db');
  if (!existsSync(auditPath)) return;
  // First how far it goes: a log that goes further is whole, one that ends before is not.
  const headPath = join(dir, 'audit.head');
  if (existsSync(headPath)) {
    copyFileSync(headPath, to);
    yield { name: 'core/audit.head', path: to };
    rmSync(to);
  }
  copyEncrypted(auditPath, { subject: 'audit.db', key: keys.storeKey, ifUnreadable: 'store.wrong_key' }, to);
  yield { name: 'core/audit.db', path: to };
  rmSync(to);
}

function readCore(
  path: string,
  storeKey: Uint8Array,
  mode: 'read' | 'write',
): { readonly taken: Taken; readonly days: { readonly day: Day; readonly key: Uint8Array }[] } {
  const db = openCoreDb(path, storeKey, mode);
  try {
    const keys = new DayKeys(db);
    const gateways = new Gateways(db);
    const taken: Taken = new Map(gateways.list().map(({ no }) => [no, gateways.taken(no)]));
    const days = keys.days().flatMap((day) => {
      const found = keys.find(day);
      return found === undefined ? [] : [{ day, key: found.key }];
    });
    return { taken, days };
  } finally {
    db.close();
  }
}

/** A day that was begun since is begun anew by the rows that are offered again. */
function goBack(path: string, storeKey: Uint8Array, taken: Taken, days: readonly Day[]): void {
  const db = openCoreDb(path, storeKey, 'write');
  try {
    inStore('backup', () => {
      db.transaction(() => {
        const gateways = new Gateways(db);
        for (const { no } of gateways.list()) gateways.setTaken(no, taken.get(no) ?? 0);
        const lacking = new DayKeys(db).days().filter((day) => !days.includes(day));
        for (const day of lacking) db.prepare('UPDATE day SET is_made = 0 WHERE day = ?').run(day);
      })();
      // All into the one file that is taken along.
      db.pragma('wal_checkpoint(TRUNCATE)');
    });
  } finally {
    db.close();
  }
}

/** @returns how much an unpacked core holds. @throws StoreError when a file does not open under its key or does not hang together. */
export function inspectCore(dir: string, storeKey: Uint8Array): { readonly days: number; readonly rows: number } {
  const path = join(dir, 'core.db');
  if (!existsSync(path)) return { days: 0, rows: 0 };
  let rows = 0;
  // An earlier version's is brought to this one, as a start would.
  const { days } = readCore(path, storeKey, 'write');
  const made = days.filter(({ day }) => existsSync(join(dir, 'days', `${day}.db`)));
  for (const { day, key } of made) {
    const file = new DayFile(join(dir, 'days', `${day}.db`), { day, key, mode: 'read', walAutocheckpointPages: 1_000 });
    try {
      file.check();
      const { checkIns, checkOuts, readings } = file.counts();
      rows += checkIns + checkOuts + readings;
    } finally {
      file.close();
    }
  }
  return { days: made.length, rows };
}
