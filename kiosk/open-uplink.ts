/** The uplink of one outbox, wired: what it seals with, whom it tells. */
import type { BootId } from '../protocol/ids.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import { topicOf } from '../protocol/topics.ts';
import type { Credentials } from './credentials.ts';
import { gatewayRoad } from './gateway-road.ts';
import type { GatewayWord } from './gateway-word.ts';
import type { Health } from './health.ts';
import type { Outbox } from './outbox.ts';
import type { Recorder } from './recorder.ts';
import { sealRows } from './seal-rows.ts';
import { Uplink, type UplinkLimits } from './uplink.ts';

export interface OpenUplink {
  readonly outbox: Outbox;
  readonly credentials: Credentials;
  readonly version: string;
  readonly bootId: BootId;
  readonly limits: UplinkLimits;
  readonly recorder: Recorder;
  readonly word: GatewayWord;
  readonly health: Health;
  readonly clock: Clock;
  readonly log: Log;
  /** The link is up. */
  readonly onUp: () => void;
}

/** Opens nothing by itself: it runs when it is told to. */
export function openUplink({ outbox, credentials, version, bootId, limits, recorder, word, health, clock, log, onUp }: OpenUplink): Uplink {
  const { kiosk, privateKey } = credentials.identity;
  const { deployment } = credentials.trust;
  const topic = topicOf(kiosk, 'batch');
  return new Uplink({
    outbox,
    open: gatewayRoad({
      credentials,
      version,
      clock,
      log,
      onReceipt: ({ conflicts, quarantined }) => health.received(conflicts, quarantined),
      onPolicy: word.onPolicy,
      onNotices: word.onNotices,
      onCommand: word.onCommand,
      onRelease: word.onRelease,
    }),
    topic,
    seal: (rows, key) => {
      const from = { deployment, topic, bootId, monotonicMs: clock.monotonic(), signingKey: privateKey };
      return sealRows(rows, recorder.keyFor(outbox, key), from);
    },
    limits,
    clock,
    log,
    random: Math.random,
    onLink: (report) => {
      health.link(report.isUp, report.isUp ? undefined : report.why.code);
      log.debug('link.report', () => ({ isUp: report.isUp }));
      if (report.isUp) onUp();
      else word.releases.cutOff();
    },
    onStoreFailed: (error) => {
      if (recorder.outbox === outbox) recorder.failed(error);
    },
    onRowDropped: () => health.dropped(),
  });
}
