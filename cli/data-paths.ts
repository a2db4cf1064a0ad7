/** Where the parts of one machine keep what they keep, under one data directory. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openIssuer } from '../cards/issuer.ts';
import { type Identity, openIdentity } from '../gateway/identity.ts';
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

/**
 * @returns the deployment that a data directory is for: its gateway's, or before the gateway's first start that of the issuer whose cards
 * are printed there; `undefined` when neither is there yet.
 */
export function deploymentIn(directory: string): DeploymentId | undefined {
  const paths = dataPaths(directory);
  const ofGateway = join(paths.gateway, 'keys', 'deployment');
  if (existsSync(ofGateway)) return asDeployment(readFileSync(ofGateway, 'utf8').trim());
  return existsSync(join(paths.issuer, 'issuer.json')) ? openIssuer(paths.issuer).deployment : undefined;
}

const asDeployment = (text: string): DeploymentId | undefined => (isPlaceId(text) ? (text as DeploymentId) : undefined);

/** @returns the keys of the gateway in a data directory, made at the first start. @throws ConfigError as `openIdentity` does. */
export async function gatewayIdentity(paths: DataPaths): Promise<Identity> {
  const deployment = deploymentIn(paths.root);
  return await openIdentity(paths.gateway, deployment === undefined ? {} : { deployment });
}

/**
 * Asked in the wrong directory, a gateway would be made there that has no kiosks, and shown as if it were the one that was meant.
 * @throws ConfigError `config.invalid` where there is none.
 */
export function refuseNoGateway(paths: DataPaths): void {
  if (existsSync(paths.gateway)) return;
  throw new ConfigError('config.invalid', `${paths.gateway}: is not there (--data names the data directory of the gateway)`);
}

/** @returns the JSON in a configuration file. @throws ConfigError `config.invalid` when it can not be read or is not JSON. */
export function readJsonFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? `not JSON${placeIn(cause.message)}` : 'can not be read';
    throw new ConfigError('config.invalid', `${path}: ${why}`, { cause });
  }
}

/** Where the parser stopped. Not what it read there: a file may hold what is nobody's to see. */
function placeIn(message: string): string {
  const place = /line \d+ column \d+/.exec(message)?.[0];
  return place === undefined ? '' : ` at ${place}`;
}
