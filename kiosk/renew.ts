/**
 * Keeps an enrolled kiosk's papers fresh, and its idea of the time while its clock is unset. Both by asking: no date is judged here, because
 * this machine may not know what day it is. Whether a certificate is due is for the gateway to say; whether it has ended shows when it refuses.
 */
import { AdmissionError, codeOf, LinkError } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { ClockWatch } from './clock-state.ts';
import { type Credentials, isForNow } from './credentials.ts';
import type { OpenGatewayLink } from './gateway-link.ts';

export interface RenewOptions {
  readonly credentials: Credentials;
  readonly watch: ClockWatch;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
}

const DAY_MS = 86_400_000;
/** After a start, so that a crowd of kiosks that had a power cut together does not ask together. */
const FIRST_MS = 60_000;
const AGAIN_MS = 3_600_000;
/** A clock that nobody set drifts by some seconds a day. */
const TIME_AGAIN_MS = 3_600_000;
const TIME_RETRY_MS = 30_000;

/** Until abort: asks for fresh papers once a day, and for the time while the clock is not set. */
export async function keepFresh(options: RenewOptions, signal: AbortSignal): Promise<void> {
  await Promise.all([renewDaily(options, signal), tellTime(options, signal)]);
}

async function renewDaily({ credentials, clock, log, random }: RenewOptions, signal: AbortSignal): Promise<void> {
  if (!credentials.areRenewed) return;
  for (let waitMs = random() * FIRST_MS; !signal.aborted; ) {
    await clock.sleep(Math.ceil(waitMs), signal);
    if (signal.aborted) return;
    try {
      await credentials.renew(signal);
      waitMs = (0.9 + 0.2 * random()) * DAY_MS;
    } catch (error) {
      if (!isForNow(error)) throw error;
      log.debug('renewal.failed', () => ({ code: error.code }));
      waitMs = (0.5 + random()) * AGAIN_MS;
    }
  }
}

async function tellTime({ credentials, watch, clock, log }: RenewOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    let waitMs = TIME_RETRY_MS;
    if (!watch.isSet) {
      try {
        watch.tell(await credentials.askTime(signal));
        log.info('clock.told');
        waitMs = TIME_AGAIN_MS;
      } catch (error) {
        if (!isForNow(error)) throw error;
        log.debug('clock.not_told', () => ({ code: error.code }));
      }
    }
    await clock.sleep(waitMs, signal);
  }
}

/**
 * A link that asks for fresh papers where the gateway does not let it in, and tries once more with those: its certificate may have ended, or
 * the gateway's authority be another one.
 */
export const renewingLink = (open: OpenGatewayLink, credentials: Credentials): OpenGatewayLink => {
  return async (signal) => {
    try {
      return await open(signal);
    } catch (error) {
      if (!credentials.areRenewed || !(error instanceof LinkError) || error.code !== 'link.unauthorised') throw error;
      await renewOr(error, credentials, signal);
      return await open(signal);
    }
  };
};

/** @throws LinkError with what the gateway said, where that tells more than that it did not let us in. */
async function renewOr(refused: LinkError, credentials: Credentials, signal: AbortSignal): Promise<void> {
  try {
    await credentials.renew(signal);
  } catch (error) {
    if (error instanceof AdmissionError) throw new LinkError(error.code, error.message, { cause: error });
    if (codeOf(error) === undefined) throw error;
    throw refused;
  }
}
