/** The core's REST listener beside whatever runs the core: its settings, its certificate, its audit log, and everybody whom it lets in. */
import { join } from 'node:path';
import { AuditLog } from '../core/audit.ts';
import type { Core } from '../core/core.ts';
import { holderPage } from '../core/holder/holder-page.ts';
import type { CoreKeys } from '../core/keys.ts';
import { REST_PORT, type RestConfig } from '../core/rest/config.ts';
import { machinesOf } from '../core/rest/machines.ts';
import { openRestTls } from '../core/rest/rest-files.ts';
import { restRoutesOf } from '../core/rest/routes.ts';
import { openRest, type RestAsset, type RestServer } from '../core/rest/server.ts';
import { tokensOf } from '../core/rest/tokens.ts';
import { ConfigError } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import { VERSION } from './version.ts';

export interface RestParts {
  readonly core: Core;
  readonly keys: CoreKeys;
  /** The core's. */
  readonly dir: string;
  readonly config: RestConfig;
  readonly assets?: readonly RestAsset[];
  readonly clock: Clock;
  readonly log: Log;
}

/** Where nobody said a port, and another program has ours, it takes any. @throws ConfigError, StoreError. */
export async function openCoreRest({ core, keys, dir, config, assets = holderPage(), clock, log }: RestParts): Promise<RestServer> {
  const audit = new AuditLog(dir, keys.storeKey);
  try {
    const tls = await openRestTls(join(dir, 'rest'), config, clock.wall());
    const ways = [machinesOf(core.gateways), tokensOf(config.issuers, keys.storeKey, { clock, log })];
    const routes = restRoutesOf({ core, audit, version: VERSION, clock });
    const open = (port: number) => openRest({ binding: { host: config.host, port }, tls, routes, assets, ways, audit, clock, log });
    const rest = await open(config.port ?? REST_PORT).catch((error: unknown) => {
      if (config.port !== undefined || !(error instanceof ConfigError)) throw error;
      return open(0);
    });
    const close = async (): Promise<void> => {
      await rest.close();
      audit.close();
    };
    return { ...rest, close };
  } catch (error) {
    audit.close();
    throw error;
  }
}
