/** The core's own file, for commands, also while the core runs: nothing is looked at or done there that is not in its audit log. */
import { join } from 'node:path';
import { AuditLog } from '../core/audit.ts';
import { openCoreDb } from '../core/core-db.ts';
import { readCoreKeys } from '../core/keys.ts';
import type { Db } from '../core/sqlite.ts';
import { systemClock } from '../protocol/time.ts';
import { dataPaths } from './data-paths.ts';
import { systemUser } from './system-user.ts';

export interface CoreDeed {
  readonly action: string;
  readonly about: string;
  /** `operation` where it is left out. */
  readonly purpose?: string;
}

/** Written down first: what can not be is not done. @throws StoreError, ConfigError. */
export async function withCoreDb<T>(
  directory: string,
  { action, about, purpose = 'operation' }: CoreDeed,
  work: (db: Db) => T,
): Promise<T> {
  const paths = dataPaths(directory);
  const { storeKey } = await readCoreKeys(paths.coreKeys);
  const db = openCoreDb(join(paths.core, 'core.db'), storeKey, 'write');
  try {
    const audit = new AuditLog(paths.core, storeKey);
    try {
      audit.append({
        who: systemUser(),
        role: 'operator',
        purpose,
        action,
        about,
        outcome: 'done',
        rows: 0,
        detail: '',
        atMs: systemClock.wall(),
      });
    } finally {
      audit.close();
    }
    return work(db);
  } finally {
    db.close();
  }
}
