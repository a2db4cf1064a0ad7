import t from 'tap';
import { openSniffer, readSightings } from '../../../hardware/ble/sniffer.ts';
import { systemClock } from '../../../protocol/time.ts';
import { VirtualController } from '../../support/ble/virtual-controller.ts';

const phone = (last: number) => ({
  address: Uint8Array.of(0x4c, 1, 2, 3, 4, last),
  isRandomAddress: true,
  rssi: -60,
  bytes: Uint8Array.of(2, 1, 6),
});

for (const isExtended of [false, true]) {
  t.test(`sniffer: what a controller reports ${isExtended ? 'in extended reports ' : ''}arrives through noble`, async (t) => {
    const controller = await VirtualController.listen();
    t.teardown(() => controller.close());
    controller.isExtended = isExtended;
    const stop = new AbortController();
    const link = await openSniffer(undefined, { clock: systemClock, ...controller.radio })(stop.signal);
    t.ok(controller.isScanning);
    controller.advertise([phone(1), phone(2)]);
    const kinds: string[] = [];
    for await (const { sightings } of readSightings(link, { clock: systemClock }, stop.signal)) {
      kinds.push(...sightings.map(({ kind, rssiDbm, tokenInput }) => `${kind} ${rssiDbm} ${Buffer.from(tokenInput).toString('hex')}`));
      if (kinds.length === 2) stop.abort();
    }
    t.strictSame(kinds, ['plain -60 4c0102030401', 'plain -60 4c0102030402']);
    await link.close();
    await controller.until(({ hosts }) => hosts === 0);
  });
}
