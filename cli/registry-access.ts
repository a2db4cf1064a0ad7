/** The gateway's registry, for commands; also while the gateway runs. */
import type { Registry } from '../gateway/registry.ts';
import { openRegistry } from '../gateway/status.ts';
import { ConfigError } from '../protocol/errors.ts';
import { type EntranceId, isPlaceId, type KioskId, type VenueId } from '../protocol/ids.ts';
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

/** @throws ConfigError `config.invalid` for what is no id. */
export function placeId<T extends VenueId | EntranceId | KioskId>(subject: string, text: string): T {
  if (!isPlaceId(text))
    throw new ConfigError(
      'config.invalid',
      `${subject}: expected an id, 16 characters of 0-9 and a-z ("vestibule venue list" and "vestibule status" tell them)`,
    );
  return text as T;
}
