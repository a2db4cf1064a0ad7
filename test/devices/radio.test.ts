import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { openRadio, type RadioLink } from '../../hardware/ble/open-radio.ts';
import { type DeviceReport, HARDWARE_BACKOFF, supervise } from '../../hardware/supervise.ts';
import { placeOf, silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import { VirtualController } from '../support/ble/virtual-controller.ts';

const SNIFF = { type: 'sniff', adapter: undefined } as const;
const never = new AbortController().signal;
const clock = systemClock;

const controllerOf = async (t: Test) => {
  const controller = await VirtualController.listen();
  t.teardown(() => controller.close());
  return controller;
};

/** The processes that this one has started and that have not ended. */
const children = (): number[] => readFileSync(`/proc/self/task/${process.pid}/children`, 'ascii').split(' ').filter(Boolean).map(Number);

/** A radio under supervision, and what was said of it. */
function superviseRadio(t: Test, controller: VirtualController) {
  const said: string[] = [];
  let wake = () => {};
  const stop = new AbortController();
  const note = (report: DeviceReport) => {
    said.push(report.isUp ? 'up' : report.why.code);
    wake();
  };
  const ended = supervise<RadioLink>(
    {
      device: 'sniffer',
      clock,
      log: silentLog,
      onReport: note,
      backoff: { ...HARDWARE_BACKOFF, random: () => 0 },
      open: (signal) => openRadio(SNIFF, { clock, ...controller.radio }, signal),
      use: async (link, ending) => {
        for await (const _answer of link.answers(ending));
      },
    },
    stop.signal,
  );
  t.teardown(async () => {
    stop.abort();
    await ended;
  });
  const until = async (...expected: string[]) => {
    while (said.length < expected.length) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    t.strictSame(said.splice(0, expected.length), expected);
  };
  return { until, end: () => stop.abort(), ended };
}

t.test('radio: an adapter that is lost and comes back under another index is used again', async (t) => {
  const controller = await controllerOf(t);
  const { until } = superviseRadio(t, controller);
  await until('up');
  controller.adapters = [];
  await until('device.gone', 'device.absent');
  controller.adapters = [{ devId: 1, devUp: true }];
  await until('up');
  t.ok(controller.isScanning);
  t.equal(controller.hosts, 1);
});

t.test('radio: an adapter that is switched off is switched on again and used', async (t) => {
  const controller = await controllerOf(t);
  const { until } = superviseRadio(t, controller);
  await until('up');
  controller.adapters = [{ devId: 0, devUp: false }];
  await until('device.gone', 'up');
  t.ok(controller.isScanning);
});

t.test('radio: a radio process that is killed is started anew', async (t) => {
  const controller = await controllerOf(t);
  const { until } = superviseRadio(t, controller);
  await until('up');
  const [radio, ...others] = children();
  t.strictSame(others, []);
  process.kill(radio ?? 0, 'SIGKILL');
  await until('device.gone', 'up');
  t.ok(controller.isScanning);
});

t.test('radio: when it is not wanted any more its process ends and the controller stops scanning', async (t) => {
  const controller = await controllerOf(t);
  const { until, end, ended } = superviseRadio(t, controller);
  await until('up');
  end();
  await ended;
  t.strictSame(children(), []);
  t.notOk(controller.isScanning);
  t.strictSame(controller.commands.at(-1), { opcode: 0x200c, parameters: Buffer.of(0, 0) });
});

t.test('radio: a kiosk that is killed takes its radio process along', async (t) => {
  const controller = await controllerOf(t);
  const { nodeArguments } = controller.radio;
  const kiosk = spawn(process.execPath, [
    '--input-type=module',
    '--eval',
    `import { openRadio } from ${JSON.stringify(import.meta.resolve('../../hardware/ble/open-radio.ts'))};
     import { systemClock as clock } from ${JSON.stringify(import.meta.resolve('../../protocol/time.ts'))};
     await openRadio(${JSON.stringify(SNIFF)}, { clock, nodeArguments: ${JSON.stringify(nodeArguments)} }, new AbortController().signal);`,
  ]);
  await controller.until(({ isScanning }) => isScanning);
  kiosk.kill('SIGKILL');
  await controller.until(({ hosts }) => hosts === 0);
  t.notOk(controller.isScanning);
});

t.test('radio: radios that were opened and closed leave no process and no connection behind', async (t) => {
  const controller = await controllerOf(t);
  for (let round = 0; round < 4; round++) {
    const link = await openRadio(SNIFF, { clock, ...controller.radio }, never);
    await link.close();
  }
  t.strictSame(children(), []);
  await controller.until(({ hosts }) => hosts === 0);
});

t.test('radio: it only listens, in both forms of the command', async (t) => {
  for (const isExtended of [false, true]) {
    const controller = await controllerOf(t);
    controller.isExtended = isExtended;
    const link = await openRadio(SNIFF, { clock, ...controller.radio }, never);
    const asked = controller.commands.filter(({ opcode }) => opcode === (isExtended ? 0x2041 : 0x200b));
    const passive = isExtended ? '000001'.concat('00', 'a000', '5000') : '00'.concat('a000', '5000', '0000');
    t.ok(asked.length > 0);
    t.ok(asked.every(({ parameters }) => parameters.toString('hex') === passive));
    const enabled = controller.commands.findLast(({ opcode }) => opcode === (isExtended ? 0x2042 : 0x200c));
    t.equal(enabled?.parameters.toString('hex', 0, 2), '0100', 'and does not filter duplicates');
    await link.close();
  }
});

t.test('radio: a new scan is one that the controller started anew', async (t) => {
  const controller = await controllerOf(t);
  const link = await openRadio(SNIFF, { clock, ...controller.radio }, never);
  const before = controller.scans;
  link.rescan();
  await controller.until(({ scans }) => scans > before);
  t.equal(controller.scans, before + 1);
  await link.close();
});

t.test('radio: another program that stops the scan or has it filtered is noticed', async (t) => {
  for (const [isEnabled, isFiltered] of [
    [false, false],
    [true, true],
  ] as const) {
    const controller = await controllerOf(t);
    const link = await openRadio(SNIFF, { clock, ...controller.radio }, never);
    controller.meddle(isEnabled, isFiltered);
    for await (const answer of link.answers(never)) {
      if (answer.type !== 'heard') continue;
      t.ok(answer.isDisturbed);
      break;
    }
    await link.close();
  }
});

t.test('radio: why it can not be opened is told by a code', async (t) => {
  const refused = async (t: Test, code: string, prepare: (controller: VirtualController) => void) => {
    const controller = await controllerOf(t);
    prepare(controller);
    await t.rejects(openRadio(SNIFF, { clock, ...controller.radio }, never), { name: 'DeviceError', code });
    t.strictSame(children(), []);
  };
  const bound = (words: string) => (controller: VirtualController) => {
    controller.bindError = words;
  };
  await t.test('no adapter', (t) => refused(t, 'device.absent', (controller) => (controller.adapters = [])));
  await t.test('not permitted', (t) => refused(t, 'device.denied', bound('Operation not permitted')));
  await t.test('switched off by rfkill', (t) => refused(t, 'device.denied', bound('Operation not possible due to RF-kill')));
  await t.test('in use', (t) => refused(t, 'device.busy', bound('Device or resource busy')));
  await t.test('gone meanwhile', (t) => refused(t, 'device.gone', bound('No such device')));
  await t.test('something else', (t) => refused(t, 'device.failed', bound('Cannot allocate memory')));
  await t.test('a controller that refuses', (t) => refused(t, 'device.failed', (controller) => (controller.scanStatus = 0x0c)));
});

t.test('radio: where the kernel has no Bluetooth, or no adapter, no process is started', async (t) => {
  const adapterDir = t.testdir({ 'hci0:11': {} });
  await t.rejects(openRadio(SNIFF, { clock, adapterDir: `${adapterDir}/none` }, never), { code: 'device.no_driver' });
  await t.rejects(openRadio(SNIFF, { clock, adapterDir }, never), { code: 'device.absent' });
});

t.test('radio: an index that is wanted is the one that is used', async (t) => {
  const controller = await controllerOf(t);
  controller.adapters = [
    { devId: 0, devUp: true },
    { devId: 2, devUp: true },
  ];
  const link = await openRadio({ type: 'sniff', adapter: 2 }, { clock, ...controller.radio }, never);
  await link.close();
  await t.rejects(openRadio({ type: 'sniff', adapter: 1 }, { clock, ...controller.radio }, never), { code: 'device.absent' });
});

t.test('radio: where noble is not installed, that is a state and no crash', async (t) => {
  const hooks = `import { registerHooks } from 'node:module';
    registerHooks({ resolve: (specifier, context, next) => {
      if (specifier.startsWith('@stoprocent/noble')) throw new Error('not found');
      return next(specifier, context);
    } });`;
  const nodeArguments = ['--import', `data:text/javascript,${encodeURIComponent(hooks)}`];
  await t.rejects(openRadio(SNIFF, { clock, nodeArguments }, never), { name: 'DeviceError', code: 'device.no_driver' });
});

t.test('radio: a bug in the radio process is told by its place, and by nothing that it may have read', async (t) => {
  const hooks = `import { createRequire } from 'node:module';
    const require = createRequire(${JSON.stringify(import.meta.resolve('@stoprocent/noble'))});
    require('@stoprocent/bluetooth-hci-socket').loadDriver = () => class { on() { throw new TypeError('4c:01:02:03:04:05'); } };`;
  const nodeArguments = ['--import', `data:text/javascript,${encodeURIComponent(hooks)}`];
  try {
    await openRadio(SNIFF, { clock, nodeArguments }, never);
    t.fail('expected a bug');
  } catch (error) {
    t.match(placeOf(error), { bug: 'RadioBug', at: /^[\w.-]+:\d+$/ });
    t.notMatch(String(error), /4c/);
  }
});

t.test('radio: on this machine, whatever it has, opening gives a radio or a code', async (t) => {
  const opened = openRadio(SNIFF, { clock }, never);
  const code = await opened.then(
    (link) => link.close().then(() => 'open'),
    (error: { code: string }) => error.code,
  );
  t.match(code, /^open$|^device\./);
});

t.test('radio: an opening that is called off leaves no process behind', async (t) => {
  const controller = await controllerOf(t);
  controller.isHung = true;
  const stop = new AbortController();
  const opening = openRadio(SNIFF, { clock, ...controller.radio }, stop.signal);
  await controller.until(({ commands }) => commands.length > 0);
  stop.abort();
  await t.rejects(opening, { name: 'AbortError' });
  t.strictSame(children(), []);
});
