import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import t, { type Test } from 'tap';
import { parseConfig } from '../../kiosk/config.ts';
import { runBleThermometer } from '../../kiosk/run-ble-thermometer.ts';
import { runSniffer } from '../../kiosk/run-sniffer.ts';
import { encodeEvent } from '../../protocol/event-codec.ts';
import type { BootId } from '../../protocol/ids.ts';
import { systemClock } from '../../protocol/time.ts';
import type { EpochMillis, MonotonicMillis } from '../../protocol/units.ts';
import { VirtualController } from '../support/ble/virtual-controller.ts';
import { VirtualThermometer } from '../support/ble/virtual-thermometer.ts';
import { bytesSecret, type Secret, searchBytes, textSecret } from '../support/leak-search.ts';
import { LogRecorder } from '../support/log-recorder.ts';

const THERMOMETER = '7e:15:5a:3c:99:d2';
const SETTINGS = parseConfig({
  dataDir: '-',
  trustPath: '-',
  temperature: { offsetId: 1 },
  thermometers: [{ kind: 'ble-health-thermometer', name: 'ear', address: THERMOMETER, adapter: 1 }],
  sniffers: [{ kind: 'bluetooth', adapter: 0 }],
});
const NAME = 'Marie’s Telephone';

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const PHONES = ['4ca1b2c3d4e5', '5b00ff17a2c9', '7f1e2d3c4b5a', '0d5a3be27719', '19c4d0aa61f3'].map(bytesOf);
const IDENTIFIERS = ['5d1c8bb0e1f94a6c9f3e2d4b7a886655', 'e2c56db5dffb48d2b060d0f5a71096e0'].map(bytesOf);

/** As it is, in each order and notation, and under each hash that needs no key. */
const secretsOf = (name: string, bytes: Uint8Array): Secret[] => {
  const orders = [Buffer.from(bytes), Buffer.from(bytes).reverse()];
  const colons = orders.map((order) => order.toString('hex').replace(/..(?=.)/g, '$&:'));
  const hashed = ['md5', 'sha1', 'sha256'].flatMap((hash) =>
    [...orders, ...colons, ...orders.map((order) => order.toString('hex'))].map((input) => createHash(hash).update(input).digest()),
  );
  return [
    ...orders.map((order) => bytesSecret(name, order)),
    ...colons.map((text) => textSecret(name, text)),
    // Eight bytes of a hash are enough to tell somebody by.
    ...hashed.map((digest) => bytesSecret(`hash of ${name}`, digest.subarray(0, 8))),
  ];
};

const SECRETS: readonly Secret[] = [
  ...PHONES.flatMap((address, index) => secretsOf(`address ${index}`, address)),
  ...IDENTIFIERS.flatMap((identifier, index) => secretsOf(`identifier ${index}`, identifier)),
  ...secretsOf('thermometer', bytesOf(THERMOMETER.replaceAll(':', ''))),
  textSecret('a name', NAME),
];

const structure = (type: number, value: Uint8Array): Buffer => Buffer.concat([Buffer.of(value.length + 1, type), value]);
const withName = structure(0x09, Buffer.from(NAME));
const exposure = Buffer.concat([structure(0x16, Buffer.concat([bytesOf('6ffd'), IDENTIFIERS[0]!, Buffer.alloc(4)]))]);
const beacon = structure(0xff, Buffer.concat([bytesOf('4c000215'), IDENTIFIERS[1]!, Buffer.alloc(5)]));

/** Everything that came out of a run. */
class Written {
  readonly log = new LogRecorder();
  readonly #rest: string[] = [];
  readonly #bytes: Uint8Array[] = [];

  /** A value as a careless program would print it, causes and all. */
  add(value: unknown): void {
    this.#rest.push(inspect(value, { depth: 20, showHidden: true }));
  }

  addBytes(bytes: Uint8Array): void {
    this.#bytes.push(bytes);
  }

  /** What every user of the machine may read of the radio process. */
  addProcesses(): void {
    for (const pid of readFileSync(`/proc/self/task/${process.pid}/children`, 'ascii').split(' ').filter(Boolean)) {
      this.addBytes(readFileSync(`/proc/${pid}/cmdline`));
      this.addBytes(readFileSync(`/proc/${pid}/environ`));
    }
  }

  get all(): Buffer {
    return Buffer.concat([Buffer.from(this.log.text), Buffer.from(this.#rest.join('\n')), ...this.#bytes]);
  }
}

const controllerOf = async (t: Test) => {
  const controller = await VirtualController.listen();
  t.teardown(() => controller.close());
  return controller;
};

const clean = (t: Test, written: Written) => {
  t.strictSame(searchBytes('what was written', written.all, SECRETS), []);
  for (const secret of SECRETS) {
    const planted = Buffer.concat([written.all, secret.forms[0] ?? Buffer.of()]);
    if (searchBytes('planted', planted, [secret]).length !== 1) t.fail(`a planted ${secret.name} is not found`);
  }
};

t.test('runSniffer: of who was heard nothing is written but a number', async (t) => {
  const controller = await controllerOf(t);
  const written = new Written();
  const stop = new AbortController();
  const [sniffer] = SETTINGS.sniffers;
  if (sniffer === undefined) throw new Error('no sniffer');
  let slots = 0;
  let losses = 0;
  const running = runSniffer(
    {
      sniffer: { ...sniffer, adapter: undefined, slotMs: 1_000, leastTokens: 1 },
      clock: systemClock,
      log: written.log,
      random: () => 0,
      radio: controller.radio,
      onReport: (report) => {
        written.add(report);
        if (report.isUp) written.addProcesses();
        else losses += 1;
      },
      onHeard: (...counts) => written.add(counts),
      onOccupancy: (occupancy) => {
        written.add(occupancy);
        const stamp = {
          wallMs: 1_760_000_000_000 as EpochMillis,
          monotonicMs: 1 as MonotonicMillis,
          bootId: new Uint8Array(16) as BootId,
          clock: 'synced',
        } as const;
        written.addBytes(encodeEvent({ ...occupancy, stamp }));
        slots += 1;
        // A loss in the middle, so that what is said of it is searched too. It is noticed within a second or so: perhaps in a slot after the next.
        if (slots === 1) controller.adapters = [];
        else if (losses > 0) stop.abort();
      },
    },
    stop.signal,
  );
  const talking = setInterval(() => {
    if (losses > 0) controller.adapters = [{ devId: 1, devUp: true }];
    for (const address of PHONES) {
      const report = { address, isRandomAddress: true, rssi: -50 };
      for (const bytes of [withName, exposure, beacon, Buffer.of(40, 9)]) controller.advertise([{ ...report, bytes }]);
    }
  }, 40);
  t.teardown(() => clearInterval(talking));
  await running;
  t.ok(losses > 0, 'an adapter was lost meanwhile');
  clean(t, written);
});

t.test('runBleThermometer: its address stands in the configuration alone, and what it measures in the reading alone', async (t) => {
  const controller = await controllerOf(t);
  const thermometer = new VirtualThermometer(controller, bytesOf(THERMOMETER.replaceAll(':', '')));
  const [settings] = SETTINGS.thermometers;
  if (settings?.kind !== 'ble-health-thermometer') throw new Error('no thermometer');
  const written = new Written();
  const stop = new AbortController();
  const got: number[] = [];
  const running = runBleThermometer(
    {
      clock: systemClock,
      log: written.log,
      random: () => 0,
      radio: controller.radio,
      onReport: (report) => {
        written.add(report);
        if (report.isUp) written.addProcesses();
        else thermometer.service = '1809';
      },
      onReading: ({ objectRaw }) => {
        got.push(objectRaw);
        stop.abort();
      },
    },
    { ...settings, adapter: undefined },
    stop.signal,
  );
  // At first it is another device under that address.
  thermometer.service = '180f';
  await thermometer.indicate(Buffer.from('00780e00fe', 'hex'));
  await running;
  t.strictSame(got, [3_704]);
  clean(t, written);
  t.notMatch(written.all.toString('latin1'), /3704|37\.04/);
});
