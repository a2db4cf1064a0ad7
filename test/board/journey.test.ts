/** A whole kiosk with a board: scans are answered at its lamps, its thermometer's reading joins the scan, its button turns the door. */
import { join } from 'node:path';
import t from 'tap';
import type { CentiCelsius } from '../../protocol/units.ts';
import { cardOf, newDeployment } from '../kiosk/fixtures.ts';
import { startKiosk } from '../kiosk/running-kiosk.ts';
import { LogRecorder } from '../support/log-recorder.ts';
import { boardFirmware } from './firmware.ts';
import { PINS, PluggedUno } from './plugged-uno.ts';

/** Where nothing listens: the kiosk keeps what it is told. */
const NOWHERE = 1;

t.test('kiosk with a board: a scan lights it, a forehead before it is measured, its button turns the door', async (t) => {
  const dir = t.testdir();
  const board = new PluggedUno(boardFirmware(), join(dir, 'board'));
  board.plug();
  t.teardown(() => board.end());
  const pause = () => board.clock.sleep(5, new AbortController().signal);
  const deployment = await newDeployment();
  const log = new LogRecorder();
  const kiosk = await startKiosk(
    {
      dataDir: join(dir, 'kiosk'),
      trustPath: deployment.writeTrust(dir, NOWHERE),
      boards: [
        {
          kind: 'firmata',
          name: 'board',
          path: board.path,
          light: { kind: 'three', pins: { green: PINS.green, yellow: PINS.yellow, red: PINS.red } },
          button: { pin: PINS.button },
          thermometer: { model: 'mlx90614', name: 'forehead' },
        },
      ],
    },
    { log },
  );
  const said = () => kiosk.feedback.map(({ kind }) => kind);
  const isLit = async (pin: number, isIt: boolean) => {
    while (board.uno.isHigh(pin) !== isIt) await pause();
  };
  while (board.sensor.goodReads < 4) await pause();

  t.equal(await kiosk.scan(deployment.textOf(cardOf(1))), 'welcome');
  await isLit(PINS.green, true);
  board.sensor.object = 3_421 as CentiCelsius;
  while (!said().includes('thank-you')) await pause();
  board.sensor.object = 2_215 as CentiCelsius;
  await isLit(PINS.green, false);

  t.equal(await kiosk.scan('4006381333931'), 'not-a-card');
  await isLit(PINS.red, true);

  for (const isDown of [true, false, true, false, true, false]) {
    board.press(isDown);
    await board.clock.sleep(200, new AbortController().signal);
  }
  while (!said().includes('door-out')) await pause();
  for (let blink = 0; blink < 2; blink++) {
    await isLit(PINS.green, true);
    await isLit(PINS.green, false);
  }
  t.strictSame(said(), ['welcome', 'thank-you', 'not-a-card', 'door-out']);
  t.notMatch(log.text, /34[.,]?21/, 'no temperature in a log');
  await kiosk.stop();
  t.notOk(board.uno.isHigh(PINS.green));
});
