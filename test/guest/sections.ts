/**
 * What is done with each device in the guest. A section ends when the kiosk has answered for all of it, with what else there is to tell, and
 * throws when it does not.
 */
import type { BoardOnWire } from './board-on-wire.ts';
import type { GuestKiosk } from './guest-kiosk.ts';
import { OPENED, OPENED_WITH_GADGET } from './settings.ts';

export interface Sizes {
  /** Cards of each scanner. */
  readonly scans: number;
  /** Cards typed on QEMU's keyboard, slowly: it loses what it can not hold. */
  readonly typed: number;
  /** What is no card, and fits its memory. */
  readonly strangers: number;
  readonly visits: number;
  readonly advertisements: number;
}

export interface Bench {
  readonly kiosk: GuestKiosk;
  /** Powers the board on, and plugs it in. */
  readonly plugBoard: () => Promise<BoardOnWire>;
}

/** Hundredths of a degree; each sensor has its own, so that readings can be told apart. The infrared ones as they are set: steps of 0.02 K. */
export const FOREHEADS = { infrared: 3_561, board: 3_421, bluetooth: 3_681 } as const;
const ROOM = 2_215;
const stepsOf = (centiCelsius: number): number => (centiCelsius + 27_315) / 2;

/** A forehead that is gone is noticed by then: three samples of the room, ten a second. */
const LEAVING_MS = 1_000;
const ADVERTISEMENTS_PER_SECOND = 100;
/** Codes are typed at once after each. */
const GADGET_PLUGS = 3;
const GADGET = ['gadget-keyboard', 'gadget-hid', 'gadget-serial'] as const;

export const SECTIONS = {
  'serial-ftdi': ({ kiosk }, { scans }) => kiosk.scan('serial-ftdi', scans),

  'hid-pos': ({ kiosk }, { scans }) => kiosk.scan('hid-pos', scans),

  'keyboard-usb': async ({ kiosk }, { typed, strangers }) => {
    for (let at = 0; at < typed; at++) await kiosk.scan('keyboard-usb', 1);
    for (let at = 0; at < strangers; at++) await kiosk.typeStranger(String(100_000 + at));
    await expectTaken(kiosk, 'QEMU QEMU USB Keyboard');
  },

  'keyboard-evdev': async ({ kiosk }, { scans }) => {
    await kiosk.scan('keyboard-evdev', scans);
    const { overheard } = await kiosk.order({ order: 'eavesdrop' });
    if (overheard?.bytes !== 0) throw new Error(`keyboard-evdev: somebody else got ${overheard?.bytes} bytes of it`);
  },

  gadget: async ({ kiosk }, { scans }) => {
    for (let times = 0; times < GADGET_PLUGS; times++) {
      await kiosk.order({ order: 'plug', isIn: true });
      await kiosk.untilDevices(GADGET, true);
      await kiosk.untilOpened(OPENED_WITH_GADGET);
      for (const kind of GADGET) await kiosk.scan(kind, Math.ceil(scans / GADGET_PLUGS));
      await expectTaken(kiosk, 'Bench Bench scanner');
      await kiosk.order({ order: 'plug', isIn: false });
      await kiosk.untilOpened(OPENED);
      await kiosk.untilDevices(GADGET, false);
    }
  },

  infrared: async ({ kiosk }, { visits }) => {
    for (let visit = 0; visit < visits; visit++) {
      await visitWith(kiosk, () => kiosk.order({ order: 'object', raw: stepsOf(FOREHEADS.infrared) }));
      await kiosk.order({ order: 'object', raw: stepsOf(ROOM) });
      await kiosk.order({ order: 'pause', ms: LEAVING_MS });
    }
  },

  board: async ({ kiosk, plugBoard }, { visits }) => {
    const board = await plugBoard();
    const { sensor } = board;
    const samples = async () => {
      const from = sensor.goodReads;
      await kiosk.until(
        () => sensor.goodReads >= from + 10,
        () => `board: ${sensor.goodReads} good and ${sensor.badReads} bad reads of its sensor`,
      );
    };
    await samples();
    for (let visit = 0; visit < visits; visit++) {
      await visitWith(kiosk, async () => {
        sensor.object = FOREHEADS.board as never;
      });
      sensor.object = ROOM as never;
      await samples();
    }
    await board.end();
    if (board.lit === 0) throw new Error('board: its lamp was never lit');
    return `${sensor.goodReads} reads of its sensor, ${sensor.badReads} bad ones; its lamp was lit ${board.lit} times`;
  },

  bluetooth: async ({ kiosk }, { visits }) => {
    await kiosk.order({ order: 'plug-radios' });
    for (let visit = 0; visit < visits; visit++) {
      await visitWith(kiosk, () => kiosk.order({ order: 'measure', value: measurementOf(FOREHEADS.bluetooth) }));
    }
  },

  sniffer: async ({ kiosk }, { advertisements }) => {
    await kiosk.order({ order: 'plug-radios' });
    const { heard = 0 } = await kiosk.order({ order: 'advertise', count: advertisements, perSecond: ADVERTISEMENTS_PER_SECOND });
    const count = `${heard} of ${advertisements} advertisements heard`;
    if (heard < advertisements * 0.9) throw new Error(`sniffer: ${count}`);
    return count;
  },
} as const satisfies Readonly<Record<string, (bench: Bench, sizes: Sizes) => Promise<unknown>>>;

export type SectionName = keyof typeof SECTIONS;

/** @param name of a keyboard as the kernel has it, which the kiosk takes from it. */
async function expectTaken(kiosk: GuestKiosk, name: string): Promise<void> {
  const { overheard } = await kiosk.order({ order: 'eavesdrop' });
  if (overheard?.inputs.includes(name) !== false) throw new Error(`${name} also types into the console`);
}

/** A card, and then a temperature: the kiosk thanks for it. */
async function visitWith(kiosk: GuestKiosk, present: () => Promise<unknown>): Promise<void> {
  const before = kiosk.thanks;
  await kiosk.scan('serial-ftdi', 1);
  await present();
  await kiosk.until(() => kiosk.thanks > before, 'a reading');
}

/** Temperature Measurement: no flags, then an IEEE 11073 FLOAT in hundredths. Source: temperature-measurement.ts. */
function measurementOf(centiCelsius: number): string {
  const value = Buffer.alloc(5);
  value.writeIntLE(centiCelsius, 1, 3);
  value.writeInt8(-2, 4);
  return value.toString('hex');
}
