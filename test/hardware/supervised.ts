/** What the tests of the supervisor share. */
import { type DeviceReport, HARDWARE_BACKOFF, type Supervised, supervise } from '../../hardware/supervise.ts';
import { DeviceError } from '../../protocol/errors.ts';
import type { Log, LogFields } from '../../protocol/log.ts';
import type { FakeLink } from '../support/fake-link.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** Log lines as they came. */
export class Lines implements Log {
  readonly all: { event: string; fields: LogFields }[] = [];
  error(event: string, fields: LogFields = {}) {
    this.all.push({ event, fields });
  }
  warn(event: string, fields: LogFields = {}) {
    this.all.push({ event, fields });
  }
  info(event: string, fields: LogFields = {}) {
    this.all.push({ event, fields });
  }
  debug() {}
  get events() {
    return this.all.map(({ event }) => event);
  }
}

/** Opening a device that is not there. */
export const absent = () => Promise.reject(new DeviceError('device.absent', 'scanner: not there'));

/** Reads until the link or the signal ends it. */
export const drainTo = async (seen: string[], link: FakeLink, signal: AbortSignal) => {
  for await (const chunk of link.read(signal)) seen.push(Buffer.from(chunk).toString());
};
export const drain = (link: FakeLink, signal: AbortSignal) => drainTo([], link, signal);

/** A device under supervision, with the clock in the test's hand and waits not cut by chance. */
export function superviseOne(part: Pick<Supervised<FakeLink>, 'open' | 'use'> & { isUpOnceOpen?: boolean }, clock = new ManualClock()) {
  const log = new Lines();
  const reports: DeviceReport[] = [];
  const stop = new AbortController();
  const ended = supervise(
    {
      device: 'scanner',
      clock,
      log,
      onReport: (report) => reports.push(report),
      backoff: { ...HARDWARE_BACKOFF, random: () => 0 },
      ...part,
    },
    stop.signal,
  );
  const said = () => reports.map((report) => (report.isUp ? 'up' : report.why.code));
  return { clock, log, reports, stop, ended, said };
}
