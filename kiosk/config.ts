/** The kiosk's configuration: one JSON object, every fault told at once. */
import { z } from 'zod';
import { ADVERTISEMENT_KINDS } from '../hardware/ble/advertisement.ts';
import { ConfigError } from '../protocol/errors.ts';
import { BOARD_FORM } from '../protocol/release.ts';
import { boardOf } from './board-config.ts';
import { LANGUAGES } from './screen/languages.ts';
import { SOUND_LEVELS } from './staff/settings.ts';

const ms = (least: number, most: number) => z.int().min(least).max(most);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/**
 * 35.6 °C, the upper end of 1,000 healthy foreheads, becomes 38.0 °C. How weak that is: docs/devices/gy-mcu90614.md.
 * Source: Ng et al., A brief report on the normal range of forehead temperature, Am J Infect Control 2005;33:227-9.
 */
const FOREHEAD_OFFSET = 240;

const deviceName = z.string().regex(/^[a-z0-9-]{1,32}$/, 'expected 1 to 32 of a-z, 0-9 and -');
/** To a system call a path ends at its first NUL: it would open another file than was written. */
const devicePath = z.string().regex(/^[^\0]{1,1023}$/, 'expected a path of up to 1,023 characters');
const serialPort = { path: devicePath, baudRate: z.int().min(1_200).max(921_600).default(9_600) };

/** Four hexadecimal digits, as lsusb writes them. */
const usbId = z
  .string()
  .regex(/^[0-9a-fA-F]{4}$/, 'expected 4 hexadecimal digits')
  .transform((id) => id.toLowerCase());
const affix = z.string().regex(/^[\x20-\x7e]{0,16}$/, 'expected up to 16 printable characters');
/** Which HID device is meant; whatever is left out fits any. */
const hidDevice = {
  name: deviceName,
  serialNumber: z.string().min(1).optional(),
  port: z
    .string()
    .regex(/^\d+-[\d.]+$/, 'expected a USB port such as 1-1.2')
    .optional(),
  prefix: affix.optional(),
  suffix: affix.optional(),
};

/** `auto`: the usual speeds are tried until one can be read. */
const scannerBaudRate = z.union([z.literal('auto'), serialPort.baudRate.unwrap()]);

const scanner = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('serial'),
    name: deviceName,
    path: serialPort.path,
    baudRate: scannerBaudRate.default(9_600),
    framing: z.enum(['auto', 'line', 'gap']).default('auto'),
    /** Lines that some scanners wait for; left out, both stay raised, as Linux opens them. */
    dtr: z.boolean().optional(),
    rts: z.boolean().optional(),
    prefix: affix.optional(),
    suffix: affix.optional(),
  }),
  // Every USB serial device that nothing else names.
  z.strictObject({ kind: z.literal('auto-serial'), baudRate: scannerBaudRate.default('auto') }),
  z.strictObject({ kind: z.literal('standard-input'), name: deviceName.default('keyboard') }),
  z.strictObject({ kind: z.literal('hid-pos'), ...hidDevice, vendorId: usbId.optional(), productId: usbId.optional() }),
  // A person's keyboard is never taken: both ids must be said.
  z.strictObject({
    kind: z.literal('keyboard'),
    ...hidDevice,
    vendorId: usbId,
    productId: usbId,
    framing: z.enum(['auto', 'line', 'gap']).default('auto'),
    /** Whether nobody else may see what is typed. */
    isExclusive: z.boolean().default(true),
    /** How it is taken exclusively; whichever way serves when left out: docs/devices/native-addon.md. */
    via: z.enum(['auto', 'usb', 'evdev']).optional(),
  }),
  // Every HID POS scanner, and every scanner that types and is known as one, that nothing else names.
  z.strictObject({ kind: z.literal('auto-hid') }),
]);

/** 0 for hci0; the first that serves when left out. */
const bluetoothAdapter = z.int().min(0).max(15).optional();

const thermometer = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('serial'), model: z.enum(['gy-mcu90614', 'gy-614v']), name: deviceName, ...serialPort }),
  z.strictObject({
    kind: z.literal('mlx90614-i2c'),
    name: deviceName,
    path: z
      .string()
      .regex(/^\/dev\/i2c-\d{1,3}$/, 'expected an I2C bus such as /dev/i2c-1')
      .default('/dev/i2c-1'),
    address: z.int().min(0x08).max(0x77).default(0x5a),
    /** Whether to refuse a controller that can not check what the sensor says. */
    isPecRequired: z.boolean().default(true),
  }),
  z.strictObject({
    kind: z.literal('ble-health-thermometer'),
    name: deviceName,
    /** Stands here and nowhere else. */
    address: z.string().regex(/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/, 'expected an address such as 00:11:22:33:44:55'),
    isRandomAddress: z.boolean().default(false),
    adapter: bluetoothAdapter,
  }),
]);

/** Says how many Bluetooth senders were about in a slot of time; what that is worth, and what the sign must say: docs/devices/ble-sniffer.md. */
const sniffer = z.strictObject({
  kind: z.literal('bluetooth'),
  name: deviceName.default('sniffer'),
  adapter: bluetoothAdapter,
  slotMs: ms(5 * MINUTE_MS, DAY_MS).default(15 * MINUTE_MS),
  leastTokens: z.int().min(5).max(1_000).default(8),
  weakestDbm: z.int().min(-127).max(20).default(-85),
  kinds: z.array(z.enum(ADVERTISEMENT_KINDS)).min(1).default(['plain', 'exposure-notification']),
});

/** Part to file or block device. */
const slotPaths = z.record(z.string().regex(/^[a-z0-9-]{1,16}$/), devicePath);

/** Left out, the kiosk takes no releases. */
const updates = z.strictObject({
  /** What releases have to be made for. */
  board: z.string().regex(BOARD_FORM),
  /** Files with the public keys of whose releases are taken, as `vestibule release key` makes them. */
  keys: z.array(devicePath).min(1).max(4),
  slots: z.strictObject({ a: slotPaths, b: slotPaths }),
  /** How the machine is told which to start from. */
  switch: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('files'), directory: devicePath }),
    // Of our image: something with more rights looks after what the kiosk wishes.
    z.strictObject({ kind: z.literal('wish'), state: devicePath, wishes: devicePath }),
  ]),
  /** Where sticks are mounted. */
  media: z.array(devicePath).max(8).default(['/media', '/run/media', '/mnt']),
  bytesPerSecond: z.int().min(1_024).max(100_000_000).default(131_072),
  quietMs: ms(0, DAY_MS).default(5 * MINUTE_MS),
  trialMs: ms(1_000, 15 * MINUTE_MS).default(10 * MINUTE_MS),
});

const schema = z.strictObject({
  /** Keys, outbox and lock; made when it is not there. */
  dataDir: z.string().min(1),
  /** The trust document that the gateway writes, for a kiosk that is admitted by its key; left out for one that enrols with a code. */
  trustPath: z.string().min(1).optional(),
  /** What the door is for, until the staff choose otherwise. */
  direction: z.enum(['in', 'out', 'both']).default('in'),
  door: z
    .strictObject({
      againWindowMs: ms(0, HOUR_MS).default(20_000),
      dwellMs: ms(MINUTE_MS, 2 * DAY_MS).default(12 * HOUR_MS),
      undoWindowMs: ms(1_000, HOUR_MS).default(2 * MINUTE_MS),
      pairAfterScanMs: ms(1_000, 5 * MINUTE_MS).default(20_000),
      pairBeforeScanMs: ms(0, MINUTE_MS).default(5_000),
      secondReadingMs: ms(1_000, 5 * MINUTE_MS).default(30_000),
      maxCards: z.int().min(1).max(20_000).default(2_000),
    })
    .prefault({}),
  /** Of a kiosk whose certificate says clinic. */
  clinic: z
    .strictObject({
      /** How long the next scan, or the result, is waited for. */
      windowMs: ms(10_000, 5 * MINUTE_MS).default(MINUTE_MS),
    })
    .prefault({}),
  temperature: z
    .strictObject({
      thresholdCentiCelsius: z.int().min(3_500).max(4_200).default(3_800),
      /** Added to what the sensor reads. */
      offsetCentiCelsius: z.int().min(-500).max(1_000).default(FOREHEAD_OFFSET),
      /** Names the offset in events, so that a reading can be understood later: 0 is the default one, every other one has its own. */
      offsetId: z.int().min(0).max(65_535).default(0),
      policyVersion: z
        .int()
        .min(0)
        .max(2 ** 31 - 1)
        .default(1),
      /** The day the sensor was calibrated, UTC. */
      calibratedOn: z.iso.date().optional(),
      /** Where the sensor's maker promises its accuracy; MLX90614 datasheet, medical grade: 16 to 40 °C. */
      roomLowestCentiCelsius: z.int().min(-4_000).max(8_500).default(1_600),
      roomHighestCentiCelsius: z.int().min(-4_000).max(8_500).default(4_000),
    })
    .refine(
      ({ offsetCentiCelsius, offsetId }) => offsetId !== 0 || offsetCentiCelsius === FOREHEAD_OFFSET,
      'offsetId: 0 names the default offset; expected another number for another offset',
    )
    .prefault({}),
  /** SHA-256 of each staff code's secret, in hex. */
  staffCodes: z
    .array(z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits'))
    .max(1_000)
    .default([]),
  scanners: z
    .array(scanner)
    .max(16)
    .default([{ kind: 'auto-serial', baudRate: 'auto' }, { kind: 'auto-hid' }]),
  thermometers: z.array(thermometer).max(4).default([]),
  /** None unless the venue chooses one. */
  sniffers: z.array(sniffer).max(1).default([]),
  boards: z.array(boardOf(deviceName, devicePath)).max(2).default([]),
  page: z
    .strictObject({
      isOn: z.boolean().default(true),
      port: z.int().min(0).max(65_535).default(8_088),
      /** Of screen and terminal, until the staff choose otherwise. */
      language: z.enum(LANGUAGES).default('en'),
      /** How loud the screen is, until the staff choose otherwise. */
      sound: z.enum(SOUND_LEVELS).default('normal'),
    })
    .prefault({}),
  updates: updates.optional(),
  /** Where the unit of the Wi-Fi says in a word how that does; on our image. */
  wifiStatePath: devicePath.optional(),
  outbox: z
    .strictObject({
      maxRows: z.int().min(10).max(1_000_000).default(200_000),
      maxBytes: z
        .int()
        .min(262_144)
        .max(2 ** 32)
        .default(128 * 1024 * 1024),
      retentionMs: ms(HOUR_MS, 21 * DAY_MS).default(21 * DAY_MS),
      keepSettledMs: ms(0, 7 * DAY_MS).default(48 * HOUR_MS),
      maxSettledRows: z.int().min(0).max(100_000).default(20_000),
    })
    .prefault({}),
  uplink: z
    .strictObject({
      window: z.int().min(2).max(32).default(8),
      liveReserve: z.int().min(1).max(16).default(2),
      batchRows: z.int().min(1).max(64).default(64),
      liveBatchRows: z.int().min(1).max(64).default(16),
      drainRowsPerSecond: z.int().min(1).max(100_000).default(200),
      ackTimeoutMs: ms(100, 10 * MINUTE_MS).default(30_000),
      firstBackoffMs: ms(10, MINUTE_MS).default(500),
      longestBackoffMs: ms(100, HOUR_MS).default(MINUTE_MS),
    })
    .refine(({ window, liveReserve }) => liveReserve < window, 'liveReserve: expected less than window')
    .prefault({}),
});

export type KioskConfig = z.output<typeof schema>;

/** @returns the configuration with every default filled in. @throws ConfigError config.invalid that names every fault. */
export function parseConfig(json: unknown): KioskConfig {
  const parsed = schema.safeParse(json);
  const faults = parsed.success
    ? [...namesTwice(parsed.data), ...doorsTwice(parsed.data), ...radiosTwice(parsed.data), ...bodyAsForehead(parsed.data)]
    : parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'configuration'}: ${message}`);
  if (!parsed.success || faults.length > 0) throw new ConfigError('config.invalid', `kiosk configuration: ${faults.join('; ')}`);
  return Object.freeze(parsed.data);
}

function namesTwice({ scanners, thermometers, sniffers, boards }: KioskConfig): string[] {
  const parts = boards.flatMap(({ thermometer }) => (thermometer === undefined ? [] : [thermometer]));
  const names = [...scanners, ...thermometers, ...boards, ...parts, ...sniffers].flatMap((device) =>
    'name' in device ? [device.name] : [],
  );
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  return twice.map((name) => `devices: the name ${name} is given twice`);
}

/** Two that read one port, or one terminal, would share its bytes out between them. */
function doorsTwice({ scanners, thermometers, boards }: KioskConfig): string[] {
  const doors = [...scanners, ...thermometers, ...boards].flatMap((device) => {
    if (device.kind === 'auto-serial' || device.kind === 'auto-hid' || device.kind === 'standard-input') return [device.kind];
    return 'path' in device && device.kind !== 'mlx90614-i2c' ? [device.path] : [];
  });
  // Not which path: it may hold a serial number.
  const isTwice = doors.some((door, index) => doors.indexOf(door) !== index);
  return isTwice ? ['devices: a path, "auto-serial", "auto-hid" or "standard-input" is given twice'] : [];
}

/** An adapter listens or waits for one thermometer, not both: a connection resets it. */
function radiosTwice({ thermometers, sniffers }: KioskConfig): string[] {
  const radios = [...thermometers.filter(({ kind }) => kind === 'ble-health-thermometer'), ...sniffers];
  const adapters = radios.map((device) => ('adapter' in device ? device.adapter : undefined));
  const isClear = radios.length < 2 || (!adapters.includes(undefined) && new Set(adapters).size === adapters.length);
  return isClear ? [] : ['devices: each Bluetooth device needs an adapter of its own, given by its number'];
}

/** A body thermometer tells what the body has; the default offset is what foreheads lack of it. */
function bodyAsForehead({ thermometers, temperature }: KioskConfig): string[] {
  const isBody = thermometers.some(({ kind }) => kind === 'ble-health-thermometer');
  return isBody && temperature.offsetId === 0
    ? [
        'temperature.offsetId: 0 names the offset of foreheads; a Bluetooth thermometer needs another, with an offsetCentiCelsius of its own',
      ]
    : [];
}
