import { join } from 'node:path';
import t from 'tap';
import { openSerial } from '../../hardware/serial-link.ts';
import { PtyDevice } from '../support/pty.ts';

t.test('serial link: bytes go both ways, and unplugging is device.gone', async (t) => {
  const device = new PtyDevice(join(t.testdir(), 'usb-scanner'));
  device.plug();
  t.teardown(() => device.unplug());
  const stop = new AbortController();
  const link = await openSerial({ path: device.path, baudRate: 9_600 })(stop.signal);
  t.teardown(() => link.close());
  await link.write(Buffer.from('hello'), stop.signal);
  t.equal((await device.receivedAtLeast(5)).toString(), 'hello');
  await device.send('VC\r');
  const chunks = link.read(stop.signal)[Symbol.asyncIterator]();
  t.equal(Buffer.from((await chunks.next()).value ?? []).toString(), 'VC\r');
  const next = chunks.next();
  await device.unplug();
  await t.rejects(next, { code: 'device.gone' });
});
