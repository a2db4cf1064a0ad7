import t from 'tap';
import { Outage } from '../../hardware/outage.ts';
import { BOARD_BACKOFF } from '../../kiosk/run-board.ts';
import { DeviceError } from '../../protocol/errors.ts';
import { silentLog } from '../../protocol/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

const gone = { error: new DeviceError('device.gone', 'board: unplugged'), hadOpened: true };

function outageOf(clock: ManualClock): Outage {
  return new Outage({ device: 'board', clock, log: silentLog, onReport() {}, backoff: { ...BOARD_BACKOFF, random: () => 0 } });
}

t.test('runBoard: a board that is pulled out a hundred times is tried again within half a second each time', async (t) => {
  const outage = outageOf(new ManualClock());
  for (let plugs = 0; plugs < 100; plugs++) t.ok(outage.failed(gone) <= 500);
});

t.test('runBoard: a board that starts anew without end is opened ever more seldom', async (t) => {
  const clock = new ManualClock();
  const outage = outageOf(clock);
  let opens = 0;
  for (const endsMs = clock.monotonic() + 86_400_000; clock.monotonic() < endsMs; opens++) {
    outage.up();
    await clock.advance(400);
    await clock.advance(outage.failed(gone));
  }
  t.ok(opens < 5_000, `${opens} opens a day`);
  outage.stop();
});
