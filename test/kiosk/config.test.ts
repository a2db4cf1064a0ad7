import t from 'tap';
import { parseConfig } from '../../kiosk/config.ts';
import { codeOf } from '../../protocol/errors.ts';

const LEAST = { dataDir: '/var/lib/vestibule', trustPath: '/etc/vestibule/trust.json' };

t.test('parseConfig: two paths are enough, and every default is filled in', async (t) => {
  const config = parseConfig(LEAST);
  t.match(config, {
    direction: 'in',
    door: { againWindowMs: 20_000, undoWindowMs: 120_000, pairAfterScanMs: 20_000, pairBeforeScanMs: 5_000, secondReadingMs: 30_000 },
    temperature: { thresholdCentiCelsius: 3_800, offsetCentiCelsius: 240, offsetId: 0 },
    scanners: [{ kind: 'auto-serial' }, { kind: 'auto-hid' }],
    page: { isOn: true, port: 8_088 },
    outbox: { maxRows: 200_000, retentionMs: 21 * 86_400_000 },
    uplink: { window: 8, liveReserve: 2, ackTimeoutMs: 30_000 },
  });
  t.ok(Object.isFrozen(config));
});

t.test('parseConfig: tells every fault at once', async (t) => {
  const json = {
    trustPath: 5,
    direction: 'sideways',
    door: { againWindowMs: -1, dwell: 3 },
    scanners: [{ kind: 'serial', name: 'Door Scanner', path: '/dev/ttyACM0' }],
    outbox: { retentionMs: 22 * 86_400_000 },
    uplink: { window: 2, liveReserve: 2 },
    secret: 'x',
  };
  try {
    parseConfig(json);
    t.fail('taken');
  } catch (error) {
    t.equal(codeOf(error), 'config.invalid');
    const { message } = error as Error;
    for (const place of [
      'dataDir',
      'trustPath',
      'direction',
      'door.againWindowMs',
      'dwell',
      'scanners.0.name',
      'outbox.retentionMs',
      'liveReserve',
      'secret',
    ]) {
      t.ok(message.includes(place), place);
    }
  }
});

t.test('parseConfig: two devices of one name are a fault', async (t) => {
  const thermometers = [{ kind: 'serial', model: 'gy-mcu90614', name: 'door', path: '/dev/ttyUSB1' }];
  const scanners = [{ kind: 'serial', name: 'door', path: '/dev/ttyACM0' }];
  t.throws(() => parseConfig({ ...LEAST, scanners, thermometers }), { code: 'config.invalid', message: /the name door is given twice/ });
});

t.test('parseConfig: a port, and all that is found by itself, is asked for once, and the fault repeats no path', async (t) => {
  const path = '/dev/serial/by-id/usb-ACME_SN77-if00';
  const door = { kind: 'serial', name: 'door', path };
  const twice: readonly object[] = [
    { scanners: [door, { ...door, name: 'side' }] },
    { scanners: [door], thermometers: [{ kind: 'serial', model: 'gy-614v', name: 'forehead', path }] },
    { scanners: [door], boards: [{ kind: 'firmata', name: 'board', path }] },
    { scanners: [{ kind: 'auto-serial' }, { kind: 'auto-serial', baudRate: 9_600 }] },
    { scanners: [{ kind: 'auto-hid' }, { kind: 'auto-hid' }] },
    { scanners: [{ kind: 'standard-input' }, { kind: 'standard-input', name: 'second' }] },
  ];
  for (const json of twice)
    t.throws(() => parseConfig({ ...LEAST, ...json }), { code: 'config.invalid', message: /^(?!.*SN77).*is given twice/ });
  t.ok(parseConfig({ ...LEAST, thermometers: [0x5a, 0x5b].map((address) => ({ kind: 'mlx90614-i2c', name: `s${address}`, address })) }));
});

t.test('parseConfig: a path that a system call would cut short is refused', async (t) => {
  for (const path of ['', '/dev/tty\0USB0', `/${'a'.repeat(1_100)}`]) {
    const scanners = [{ kind: 'serial', name: 'door', path }];
    t.throws(() => parseConfig({ ...LEAST, scanners }), { code: 'config.invalid', message: /scanners\.0\.path/ });
    t.throws(() => parseConfig({ ...LEAST, scanners: [], boards: [{ kind: 'firmata', name: 'board', path }] }), { code: 'config.invalid' });
  }
});

t.test('parseConfig: an offset other than the default needs an id of its own, or its events could not be told apart', async (t) => {
  t.throws(() => parseConfig({ ...LEAST, temperature: { offsetCentiCelsius: 180 } }), { code: 'config.invalid', message: /offsetId/ });
  t.equal(parseConfig({ ...LEAST, temperature: { offsetCentiCelsius: 180, offsetId: 7 } }).temperature.offsetCentiCelsius, 180);
});

t.test('parseConfig: nothing but an object will do', async (t) => {
  for (const json of [undefined, null, 5, 'text', []]) t.throws(() => parseConfig(json), { code: 'config.invalid' });
});
