/**
 * Gives up a day whose file is lost or damaged, at an operator's word: its key and what is left of the file are forgotten, and rows of that day that
 * come later are taken again. What was in it is not brought back.
 */
import { join } from 'node:path';
import { ConfigError, codeOf, StoreError } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import { AuditLog } from './audit.ts';
import { openCoreDb } from './core-db.ts';
import type { Day } from './day.ts';
import { DayKeys } from './day-keys.ts';
import { DayStore } from './day-store.ts';
import type { CoreKeys } from './keys.ts';
import { lockCore } from './lock.ts';
import { Notes } from './notes.ts';
import { faultsOf } from './overlap-command.ts';

export interface GivenUp {
  /** Of the audit log. */
  readonly entry: number;
  /** Why the day could not be read. */
  readonly reason: string;
}

/**
 * @param core.dir of a core that has been opened before, and that nobody writes to. @param asked.who and @param asked.purpose as of `OverlapQuery`. What was decided is in the audit log before it is done.
 * @throws ConfigError `config.locked` while a gateway or core runs on it, `config.invalid` for an unfit purpose, for a day that is not held or that can be read;
 * StoreError as `openCoreDb`.
 */
export function giveUpDay(
  core: { readonly dir: string; readonly keys: CoreKeys; readonly clock: Clock; readonly log: Log },
  asked: { readonly day: string; readonly who: string; readonly purpose: string },
): GivenUp {
  const { dir, keys, clock, log } = core;
  const { day, who, purpose } = asked;
  const faults = faultsOf(who, purpose);
  if (faults.length > 0) throw new ConfigError('config.invalid', faults.join('; '));
  const unlock = lockCore(dir);
  try {
    const db = openCoreDb(join(dir, 'core.db'), keys.storeKey, 'write');
    const days = new DayStore({ dir: join(dir, 'days'), keys: new DayKeys(db), log, mode: 'write' });
    try {
      const held = days.days().find((one) => one === day);
      if (held === undefined) throw new ConfigError('config.invalid', `${day}: no day of this name is held (YYYY-MM-DD)`);
      const reason = whyUnreadable(days, held);
      if (reason === undefined) throw new ConfigError('config.invalid', `${day}: can be read, and is kept`);
      const audit = new AuditLog(dir, keys.storeKey);
      const deed = { atMs: clock.wall(), who, purpose, role: 'operator', action: 'day.give_up', about: day, rows: 0, detail: reason };
      const { entry } = audit.append({ ...deed, outcome: 'done' });
      audit.close();
      days.drop(held, () => new Notes(db).count('days-dropped', 1));
      return { entry, reason };
    } finally {
      days.close();
      db.close();
    }
  } finally {
    unlock();
  }
}

/** @returns the code with which a day can not be read: all of it is looked at. */
function whyUnreadable(days: DayStore, day: Day): string | undefined {
  try {
    days.find(day)?.check();
    return undefined;
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'store.corrupt') throw error;
    return codeOf(error) ?? error.code;
  }
}
