import { execFileSync } from 'node:child_process';
import { chmodSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { ByteLink } from '../../hardware/byte-link.ts';
import { listSerialPorts, openSerial, type SerialSettings } from '../../hardware/serial-link.ts';
import { PtyDevice } from '../support/pty.ts';

const never = new AbortController().signal;

/** A device plugged in, and an opener of its port; both let go at the test's end. */
function plugIn(t: Tap, dir = t.testdir(), name = 'usb-scanner') {
  const device = new PtyDevice(join(dir, name));
  device.plug();
  t.teardown(() => device.unplug());
  const open = async (settings: Partial<SerialSettings> = {}) => {
    const link = await openSerial({ path: device.path, baudRate: 9_600, ...settings })(never);
    t.teardown(() => link.close());
    return link;
  };
  return { device, open };
}
type Tap = Pick<typeof t, 'testdir' | 'teardown'>;

const readOnce = async (link: ByteLink, signal = never): Promise<string | undefined> => {
  for await (const chunk of link.read(signal)) return Buffer.from(chunk).toString();
  return undefined;
};

t.test('serial link: bytes go both ways unchanged', async (t) => {
  const { device, open } = plugIn(t);
  const link = await open();
  const every = Uint8Array.from({ length: 256 }, (_, index) => index);
  await link.write(every, never);
  t.strictSame([...(await device.receivedAtLeast(256))], [...every]);
  await device.send(every);
  const got: number[] = [];
  for await (const chunk of link.read(never)) if (got.push(...chunk) >= 256) break;
  t.strictSame(got, [...every]);
});

t.test('serial link: its speed can be changed while it is read', async (t) => {
  const { device, open } = plugIn(t);
  const link = await open();
  const speed = () => execFileSync('stty', ['-F', device.terminalPath, 'speed'], { encoding: 'utf8' }).trim();
  t.equal(speed(), '9600');
  const got = readOnce(link);
  await link.setBaudRate(115_200);
  t.equal(speed(), '115200');
  await device.send('VC');
  t.equal(await got, 'VC');
  await link.close();
  await t.rejects(link.setBaudRate(9_600), { code: 'device.gone' });
});

t.test('serial link: unplugged while it waits, it is device.gone', async (t) => {
  const { device, open } = plugIn(t);
  const link = await open();
  const refused = t.rejects(readOnce(link), { name: 'DeviceError', code: 'device.gone' });
  await device.unplug();
  await refused;
  await t.rejects(readOnce(link), { code: 'device.gone' }, 'and stays so');
  await t.rejects(link.write(Uint8Array.of(1), never), { code: 'device.gone' });
});

t.test('serial link: unplugged between two reads, it is device.gone and does not read the end for ever', async (t) => {
  const { device, open } = plugIn(t);
  const link = await open();
  await device.send('VC');
  t.equal(await readOnce(link), 'VC');
  await device.unplug();
  await t.rejects(readOnce(link), { code: 'device.gone' });
});

t.test('serial link: a path with nothing behind it is device.absent', async (t) => {
  const dir = t.testdir();
  await t.rejects(openSerial({ path: join(dir, 'none'), baudRate: 9_600 })(never), { code: 'device.absent' });
  symlinkSync('/dev/pts/none', join(dir, 'dangling'));
  await t.rejects(openSerial({ path: join(dir, 'dangling'), baudRate: 9_600 })(never), { code: 'device.absent' });
});

t.test('serial link: a port that another program has locked is device.busy, until it is closed', async (t) => {
  const { open } = plugIn(t);
  const first = await open();
  await t.rejects(open(), { code: 'device.busy' });
  await first.close();
  await (await open()).close();
});

t.test('serial link: a port that this user may not open is device.denied', async (t) => {
  const { device, open } = plugIn(t);
  chmodSync(device.terminalPath, 0);
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.('nobody');
  try {
    await t.rejects(openSerial({ path: device.terminalPath, baudRate: 9_600 })(never), { code: 'device.denied' });
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
  chmodSync(device.terminalPath, 0o600);
  await open();
});

t.test('serial link: a path that is no serial port is device.failed, and so is a baud rate that is none', async (t) => {
  const path = join(t.testdir(), 'file');
  writeFileSync(path, 'VC');
  await t.rejects(openSerial({ path, baudRate: 9_600 })(never), {
    code: 'device.failed',
    message: 'serial port: that path is no serial port',
  });
  const { open } = plugIn(t, join(path, '..'));
  await t.rejects(open({ baudRate: 0 }), { code: 'device.failed' });
  await open();
});

t.test('serial link: DTR and RTS that can not be set are device.failed, and the port is let go', async (t) => {
  const { open } = plugIn(t);
  await t.rejects(open({ dtr: false }), { code: 'device.failed' }, 'a pseudo-terminal has no such lines');
  await open();
});

t.test('serial link: on abort reading returns, and the next reader misses no byte', async (t) => {
  const { device, open } = plugIn(t);
  const link = await open();
  const stop = new AbortController();
  const waiting = readOnce(link, stop.signal);
  stop.abort();
  t.equal(await waiting, undefined);
  await device.send('VC');
  // Time for the abandoned read to get the bytes.
  for (let turn = 0; turn < 1_000; turn++) await new Promise((resolve) => setImmediate(resolve));
  t.equal(await readOnce(link, stop.signal), undefined, 'an aborted signal reads nothing');
  t.equal(await readOnce(link), 'VC');
});

t.test('serial link: an aborted opening opens nothing', async (t) => {
  const { device, open } = plugIn(t);
  await t.rejects(openSerial({ path: device.path, baudRate: 9_600 })(AbortSignal.abort(new Error('stop'))), { message: 'stop' });
  const stop = new AbortController();
  const opening = openSerial({ path: device.path, baudRate: 9_600 })(stop.signal);
  stop.abort(new Error('stop'));
  await t.rejects(opening, { message: 'stop' });
  await open();
});

t.test('serial link: closed is closed, however often, and nothing waits for a next device', async (t) => {
  const { device, open } = plugIn(t);
  const link = await open();
  const refused = t.rejects(readOnce(link), { code: 'device.gone' });
  const closing = link.close();
  t.equal(link.close(), closing);
  await closing;
  await refused;
  await t.rejects(link.write(Uint8Array.of(1), never), { code: 'device.gone' });
  await t.rejects(readOnce(link), { code: 'device.gone' });
  const next = await open();
  await next.write(Uint8Array.of(2), never);
  t.strictSame([...(await device.receivedAtLeast(1))], [2]);
});

t.test('serial link: what the device does not take is device.failed, and the port still closes', async (t) => {
  const { device, open } = plugIn(t);
  device.stopTaking();
  const link = await open();
  const scan = readOnce(link);
  await t.rejects(link.write(new Uint8Array(1_000_000), never), { code: 'device.failed', message: /took \d+ of 1000000 bytes/ });
  await device.send('VC');
  t.equal(await scan, 'VC', 'and reading goes on');
  await link.close();
  await open();
});

t.test('serial link: an aborted write sends nothing', async (t) => {
  const { device, open } = plugIn(t);
  const link = await open();
  await t.rejects(link.write(Uint8Array.of(1), AbortSignal.abort(new Error('stop'))), { message: 'stop' });
  await link.write(Uint8Array.of(2), never);
  t.strictSame([...(await device.receivedAtLeast(1))], [2]);
});

t.test('serial link: what was sent before the port was opened is not read', async (t) => {
  const { device, open } = plugIn(t);
  await device.send('VCSTALE\r');
  const link = await open();
  await device.send('VCFRESH\r');
  t.equal(await readOnce(link), 'VCFRESH\r');
});

t.test('serial link: two ports do not mix', async (t) => {
  const dir = t.testdir();
  const [one, two] = [plugIn(t, dir, 'one'), plugIn(t, dir, 'two')];
  const [first, second] = [await one.open(), await two.open()];
  await Promise.all([one.device.send('VCONE'), two.device.send('VCTWO')]);
  t.strictSame([await readOnce(first), await readOnce(second)], ['VCONE', 'VCTWO']);
});

t.test('serial link: the ports of this machine are listed, or it is said that they can not be', async (t) => {
  const ports = await listSerialPorts().catch((error: { code?: string }) => error.code);
  t.ok(ports === 'device.failed' || (Array.isArray(ports) && ports.every(({ path }) => path.startsWith('/'))));
});
