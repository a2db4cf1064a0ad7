import { join } from 'node:path';
import t from 'tap';
import { EventKeyboards, listKeyboards } from '../../../hardware/evdev/keyboards.ts';
import { DeviceError } from '../../../protocol/errors.ts';
import { systemClock } from '../../../protocol/time.ts';
import { BUTTON_KEYS, FakeInput } from '../../support/fake-input.ts';
import { FakeNative } from '../../support/fake-native.ts';
import { typed } from '../../support/type-events.ts';

const never = new AbortController().signal;
t.test('keyboards: ids, serial number and socket are told, and what has no Enter is no keyboard', async (t) => {
  const input = new FakeInput(t.testdir());
  input.plug('event10', { serialNumber: 'S1' });
  input.plug('event2', { place: 'platform/i8042/serio0/input/input1', vendorId: '0001' });
  input.plug('event3', { keys: BUTTON_KEYS });
  input.plug('event4', { keys: 'nonsense' });
  input.plug('mouse0', {});
  t.strictSame(await listKeyboards(input.places), [
    { path: '/dev/input/event2', vendorId: '0001', productId: '0001', serialNumber: '', port: 'isa0060/serio0/input0' },
    { path: '/dev/input/event10', vendorId: '1eab', productId: '0001', serialNumber: 'S1', port: '1-1.2' },
  ]);
});

t.test('keyboards: a machine without any has none', async (t) => {
  t.strictSame(await listKeyboards({ classDir: join(t.testdir(), 'none'), deviceDir: '/dev/input' }), []);
});

t.test('keyboards: two of one kind are two, and each is one user’s', async (t) => {
  const input = new FakeInput(t.testdir());
  const native = new FakeNative();
  for (const name of ['event1', 'event2']) {
    input.plug(name, { place: `usb1/1-${name.slice(-1)}/1-${name.slice(-1)}:1.0/input/input1` });
    native.plugKeyboard(`/dev/input/${name}`);
  }
  const keyboards = new EventKeyboards(() => native, input.places);
  const first = await keyboards.open(() => true, never);
  const second = await keyboards.open(() => true, never);
  await t.rejects(
    keyboards.open(() => true, never),
    { code: 'device.absent' },
  );
  await first.close();
  const again = await keyboards.open(({ port }) => port === '1-1', never);
  await Promise.all([second.close(), again.close()]);
  t.equal(native.open, 0);
});

t.test('keyboards: unplugged and plugged in again a hundred times under other names, it is found and nothing stays open', async (t) => {
  const input = new FakeInput(t.testdir());
  const native = new FakeNative();
  const keyboards = new EventKeyboards(() => native, input.places);
  const scans: string[] = [];
  for (let round = 0; round < 100; round++) {
    const name = `event${round % 7}`;
    const path = `/dev/input/${name}`;
    input.plug(name, {});
    native.plugKeyboard(path);
    const link = await keyboards.open(({ vendorId }) => vendorId === '1eab', never);
    native.feed(path, typed(`CODE-${round}\rPART`));
    native.unplugKeyboard(path);
    input.unplug(name);
    const read = async () => {
      for await (const { text } of link.scans({ device: 'door', clock: systemClock }, never)) scans.push(text);
    };
    await t.rejects(read(), { code: 'device.gone' });
    await link.close();
  }
  t.strictSame(
    scans,
    Array.from({ length: 100 }, (_, round) => `CODE-${round}`),
  );
  t.equal(native.open, 0);
});

t.test('keyboards: what hinders is told by its code, and hinders no later try', async (t) => {
  const input = new FakeInput(t.testdir());
  const native = new FakeNative();
  input.plug('event1', {});
  native.plugKeyboard('/dev/input/event1');
  const keyboards = new EventKeyboards(() => native, input.places);
  for (const [errno, code] of Object.entries({
    ENOENT: 'device.absent',
    ENODEV: 'device.absent',
    EACCES: 'device.denied',
    EPERM: 'device.denied',
    EBUSY: 'device.busy',
    EMFILE: 'device.failed',
  })) {
    native.refusals.set('/dev/input/event1', errno);
    await t.rejects(
      keyboards.open(() => true, never),
      { code },
      errno,
    );
  }
  const missing = new EventKeyboards(() => {
    throw new DeviceError('device.no_driver', 'native addon: not here');
  }, input.places);
  await t.rejects(
    missing.open(() => true, never),
    { code: 'device.no_driver' },
  );
  await t.rejects(
    keyboards.open(() => true, AbortSignal.abort()),
    { name: 'AbortError' },
  );
  const link = await keyboards.open(() => true, never);
  await link.close();
  t.equal(native.open, 0);
});
