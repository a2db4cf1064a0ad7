/** A scanner that types, seen from its keys: text to HID usages and to reports of the boot keyboard (HID 1.11, appendix B.1). */

const SHIFT = 0xe1;

interface Key {
  readonly usage: number;
  readonly isShifted: boolean;
}

const row = (first: number, plain: string, shifted: string): [string, Key][] =>
  Array.from(plain, (character, at) => [
    [character, { usage: first + at, isShifted: false }] as [string, Key],
    [shifted.charAt(at), { usage: first + at, isShifted: true }] as [string, Key],
  ]).flat();

/** The US layout, key by key. */
const KEYS: ReadonlyMap<string, Key> = new Map([
  ...row(4, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'),
  ...row(30, '1234567890', '!@#$%^&*()'),
  ...row(45, '-=[]\\', '_+{}|'),
  ...row(51, ";'`,./", ':"~<>?'),
  ['\r', { usage: 40, isShifted: false }],
  ['\t', { usage: 43, isShifted: false }],
  [' ', { usage: 44, isShifted: false }],
]);

/** Every character that can be typed. */
export const TYPEABLE = [...KEYS.keys()];

/** @returns sets of usages that are down, one after another: each character pressed, then all released. */
export function keysOf(text: string): number[][] {
  return Array.from(text).flatMap((character) => {
    const key = KEYS.get(character);
    if (key === undefined) throw new Error('typing: no such key');
    const { usage, isShifted } = key;
    return isShifted ? [[SHIFT, usage], []] : [[usage], []];
  });
}

/** @returns a report of the boot keyboard: modifiers, a reserved byte, six keys. */
export function bootReport(usages: readonly number[]): Uint8Array {
  const report = new Uint8Array(8);
  const keys = usages.filter((usage) => usage < 0xe0);
  for (const usage of usages) if (usage >= 0xe0) report[0] = (report[0] ?? 0) | (1 << (usage - 0xe0));
  report.set(keys.slice(0, 6), 2);
  return report;
}
