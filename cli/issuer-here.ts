/** Whoever prints on this machine is trusted by its gateway; nobody else without being named. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openIssuer } from '../cards/issuer.ts';
import { ExpectedError } from '../protocol/errors.ts';
import type { DeploymentId } from '../protocol/ids.ts';
import type { DataPaths } from './data-paths.ts';

/**
 * @returns to be asked at any time: the raw Ed25519 public key of the issuer in this data directory, also of one that is made later.
 * @throws ConfigError as openIssuer does for one that is there already; what is put there later and is no issuer of this deployment is none.
 */
export function issuerHere(paths: DataPaths, deployment: DeploymentId): () => readonly Uint8Array[] {
  let keys = read(paths, deployment);
  return () => {
    if (keys.length === 0) keys = readIfFit(paths, deployment);
    return keys;
  };
}

function read(paths: DataPaths, deployment: DeploymentId): readonly Uint8Array[] {
  return existsSync(join(paths.issuer, 'issuer.key')) ? [openIssuer(paths.issuer, { deployment }).publicKey] : [];
}

function readIfFit(paths: DataPaths, deployment: DeploymentId): readonly Uint8Array[] {
  try {
    return read(paths, deployment);
  } catch (error) {
    if (!(error instanceof ExpectedError)) throw error;
    return [];
  }
}
