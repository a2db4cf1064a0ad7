/** Text as the events of a keyboard with the US layout that types it: what the kernel gives for a scanner. */
import { EV_KEY, EV_SYN, type InputEvent, SYN_DROPPED, SYN_REPORT } from '../../hardware/evdev/input-event.ts';

const EV_MSC = 4;
const MSC_SCAN = 4;
const KEY_LEFTSHIFT = 42;

/** linux/input-event-codes.h: the first code of each row of keys, and their characters, plain and with Shift. */
const ROWS: readonly (readonly [first: number, plain: string, shifted: string])[] = [
  [2, '1234567890-=', '!@#$%^&*()_+'],
  [15, '\tqwertyuiop[]\r', '\tQWERTYUIOP{}\r'],
  [30, "asdfghjkl;'`", 'ASDFGHJKL:"~'],
  [43, '\\zxcvbnm,./', '|ZXCVBNM<>?'],
  [57, ' ', ' '],
];

const KEYS: ReadonlyMap<string, { readonly code: number; readonly isShifted: boolean }> = new Map(
  ROWS.flatMap(([first, plain, shifted]) => [
    ...Array.from(shifted, (character, at): [string, { code: number; isShifted: boolean }] => [
      character,
      { code: first + at, isShifted: true },
    ]),
    ...Array.from(plain, (character, at): [string, { code: number; isShifted: boolean }] => [
      character,
      { code: first + at, isShifted: false },
    ]),
  ]),
);

/** Every character that has a key, but for the two that end a line. */
export const TYPED_CHARACTERS = [...KEYS.keys()].filter((character) => character >= ' ').join('');

export const key = (code: number, value: number): InputEvent[] => [
  { type: EV_MSC, code: MSC_SCAN, value: 0x70000 + code },
  { type: EV_KEY, code, value },
  { type: EV_SYN, code: SYN_REPORT, value: 0 },
];

export const OVERRUN: readonly InputEvent[] = [{ type: EV_SYN, code: SYN_DROPPED, value: 0 }];

/** @param text of TYPED_CHARACTERS, Tab and CR. */
export function typed(text: string): InputEvent[] {
  return Array.from(text).flatMap((character) => {
    const found = KEYS.get(character);
    if (found === undefined) throw new Error(`no key for ${JSON.stringify(character)}`);
    const { code, isShifted } = found;
    const press = [...key(code, 1), ...key(code, 0)];
    return isShifted ? [...key(KEY_LEFTSHIFT, 1), ...press, ...key(KEY_LEFTSHIFT, 0)] : press;
  });
}
