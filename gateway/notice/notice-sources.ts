/** Which cores a gateway hears notices from: the one in its process, and those elsewhere that open rows with a key of their own. */
import type { NoticeSource } from '../../core/intake.ts';
import type { Clock } from '../../protocol/time.ts';
import type { SinkConfig } from '../sinks/sink-config.ts';
import { HttpNotices } from './http-notices.ts';

/**
 * @param here the core in this process. @param stopping its abort closes the connections. @returns them by the names of their sinks.
 * @throws ConfigError `config.invalid` as the sinks themselves do.
 */
export function noticeSources(
  sinks: readonly SinkConfig[],
  here: NoticeSource | undefined,
  clock: Clock,
  stopping: AbortSignal,
): ReadonlyMap<string, NoticeSource> {
  const sources = new Map<string, NoticeSource>();
  for (const sink of sinks) {
    if (sink.kind === 'core' && here !== undefined) sources.set(sink.name, here);
    if (sink.kind === 'http' && sink.recipient !== undefined) sources.set(sink.name, new HttpNotices(sink, clock, stopping));
  }
  return sources;
}
