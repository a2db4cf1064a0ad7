import t from 'tap';
import { parseConfig } from '../../kiosk/config.ts';

const LEAST = { dataDir: '/var/lib/vestibule', trustPath: '/etc/vestibule/trust.json' };
const BODY = { temperature: { offsetCentiCelsius: 0, offsetId: 1 } };
const thermometer = { kind: 'ble-health-thermometer', name: 'ear', address: '00:11:22:33:44:55' };
const sniffer = { kind: 'bluetooth' };

t.test('parseConfig: nobody is counted unless the venue says so', async (t) => {
  t.strictSame(parseConfig(LEAST).sniffers, []);
});

t.test('parseConfig: a sniffer counts phones, a quarter of an hour at a time, and tells no small number', async (t) => {
  t.strictSame(parseConfig({ ...LEAST, sniffers: [sniffer] }).sniffers, [
    {
      kind: 'bluetooth',
      name: 'sniffer',
      slotMs: 900_000,
      leastTokens: 8,
      weakestDbm: -85,
      kinds: ['plain', 'exposure-notification'],
    },
  ]);
});

t.test('parseConfig: a sniffer that would tell of single people is refused', async (t) => {
  for (const tooFine of [{ leastTokens: 4 }, { slotMs: 60_000 }, { kinds: [] }]) {
    t.throws(() => parseConfig({ ...LEAST, sniffers: [{ ...sniffer, ...tooFine }] }), { code: 'config.invalid' });
  }
  t.throws(() => parseConfig({ ...LEAST, sniffers: [sniffer, { ...sniffer, name: 'second' }] }), { code: 'config.invalid' });
});

t.test('parseConfig: a Bluetooth thermometer takes an address, and an offset that is not the foreheads’', async (t) => {
  t.match(parseConfig({ ...LEAST, ...BODY, thermometers: [thermometer] }).thermometers, [{ ...thermometer, isRandomAddress: false }]);
  t.throws(() => parseConfig({ ...LEAST, thermometers: [thermometer] }), /offsetId/);
  for (const address of ['0011.2233.4455', '00:11:22:33:44', 'ear']) {
    t.throws(() => parseConfig({ ...LEAST, ...BODY, thermometers: [{ ...thermometer, address }] }), { code: 'config.invalid' });
  }
});

t.test('parseConfig: a fault does not repeat the address that it is about', async (t) => {
  try {
    parseConfig({ ...LEAST, ...BODY, thermometers: [{ ...thermometer, address: '00:11:22:33:44:5G' }] });
    t.fail('expected a fault');
  } catch (error) {
    t.notMatch(String(error), '00:11:22:33:44:5G');
  }
});

t.test('parseConfig: an adapter listens or waits for a thermometer, not both', async (t) => {
  const both = (first: object, second: object) =>
    parseConfig({ ...LEAST, ...BODY, thermometers: [{ ...thermometer, ...first }], sniffers: [{ ...sniffer, ...second }] });
  t.throws(() => both({}, {}), /adapter of its own/);
  t.throws(() => both({ adapter: 0 }, {}), /adapter of its own/);
  t.throws(() => both({ adapter: 1 }, { adapter: 1 }), /adapter of its own/);
  t.ok(both({ adapter: 0 }, { adapter: 1 }));
});
