/** A backup of gateway, core and card issuer in one data directory, while they run. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { corePieces } from '../core/backup.ts';
import { readCoreKeys } from '../core/keys.ts';
import { type Backup, onDisk, writeBackup } from '../gateway/backup/backup-file.ts';
import type { Locking } from '../gateway/backup/locks.ts';
import { gatewayPieces, type Piece } from '../gateway/backup/pieces.ts';
import { openIdentity } from '../gateway/identity.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { type DataPaths, refuseNoGateway } from './data-paths.ts';

/**
 * Writes a backup and reads it again before it has its name.
 * @param options.to not there yet. @param options.settingsPath a configuration file to take along.
 * @throws ConfigError, BackupError and StoreError as writeBackup, openIdentity and the stores do.
 */
export async function makeBackup(
  paths: DataPaths,
  options: { readonly to: string; readonly lockings: readonly Locking[]; readonly settingsPath?: string; readonly nowMs: EpochMillis },
): Promise<Backup> {
  const { lockings, settingsPath, nowMs } = options;
  refuseNoGateway(paths);
  const to = resolve(options.to);
  const { deployment, storeKey } = await openIdentity(paths.gateway);
  onDisk(to, () => mkdirSync(dirname(to), { recursive: true, mode: 0o700 }));
  // Copies are under the stores' own keys, so that one that a kill leaves here says nothing.
  const staging = onDisk(to, () => mkdtempSync(join(dirname(to), `.${basename(to)}-`)));
  try {
    const keys = await readCoreKeys(paths.coreKeys);
    return await writeBackup(to, lockings, { createdAtMs: nowMs, deployment }, allPieces());
    function* allPieces(): Generator<Piece> {
      if (settingsPath !== undefined) yield { name: 'settings.json', path: settingsPath };
      yield* issuerPieces(paths.issuer);
      // The core first: what it has taken is then in the ledger's copy, too.
      yield* corePieces({ dir: paths.core, keysDir: paths.coreKeys, keys, staging });
      yield* gatewayPieces(paths.gateway, storeKey, staging);
    }
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

function* issuerPieces(directory: string): Generator<Piece> {
  for (const name of ['issuer.json', 'issuer.key'])
    if (namesIn(directory).includes(name)) yield { name: `issuer/${name}`, path: join(directory, name) };
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
