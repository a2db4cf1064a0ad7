import t, { type Test } from 'tap';
import { SILENCE_MS } from '../../../hardware/ble/listening.ts';
import { openSniffer, readSightings, type SnifferBatch } from '../../../hardware/ble/sniffer.ts';
import { systemClock } from '../../../protocol/time.ts';
import { FakeRadio } from '../../support/ble/fake-radio.ts';
import { extendedReports, metaEvent } from '../../support/ble/hci-packets.ts';
import { VirtualController } from '../../support/ble/virtual-controller.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const never = new AbortController().signal;

const phone = (last: number) => ({
  address: Uint8Array.of(0x4c, 1, 2, 3, 4, last),
  isRandomAddress: true,
  rssi: -60,
  bytes: Uint8Array.of(2, 1, 6),
});

const openOne = async (t: Test, isExtended = false) => {
  const controller = await VirtualController.listen();
  t.teardown(() => controller.close());
  controller.isExtended = isExtended;
  const link = await openSniffer(undefined, { clock: systemClock, ...controller.radio })(never);
  t.teardown(() => link.close());
  return { controller, batches: readSightings(link, { clock: systemClock }, never) };
};

/** Batches until so many reports were told of. */
async function upTo(batches: AsyncGenerator<SnifferBatch, void>, count: number): Promise<SnifferBatch[]> {
  const read: SnifferBatch[] = [];
  while (read.reduce((sum, { reports }) => sum + reports, 0) < count) {
    const { value } = await batches.next();
    if (value === undefined) break;
    read.push(value);
  }
  return read;
}

const linesOf = (batches: readonly SnifferBatch[]): string[] =>
  batches.flatMap(({ sightings }) =>
    sightings.map(({ kind, rssiDbm, tokenInput }) => `${kind} ${rssiDbm} ${Buffer.from(tokenInput).toString('hex')}`),
  );

for (const isExtended of [false, true]) {
  t.test(`sniffer: what a controller reports ${isExtended ? 'in extended reports ' : ''}arrives through noble`, async (t) => {
    const { controller, batches } = await openOne(t, isExtended);
    t.ok(controller.advertise([phone(1), phone(2)]));
    t.strictSame(linesOf(await upTo(batches, 2)), ['plain -60 4c0102030401', 'plain -60 4c0102030402']);
  });
}

t.test('sniffer: a report that comes in pieces is counted as refused', async (t) => {
  const { controller, batches } = await openOne(t, true);
  controller.send(extendedReports([phone(1)], 0x0020));
  controller.send(extendedReports([phone(2)], 0x0040));
  const read = await upTo(batches, 2);
  t.strictSame([linesOf(read), read.reduce((sum, { refused }) => sum + refused, 0)], [[], 2]);
});

t.test('sniffer: garbage of the controller is passed over, and what follows is heard', async (t) => {
  const { controller, batches } = await openOne(t);
  const garbage = [
    Buffer.of(),
    Buffer.of(0x04),
    Buffer.of(0x04, 0x3e),
    Buffer.of(0x04, 0x3e, 0x02, 0x02),
    Buffer.of(0x04, 0x0e, 0x01, 0x01),
    Buffer.of(0x02, 0x00),
    Buffer.of(0xff, 0xff, 0xff),
    metaEvent(0x02, Buffer.of(0xff)),
    metaEvent(0x02, Buffer.of(3, 0, 0, 1, 2, 3)),
    metaEvent(0x02, Buffer.of(1, 0, 0, 1, 2, 3, 4, 5, 6, 200, 1)),
    metaEvent(0x0d, Buffer.of(9, 1)),
    metaEvent(0x01, Buffer.of(0)),
    metaEvent(0x2a, Buffer.alloc(200, 0xff)),
  ];
  for (const packet of garbage) controller.send(packet);
  controller.advertise([phone(7)]);
  const lines: string[] = [];
  while (lines.length === 0) lines.push(...linesOf(await upTo(batches, 1)));
  t.strictSame(lines, ['plain -60 4c0102030407']);
});

t.test('sniffer: advertisements whose data is wrong are refused, and told of by number alone', async (t) => {
  const { controller, batches } = await openOne(t);
  controller.advertise([{ ...phone(1), bytes: Uint8Array.of(30, 0xff, 0x4c) }]);
  const [batch] = await upTo(batches, 1);
  t.match(batch, { reports: 1, refused: 1, sightings: [] });
});

t.test('sniffer: a flood is bounded, and what does not fit is counted', async (t) => {
  const { controller, batches } = await openOne(t);
  const sent = 20_000;
  for (let number = 0; number < sent; number += 10) {
    controller.advertise(Array.from({ length: 10 }, (_none, index) => phone((number + index) & 0xff)));
  }
  const read = await upTo(batches, sent);
  const told = read.reduce((sum, { sightings }) => sum + sightings.length, 0);
  const refused = read.reduce((sum, batch) => sum + batch.refused, 0);
  t.equal(told + refused, sent);
  t.ok(read.every(({ sightings }) => sightings.length < 1_000));
});

/** A driver on a radio in memory, heartbeats by hand. */
function driverOf() {
  const radio = new FakeRadio();
  const clock = new ManualClock();
  const rescans: string[] = [];
  const stop = new AbortController();
  let error: unknown;
  const ended = (async () => {
    for await (const _batch of readSightings(radio, { clock, onRescan: (why) => rescans.push(why) }, stop.signal));
  })().catch((thrown: unknown) => {
    error = thrown;
  });
  const live = async (seconds: number, heard: (second: number) => Parameters<FakeRadio['beat']>[0] = () => ({})) => {
    for (let second = 0; second < seconds; second++) {
      await clock.advance(1_000);
      radio.beat(heard(second));
    }
    await clock.advance(1);
  };
  return { radio, rescans, live, ended, stop, error: () => error };
}

const sighting = (number: number) =>
  ({ kind: 'plain', tokenInput: Uint8Array.of(0, 0, 0, 0, number >> 8, number & 0xff), rssiDbm: -60 }) as const;

t.test('readSightings: silence has the scan started anew, then the radio is given up', async (t) => {
  const { radio, rescans, live, ended, error } = driverOf();
  await live(1, () => ({ reports: 1, sightings: [sighting(1)] }));
  await live(SILENCE_MS / 1_000);
  t.equal(radio.rescans, 1);
  t.strictSame(rescans, ['silence']);
  await live(SILENCE_MS / 1_000);
  await ended;
  t.match(error(), { name: 'DeviceError', code: 'device.timeout' });
});

t.test('readSightings: a scan that tells of each sender once is started anew, again and again', async (t) => {
  const { radio, rescans, live, ended, stop } = driverOf();
  await live(95, (second) => ({ reports: 1, sightings: [sighting(second)] }));
  t.equal(radio.rescans, 3);
  t.ok(rescans.every((why) => why === 'deduplicated'));
  stop.abort();
  await ended;
});

t.test('readSightings: a crowd of a thousand that is heard again and again is not taken for that', async (t) => {
  const { radio, live, ended, stop } = driverOf();
  let next = 0;
  const heard = () => {
    const sightings = Array.from({ length: 50 }, () => sighting(next++ % 1_000));
    // Who stands near is heard more often.
    return { reports: 51, sightings: [...sightings, sighting(0)] };
  };
  await live(120, heard);
  t.equal(radio.rescans, 0);
  stop.abort();
  await ended;
});

t.test('readSightings: another program that meddles is answered with a new scan', async (t) => {
  const { radio, rescans, live, ended, stop } = driverOf();
  await live(12, () => ({ reports: 2, sightings: [sighting(1), sighting(1)], isDisturbed: true }));
  t.equal(radio.rescans, 1);
  t.strictSame(rescans, ['disturbed']);
  stop.abort();
  await ended;
});
