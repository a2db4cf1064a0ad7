import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import t from 'tap';
import { encodeSample, SEND_CONTINUOUSLY } from '../../hardware/thermometer/gy-mcu90614-codec.ts';
import { Answers } from '../../kiosk/answers.ts';
import { parseConfig } from '../../kiosk/config.ts';
import { runDevices } from '../../kiosk/devices.ts';
import { silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import type { CentiCelsius } from '../../protocol/units.ts';
import { Happenings } from '../support/happenings.ts';
import { PtyDevice } from '../support/pty.ts';
import { typingOf } from '../support/typing-of.ts';

t.test('runDevices: scanner, thermometer and input work side by side, and an unplugged scanner stops none of them', async (t) => {
  const dir = t.testdir();
  const scanner = new PtyDevice(join(dir, 'scanner'));
  const thermometer = new PtyDevice(join(dir, 'thermometer'));
  scanner.plug();
  thermometer.plug();
  const diary = new Happenings<string>();
  const noted = (line: string) => diary.until((all) => all.includes(line));
  const stopping = new AbortController();
  const config = parseConfig({
    dataDir: dir,
    trustPath: dir,
    scanners: [
      { kind: 'serial', name: 'door', path: scanner.path },
      { kind: 'standard-input', name: 'keyboard' },
    ],
    thermometers: [{ kind: 'serial', model: 'gy-mcu90614', name: 'forehead', path: thermometer.path }],
  });
  const keys = new PassThrough();
  keys.write('TYPED\n');
  const running = runDevices(
    {
      config,
      clock: systemClock,
      log: silentLog,
      random: () => 0.99,
      input: typingOf(keys),
      onScan: ({ text, device }) => diary.add(`${device} scanned ${text}`),
      onNoScan: (device) => diary.add(`${device} refused`),
      onReading: ({ objectRaw, device }) => diary.add(`${device} read ${objectRaw}`),
      onOccupancy() {},
      answers: new Answers(),
      onButton: () => {},
      onReport: ({ device, isUp }) => diary.add(`${device} ${isUp ? 'up' : 'down'}`),
    },
    stopping.signal,
  );
  await noted('keyboard scanned TYPED');
  await noted('door up');
  await scanner.send('FIRST\r');
  await noted('door scanned FIRST');
  await scanner.send('\u0001\u0002\r');
  await noted('door refused');
  await scanner.unplug();
  await noted('door down');
  // What came before the port is open is thrown away; that it is, the command to send shows.
  await thermometer.receivedAtLeast(SEND_CONTINUOUSLY.length);
  const sample = encodeSample({ objectRaw: 3_512 as CentiCelsius, ambientRaw: 2_210 as CentiCelsius });
  for (let frames = 0; frames < 6; frames++) await thermometer.send(sample);
  await noted('forehead up');
  await noted('forehead read 3512');
  diary.all.length = 0;
  scanner.plug();
  await noted('door up');
  await scanner.send('SECOND\r');
  await noted('door scanned SECOND');
  stopping.abort();
  await running;
  await scanner.unplug();
  await thermometer.unplug();
});
