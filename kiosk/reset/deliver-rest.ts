/** The kiosk itself, without devices and page, delivers what waits before it is reset: until nothing does, gateway or store are away, or half a minute is over. */
import { ExpectedError } from '../../protocol/errors.ts';
import { silentLog } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import { askKiosk } from '../ask-kiosk.ts';
import type { KioskConfig } from '../config.ts';
import type { KioskNow } from '../doctor-words.ts';
import { runKiosk } from '../run-kiosk.ts';

/** A drain of a week takes longer; it is shown then, and asked about. */
const DELIVER_MS = 30_000;
const LOOK_EVERY_MS = 250;

/** A store that can not be opened delivers nothing, however long it is waited for. */
export const isOver = ({ queued, linkWhy, storeWhy }: KioskNow): boolean =>
  queued === 0 || linkWhy !== undefined || (queued === undefined && storeWhy !== undefined);

/** The caller does not hold the directory's lock. What could not be delivered is there still. */
export async function deliverRest(config: KioskConfig, clock: Clock, version: string, signal: AbortSignal): Promise<void> {
  const stopping = new AbortController();
  const cancel = clock.after(DELIVER_MS, () => stopping.abort());
  const ending = AbortSignal.any([signal, stopping.signal]);
  const { promise: ready, resolve: onReady } = Promise.withResolvers<void>();
  const running = runKiosk(config, { clock, log: silentLog, version, onReady: () => onReady(), isErrand: true }, ending);
  try {
    await Promise.race([ready, running]);
    while (!ending.aborted) {
      for await (const answer of askKiosk(config.dataDir, 'state', ending)) {
        if ('state' in answer && isOver(answer.state)) stopping.abort();
      }
      await clock.sleep(LOOK_EVERY_MS, ending);
    }
  } catch (error) {
    // What can not be delivered is shown, and asked about.
    if (!(error instanceof ExpectedError)) throw error;
  } finally {
    cancel();
    stopping.abort();
    await running.catch(() => {});
  }
}
