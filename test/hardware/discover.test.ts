import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type FoundPort, findPorts, watchPorts } from '../../hardware/discover.ts';
import type { SerialPortInfo } from '../../hardware/serial-link.ts';
import { DeviceError } from '../../protocol/errors.ts';
import { silentLog } from '../../protocol/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** A /dev of plain files, with what udev would add. */
class Dev {
  readonly places: { deviceDir: string; linkDirs: string[] };
  readonly #ports = new Map<string, SerialPortInfo>();
  lists = 0;
  canList = true;

  constructor(dir: string) {
    this.places = { deviceDir: join(dir, 'dev'), linkDirs: [join(dir, 'by-id'), join(dir, 'by-path')] };
    for (const made of [this.places.deviceDir, ...this.places.linkDirs]) mkdirSync(made);
  }

  plug(name: string, vendorId: string | undefined, links: { id?: string; socket?: string } = {}): string {
    const path = join(this.places.deviceDir, name);
    writeFileSync(path, '');
    this.#ports.set(name, { path, vendorId, productId: '0001' });
    const [byId = '', byPath = ''] = this.places.linkDirs;
    if (links.id !== undefined) this.#link(path, join(byId, links.id));
    if (links.socket !== undefined) this.#link(path, join(byPath, links.socket));
    return path;
  }

  unplug(name: string): void {
    rmSync(join(this.places.deviceDir, name));
    this.#ports.delete(name);
  }

  readonly list = async (): Promise<readonly SerialPortInfo[]> => {
    this.lists += 1;
    if (!this.canList) throw new DeviceError('device.failed', 'no udev');
    return [...this.#ports.values()];
  };

  #link(path: string, link: string): void {
    rmSync(link, { force: true });
    symlinkSync(path, link);
  }
}

function watch(dev: Dev, except: readonly string[] = []) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const found: FoundPort[] = [];
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (event: string) => warnings.push(event) };
  const ended = (async () => {
    for await (const port of watchPorts({ list: dev.list, clock, log, except, places: dev.places }, stop.signal)) found.push(port);
  })();
  /** Looks once more than the directories' reads take. */
  const look = async (seconds = 1) => {
    for (let second = 0; second < seconds; second++) {
      const before = clock.pending;
      await clock.advance(1_000);
      while (clock.pending < Math.max(before, 1) && !stop.signal.aborted && !isOver) await clock.advance(0);
    }
  };
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  return { clock, stop, found, warnings, ended, look };
}

t.test('discover: a scanner plugged in is found once, under the name that outlives a replug', async (t) => {
  const dev = new Dev(t.testdir());
  const { stop, found, ended, look } = watch(dev);
  await look(3);
  t.strictSame([found, dev.lists], [[], 0], 'no program is started while nothing is there');
  dev.plug('ttyACM0', '0c2e', { id: 'usb-Honeywell_4680-if00', socket: 'platform-usb-0:1.2:1.0' });
  await look(10);
  t.match(found, [{ path: join(dev.places.linkDirs[0] ?? '', 'usb-Honeywell_4680-if00'), name: /^serial-[0-9a-f]{8}$/ }]);
  t.equal(dev.lists, 5, 'nor when nothing changes');
  dev.unplug('ttyACM0');
  await look(2);
  dev.plug('ttyACM1', '0c2e', { id: 'usb-Honeywell_4680-if00' });
  await look(10);
  t.equal(found.length, 1);
  stop.abort();
  await ended;
});

t.test('discover: a device that udev names late is found late', async (t) => {
  const dev = new Dev(t.testdir());
  const { stop, found, ended, look } = watch(dev);
  dev.plug('ttyACM0', undefined);
  await look(2);
  t.strictSame(found, []);
  dev.plug('ttyACM0', '0c2e', { id: 'usb-Honeywell_4680-if00' });
  await look(2);
  t.match(found, [{ path: /by-id/ }]);
  stop.abort();
  await ended;
});

t.test('discover: built-in ports, modems, receivers and configured devices are left alone', async (t) => {
  const dev = new Dev(t.testdir());
  dev.plug('ttyS0', undefined);
  dev.plug('ttyAMA0', undefined);
  dev.plug('ttyUSB0', '2c7c', { id: 'usb-Quectel_EC25-if02-port0' });
  dev.plug('ttyACM1', '1546', { id: 'usb-u-blox_GNSS-if00' });
  dev.plug('ttyACM2', '12D1');
  dev.plug('ttyUSB3', '1a86', { id: 'usb-1a86_USB_Serial-if00-port0' });
  dev.plug('ttyUSB4', '0403', { id: 'usb-FTDI-if00-port0' });
  const except = [join(dev.places.linkDirs[0] ?? '', 'usb-1a86_USB_Serial-if00-port0'), '/dev/serial/by-id/not-plugged-in'];
  const found = await findPorts({ list: dev.list, except, places: dev.places });
  t.match(found, [{ path: /usb-FTDI-if00-port0$/ }]);
  t.equal(found.length, 1);
});

t.test('discover: of two scanners alike without serial numbers, the second is known by its socket', async (t) => {
  const dev = new Dev(t.testdir());
  dev.plug('ttyACM0', '0c2e', { id: 'usb-Cheap_Scanner-if00', socket: 'usb-0:1.1' });
  dev.plug('ttyACM1', '0c2e', { id: 'usb-Cheap_Scanner-if00', socket: 'usb-0:1.2' });
  dev.plug('ttyACM2', '0c2e');
  const found = await findPorts({ list: dev.list, except: [], places: dev.places });
  t.match(
    found.map(({ path }) => path),
    [/by-path\/usb-0:1\.1$/, /by-id\/usb-Cheap_Scanner-if00$/, /dev\/ttyACM2$/],
  );
  t.equal(new Set(found.map(({ name }) => name)).size, 3);
});

t.test('discover: where ports can not be listed it is said once, and it goes on looking', async (t) => {
  const dev = new Dev(t.testdir());
  dev.canList = false;
  dev.plug('ttyACM0', '0c2e');
  const { stop, found, warnings, ended, look } = watch(dev);
  await look(8);
  t.strictSame(warnings, ['devices.not_listed']);
  dev.canList = true;
  dev.plug('ttyACM1', '0c2e');
  await look(2);
  t.equal(found.length, 2);
  stop.abort();
  await ended;
});

t.test('discover: more ports than a door has are not taken', async (t) => {
  const dev = new Dev(t.testdir());
  for (let count = 0; count < 12; count++) dev.plug(`ttyUSB${count}`, '0403');
  const { found, warnings, ended, look } = watch(dev);
  await look(2);
  await ended;
  t.equal(found.length, 8);
  t.strictSame(warnings, ['devices.too_many']);
});

t.test('discover: a bug in listing is not swallowed', async (t) => {
  const dev = new Dev(t.testdir());
  dev.plug('ttyACM0', '0c2e');
  const list = () => Promise.reject(new TypeError('bug'));
  const watching = watchPorts(
    { list, clock: new ManualClock(), log: silentLog, except: [], places: dev.places },
    new AbortController().signal,
  );
  await t.rejects(watching.next(), { name: 'TypeError' });
});

t.test('discover: a listing that never ends does not keep it from stopping', async (t) => {
  const dev = new Dev(t.testdir());
  dev.plug('ttyACM0', '0c2e');
  const stop = new AbortController();
  let isAsked = () => {};
  const asked = new Promise<void>((resolve) => {
    isAsked = resolve;
  });
  const list = () => {
    isAsked();
    return new Promise<never>(() => {});
  };
  const watching = watchPorts({ list, clock: new ManualClock(), log: silentLog, except: [], places: dev.places }, stop.signal).next();
  await asked;
  stop.abort();
  t.match(await watching, { done: true });
});
