/** The gateway's audit log, for commands: what a person does on this machine is written down before it is said to be done. */
import { AuditLog, type Deed } from '../gateway/audit.ts';
import { copyRevocations } from '../gateway/backup/revocation-file.ts';
import { gatewayPaths } from '../gateway/paths.ts';
import { codeOf, StoreError } from '../protocol/errors.ts';
import { systemClock } from '../protocol/time.ts';
import { dataPaths, gatewayIdentity } from './data-paths.ts';
import { systemUser } from './system-user.ts';

/** @throws StoreError when it can not be kept. */
export async function writeDeed(directory: string, deed: Pick<Deed, 'action' | 'about' | 'detail'>): Promise<void> {
  await withAudit(directory, (audit) => audit.append({ ...deed, atMs: systemClock.wall(), who: systemUser(), via: 'command-line' }));
  await tellSecondPlace(directory);
}

/** A running gateway does it by itself; this one may not run. What fails is said, and tried again with the next deed. */
async function tellSecondPlace(directory: string): Promise<void> {
  const paths = dataPaths(directory);
  const { storeKey } = await gatewayIdentity(paths);
  try {
    await copyRevocations(paths.gateway, storeKey);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    process.stderr.write(`vestibule: the copy of the revocation log is not up to date: ${error.message} [${error.code}]\n`);
  }
}

/** Does what a person asks for once it is written down, and writes down, too, when it could not be done. @throws what `work` throws. */
export async function doDeed<T>(directory: string, deed: Pick<Deed, 'action' | 'about' | 'detail'>, work: () => Promise<T>): Promise<T> {
  await writeDeed(directory, deed);
  try {
    const done = await work();
    // What it added to the log of revocations.
    await tellSecondPlace(directory);
    return done;
  } catch (error) {
    await writeDeed(directory, { ...deed, action: `${deed.action}.failed`, detail: codeOf(error) ?? 'bug' });
    throw error;
  }
}

export async function withAudit<T>(directory: string, use: (audit: AuditLog) => T): Promise<T> {
  const paths = dataPaths(directory);
  const { storeKey } = await gatewayIdentity(paths);
  const { audit, auditHead } = gatewayPaths(paths.gateway);
  const log = new AuditLog({ log: audit, head: auditHead }, storeKey);
  try {
    return use(log);
  } finally {
    log.close();
  }
}
