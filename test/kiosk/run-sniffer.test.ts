import t from 'tap';
import { parseConfig } from '../../kiosk/config.ts';
import { runSniffer } from '../../kiosk/run-sniffer.ts';
import type { Occupancy } from '../../protocol/event.ts';
import { systemClock } from '../../protocol/time.ts';
import { VirtualController } from '../support/ble/virtual-controller.ts';
import { LogRecorder } from '../support/log-recorder.ts';

const [sniffer] = parseConfig({ dataDir: 'x', trustPath: 'x', sniffers: [{ kind: 'bluetooth' }] }).sniffers;
if (sniffer === undefined) throw new Error('no sniffer was configured');

const phone = (last: number) => ({
  address: Uint8Array.of(0x4c, 1, 2, 3, 4, last),
  isRandomAddress: true,
  rssi: -60,
  bytes: Uint8Array.of(2, 1, 6),
});

t.test('runSniffer: what a controller reports becomes one number a slot', async (t) => {
  const controller = await VirtualController.listen();
  t.teardown(() => controller.close());
  const stop = new AbortController();
  const log = new LogRecorder();
  const told: Occupancy[] = [];
  const reports: string[] = [];
  const running = runSniffer(
    {
      // A second, so that the test is short; the configuration allows five minutes at least.
      sniffer: { ...sniffer, slotMs: 1_000 },
      clock: systemClock,
      log,
      random: () => 0,
      radio: controller.radio,
      onReport: ({ device, isUp }) => reports.push(`${device} ${isUp ? 'up' : 'down'}`),
      onOccupancy: (occupancy) => {
        told.push(occupancy);
        // A slot may end between two of the nine; on a busy machine it is one of the next that hears all.
        if (occupancy.tokens === 9) stop.abort();
      },
    },
    stop.signal,
  );
  await controller.until(({ isScanning }) => isScanning);
  const walking = setInterval(() => {
    for (let last = 1; last <= 9; last++) controller.advertise([phone(last)]);
  }, 50);
  t.teardown(() => clearInterval(walking));
  await running;
  t.strictSame(told.at(-1), { type: 'occupancy', slotMs: 1_000, tokens: 9 });
  t.ok(
    told.every(({ tokens }) => tokens === undefined || tokens === 8 || tokens === 9),
    'none is counted twice, and no small number is told',
  );
  t.strictSame(reports, ['sniffer up']);
  await controller.until(({ hosts }) => hosts === 0);
});
