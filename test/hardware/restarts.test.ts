import t from 'tap';
import { Restarts, supervise } from '../../hardware/supervise.ts';
import { silentLog } from '../../protocol/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

t.test(
  'supervise: a device that is open and dead is closed and opened anew when it is asked for, also where its driver hangs',
  async (t) => {
    const clock = new ManualClock();
    const restarts = new Restarts();
    const stopping = new AbortController();
    const [reports, closed]: [string[], number[]] = [[], []];
    let opens = 0;
    const running = supervise(
      {
        device: 'front',
        clock,
        log: silentLog,
        restarts,
        open: async () => {
          const number = ++opens;
          return { close: async () => void closed.push(number) };
        },
        // Open, and nothing comes any more: neither a byte, nor an error, nor an end when it is told to end.
        use: () => new Promise(() => {}),
        onReport: (report) => reports.push(report.isUp ? 'up' : report.why.code),
        backoff: { firstWaitMs: 100, longestWaitMs: 150, longestUsedWaitMs: 30_000, quickReplugs: 200, healthyMs: 10_000, random: () => 0 },
      },
      stopping.signal,
    );
    await clock.advance(20_000);
    t.strictSame(reports, ['up']);
    restarts.restart();
    await clock.advance(500);
    t.strictSame(reports, ['up', 'device.silent', 'up']);
    t.strictSame([opens, closed], [2, [1]], 'closed before it was opened again');
    stopping.abort();
    await clock.advance(10_000);
    await running;
    restarts.restart();
    t.equal(opens, 2, 'what has ended is not opened');
  },
);
