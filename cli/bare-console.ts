/**
 * Words for the console of Linux itself (console_codes(4)), which a kiosk without a browser speaks on: its font has the letters of code page 437
 * alone, any other is one and the same square, and it breaks a line in the middle of a word.
 */

/** What code page 437 has beside ASCII, as far as a kiosk says it. */
const HAS = new Set('ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜáíóúñÑªº¿¡«»ß°·²√≡±→←↑↓↔○•☺⌂');

/** What it has not, by what stands for it. */
const FOR: ReadonlyMap<string, string> = new Map([
  ...[...'’‘'].map((sign) => [sign, "'"] as const),
  ...[...'“”„'].map((sign) => [sign, '"'] as const),
  ...[...'–—'].map((sign) => [sign, '-'] as const),
  ...[...'⚿⚷✉'].map((sign) => [sign, '*'] as const),
  ...([...'✓✕↻↶⇥⇤⇄'] as const).map((sign, at) => [sign, [...'√x↔←→←↔'][at] ?? ''] as const),
  ['…', '...'],
]);

const NOT_ASCII = /[\u0080-\u{10ffff}]/gu;
const MARKS = /\p{M}/gu;
/** ECMA-48, "SGR": takes no place in its line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one.
const STYLES = /\u001b\[[\d;]*m/g;

/** @returns `text` in letters that the console has, its lines broken between words. @param columns letters in a line; 0 where it does not say, as over a serial line. */
export function onBareConsole(text: string, columns: number): string {
  const plain = text.normalize('NFC').replaceAll(NOT_ASCII, shown);
  return plain
    .split('\n')
    .map((line) => (columns === 0 ? line : wrapped(line, columns)))
    .join('\n');
}

function shown(letter: string): string {
  if (HAS.has(letter)) return letter;
  const bare = FOR.get(letter) ?? letter.normalize('NFD').replaceAll(MARKS, '');
  return [...bare].every((one) => one < '\u0080' || HAS.has(one)) ? bare : '?';
}

function wrapped(line: string, columns: number): string {
  const indent = /^ */.exec(line)?.[0] ?? '';
  const lines: string[] = [];
  for (const word of line.split(' ')) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && widthOf(longer) > columns) lines.push(indent + word);
    else lines[Math.max(lines.length - 1, 0)] = longer;
  }
  return lines.join('\n');
}

const widthOf = (line: string): number => line.replaceAll(STYLES, '').length;
