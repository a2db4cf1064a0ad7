/** Which cores a gateway hears revocations from: the one in its process, and those elsewhere that open rows with a key of their own. */
import type { HolderDoor, RevocationSource } from '../../core/intake.ts';
import type { Clock } from '../../protocol/time.ts';
import type { SinkConfig } from '../sinks/sink-config.ts';
import { HttpRevocations } from './http-revocations.ts';

/**
 * @param here the core in this process. @param stopping its abort closes the connections. @returns them by the names of their sinks, and where
 * what holders ask at kiosks is answered: the first of those elsewhere.
 * @throws ConfigError `config.invalid` as the sinks themselves do.
 */
export function revocationSources(
  sinks: readonly SinkConfig[],
  here: RevocationSource | undefined,
  clock: Clock,
  stopping: AbortSignal,
): { readonly sources: ReadonlyMap<string, RevocationSource>; readonly holder: HolderDoor | undefined } {
  const sources = new Map<string, RevocationSource>();
  let holder: HolderDoor | undefined;
  for (const sink of sinks) {
    if (sink.kind === 'core' && here !== undefined) sources.set(sink.name, here);
    if (sink.kind !== 'http' || sink.recipient === undefined) continue;
    const far = new HttpRevocations(sink, clock, stopping);
    sources.set(sink.name, far);
    holder ??= far;
  }
  return { sources, holder };
}
