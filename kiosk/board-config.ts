/** The configuration of one board: what hangs on which of its pins. Pins are numbered as printed; docs/devices/board.md has the drawings. */
import { z } from 'zod';

/** 0 and 1 are the serial line to the kiosk; a Mega counts up to 53. */
const pin = z.int().min(2).max(53);
const analogPin = z.string().regex(/^A([0-9]|1[0-5])$/, 'expected A0 to A15');

const light = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('rgb'),
    pins: z.strictObject({ red: pin, green: pin, blue: pin }),
    /** Whether the long leg goes to plus. */
    isCommonAnode: z.boolean().default(false),
  }),
  z.strictObject({ kind: z.literal('three'), pins: z.strictObject({ green: pin, yellow: pin, red: pin }) }),
]);

/** @param deviceName what every device's name has to be. @param devicePath what every path of a port has to be. */
export const boardOf = <Name extends z.ZodType<string>, Path extends z.ZodType<string>>(deviceName: Name, devicePath: Path) =>
  z
    .strictObject({
      kind: z.literal('firmata'),
      name: deviceName,
      path: devicePath,
      /** As StandardFirmata has it. */
      baudRate: z.int().min(1_200).max(921_600).default(57_600),
      light: light.optional(),
      buzzer: z.strictObject({ kind: z.enum(['active', 'passive']), pin }).optional(),
      /** A press changes the door between in and out. */
      button: z.strictObject({ pin }).optional(),
      /** With it, the board's thermometer measures only while somebody is near. */
      proximity: z
        .strictObject({
          sensor: z.enum(['gp2y0a21', 'gp2y0a41']),
          pin: analogPin,
          nearCentimetres: z.number().min(5).max(80).default(20),
          supplyMillivolts: z.int().min(2_500).max(5_500).default(5_000),
        })
        .optional(),
      thermometer: z
        .strictObject({ model: z.literal('mlx90614'), name: deviceName, address: z.int().min(0x08).max(0x77).default(0x5a) })
        .optional(),
    })
    .superRefine((board, { addIssue }) => {
      for (const twice of pinsTwice([board.light?.pins, { buzzer: board.buzzer?.pin }, { button: board.button?.pin }]))
        addIssue({ code: 'custom', message: `pin ${twice} is given twice` });
    });

function pinsTwice(groups: readonly (Readonly<Record<string, number | undefined>> | undefined)[]): number[] {
  const pins = groups.flatMap((group) => Object.values(group ?? {})).filter((one) => one !== undefined);
  return pins.filter((one, index) => pins.indexOf(one) !== index);
}
