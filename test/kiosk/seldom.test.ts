import { join } from 'node:path';
import t from 'tap';
import { Answers } from '../../kiosk/answers.ts';
import { parseConfig } from '../../kiosk/config.ts';
import { runDevices } from '../../kiosk/devices.ts';
import { seldom } from '../../kiosk/seldom.ts';
import { silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import { Happenings } from '../support/happenings.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { PtyDevice } from '../support/pty.ts';

t.test('seldom: the first is told at once, then one a second, of each device for itself', async (t) => {
  const clock = new ManualClock();
  const told: string[] = [];
  const tell = seldom(clock, (device) => told.push(device));
  for (let passedMs = 0; passedMs < 3_000; passedMs += 10) {
    tell('door');
    if (passedMs === 1_500) tell('side');
    await clock.advance(10);
  }
  t.strictSame(told, ['door', 'door', 'side', 'door']);
});

t.test('runDevices: a scanner that sends noise without end is told of a few times, and a code of it is still read', async (t) => {
  const device = new PtyDevice(join(t.testdir(), 'scanner'));
  device.plug();
  const clock = new ManualClock();
  const said = new Happenings<string>();
  const stop = new AbortController();
  const running = runDevices(
    {
      config: parseConfig({
        dataDir: '-',
        trustPath: '-',
        scanners: [{ kind: 'serial', name: 'door', path: device.path, framing: 'line' }],
      }),
      // Time stands still for the limit, not for the driver.
      clock: { ...systemClock, monotonic: () => clock.monotonic() },
      log: silentLog,
      random: () => 0,
      input: undefined,
      answers: new Answers(),
      onScan: ({ text }) => said.add(text),
      onNoScan: () => said.add('refused'),
      onReading: () => {},
      onOccupancy: () => {},
      onButton: () => {},
      onReport: ({ isUp }) => said.add(isUp ? 'up' : 'down'),
    },
    stop.signal,
  );
  await said.until((all) => all.includes('up'));
  await device.send(Buffer.concat([Buffer.from('\u0001\r'.repeat(5_000)), Buffer.from('VCGOOD\r')]));
  await said.until((all) => all.includes('VCGOOD'));
  t.strictSame(said.all, ['up', 'refused', 'VCGOOD']);
  stop.abort();
  await running;
  await device.unplug();
});
