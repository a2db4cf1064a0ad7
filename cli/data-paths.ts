/** Where the parts of one machine keep what they keep, under one data directory. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ConfigError } from '../protocol/errors.ts';
import { type DeploymentId, isPlaceId } from '../protocol/ids.ts';

export interface DataPaths {
  readonly root: string;
  readonly gateway: string;
  readonly core: string;
  readonly coreKeys: string;
  readonly issuer: string;
  readonly kiosk: string;
  readonly sampleCards: string;
}

export function dataPaths(directory: string): DataPaths {
  const root = resolve(directory);
  return {
    root,
    gateway: join(root, 'gateway'),
    core: join(root, 'core'),
    coreKeys: join(root, 'core', 'keys'),
    issuer: join(root, 'issuer'),
    kiosk: join(root, 'kiosk'),
    sampleCards: join(root, 'sample-cards.pdf'),
  };
}

/** @returns the deployment of the gateway that lives in a data directory; `undefined` before its first start. */
export function deploymentIn(directory: string): DeploymentId | undefined {
  const path = join(dataPaths(directory).gateway, 'keys', 'deployment');
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, 'utf8').trim();
  return isPlaceId(text) ? (text as DeploymentId) : undefined;
}

/** @returns the JSON in a configuration file. @throws ConfigError `config.invalid` when it can not be read or is not JSON. */
export function readJsonFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? 'not JSON' : 'can not be read';
    throw new ConfigError('config.invalid', `${path}: ${why}`, { cause });
  }
}
