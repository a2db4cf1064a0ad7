/**
 * Which deployment the rows of a data directory are for, written beside the outbox. Rows are bound to it: the gateway of another takes them
 * for forged, quarantines and acknowledges them, and what was promised would be gone.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhole } from '../disk/files.ts';
import { ConfigError } from '../protocol/errors.ts';
import { type DeploymentId, isPlaceId } from '../protocol/ids.ts';

/**
 * Call before the first row is kept or sent.
 * @param deployment of the trust document. @param queued rows not acknowledged yet.
 * @throws ConfigError config.invalid when rows of another deployment wait.
 */
export function keepDeployment(dir: string, deployment: DeploymentId, queued: number): void {
  const path = join(dir, 'deployment');
  try {
    const marked = existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
    if (marked === deployment) return;
    if (marked !== undefined && isPlaceId(marked) && queued > 0)
      throw new ConfigError(
        'config.invalid',
        `trust document: of another deployment than ${queued} records that wait here for theirs (put the earlier trust.json back until they are sent, or give this kiosk a new data directory)`,
      );
    writeWhole(path, Buffer.from(`${deployment}\n`), 0o644);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    // A disk that takes nothing is told of by the outbox; the next start tries again.
  }
}
