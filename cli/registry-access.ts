/** The gateway's registry, for commands; also while the gateway runs. */
import type { Registry } from '../gateway/registry.ts';
import { openRegistry } from '../gateway/status.ts';
import { dataPaths, gatewayIdentity } from './data-paths.ts';

/** Opens it, making the gateway's keys at the first use of a directory. @throws ConfigError and StoreError as openRegistry does. */
export async function withRegistry<T>(directory: string, use: (registry: Registry) => T): Promise<T> {
  const paths = dataPaths(directory);
  await gatewayIdentity(paths);
  const registry = await openRegistry(paths.gateway);
  try {
    return use(registry);
  } finally {
    registry.close();
  }
}
