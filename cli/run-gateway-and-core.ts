/** A gateway with the core embedded in its process, from one data directory. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Core, openCore } from '../core/core.ts';
import { makeCoreKeys, readCoreKeys } from '../core/keys.ts';
import { parseRestConfig } from '../core/rest/config.ts';
import type { RestServer } from '../core/rest/server.ts';
import { type GatewayConfigInput, parseGatewayConfig } from '../gateway/config.ts';
import { gatewayPaths } from '../gateway/paths.ts';
import { type RunningGateway, runGateway } from '../gateway/run-gateway.ts';
import type { ProcessDoor } from '../gateway/watching.ts';
import { ConfigError, codeOf } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import { parseTrust, type TrustDocument } from '../protocol/trust.ts';
import { type DataPaths, gatewayIdentity } from './data-paths.ts';
import { issuerHere } from './issuer-here.ts';
import { openCoreRest } from './open-rest.ts';

export interface GatewayAndCore {
  readonly gateway: RunningGateway;
  /** `undefined` where the configuration forwards to cores elsewhere alone. */
  readonly core: Core | undefined;
  /** Where the core's REST interface is; `undefined` where there is no core. */
  readonly restUrl: string | undefined;
  /** Resolves once both are closed after the signal's abort; rejects with the bug that ended the gateway. */
  readonly done: Promise<void>;
}

/**
 * @param settings what a configuration file says, `directory` and issuers of this machine left out: both are known here.
 * @throws ConfigError, StoreError as `openCore` and `runGateway` do; nothing is left open then.
 */
export async function runGatewayAndCore(
  paths: DataPaths,
  settings: unknown,
  { clock, log, process }: { readonly clock: Clock; readonly log: Log; readonly process?: ProcessDoor },
  signal: AbortSignal,
): Promise<GatewayAndCore> {
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings))
    throw new ConfigError('config.invalid', 'gateway config: expected an object');
  const { rest: restSettings, ...given } = settings as Partial<GatewayConfigInput> & { readonly rest?: unknown };
  const restConfig = parseRestConfig(restSettings);
  const { deployment } = await gatewayIdentity(paths);
  const config = parseGatewayConfig({
    ...given,
    directory: paths.gateway,
    // A start that forgets to say it does not send every kiosk away.
    publicHost: given.publicHost ?? toldIn(paths)?.host ?? '127.0.0.1',
  });
  const doors = { clock, log, moreIssuers: issuerHere(paths, deployment), ...(process && { process }) };
  if (!config.sinks.some(({ kind }) => kind === 'core')) {
    const gateway = await runGateway(config, doors, signal);
    return { gateway, core: undefined, restUrl: undefined, done: gateway.done };
  }
  // Another key in a lost one's place would go unnoticed: no earlier visit would be found any more.
  const hasCore = existsSync(join(paths.core, 'core.db'));
  const keys = await (hasCore ? readCoreKeys : makeCoreKeys)(paths.coreKeys);
  const cases = { stickerLifeMs: config.stickerLifeMs, areFlaggedSuspected: config.flags.areSuspected };
  const core = await openCore({ dir: paths.core, deployment, keys, clock, log, cases, retentionDays: config.retentionDays });
  let rest: RestServer | undefined;
  try {
    rest = await openCoreRest({ core, keys, dir: paths.core, config: restConfig, clock, log });
    const { port, close } = rest;
    const gateway = await runGateway(
      config,
      {
        ...doors,
        intake: core,
        notices: core.notices,
        revocations: core.revocationsFor(),
        holder: core.holder,
        recipients: [keys.recipient],
      },
      signal,
    );
    const end = async (): Promise<void> => {
      try {
        await gateway.done;
      } finally {
        await close();
        await core.end();
      }
    };
    return { gateway, core, restUrl: `https://${restConfig.host}:${port}`, done: end() };
  } catch (error) {
    await rest?.close();
    await core.end();
    throw error;
  }
}

/** @returns the address that kiosks were told at the last start; `undefined` before the first. @throws ConfigError `config.invalid` for a damaged file. */
export function toldIn({ gateway }: DataPaths): TrustDocument['gateway'] | undefined {
  const { trust } = gatewayPaths(gateway);
  if (!existsSync(trust)) return undefined;
  try {
    return parseTrust(readFileSync(trust, 'utf8')).gateway;
  } catch (cause) {
    if (codeOf(cause) === undefined) throw cause;
    throw new ConfigError('config.invalid', `${trust}: damaged (take it away, and say --host: it is written anew)`, { cause });
  }
}
