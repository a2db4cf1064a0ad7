/**
 * What a scanner that types has typed: keys, as HID usages, to characters. Pure and bounded; knows no device and no time, so that
 * whatever sees keys (HID reports, Linux input events mapped to usages) may feed it.
 *
 * Source: HID Usage Tables 1.5, section 10 (Keyboard/Keypad page 0x07: usages, and the US layout its names follow); HID 1.11, appendix C
 * (phantom state: 0x01 to 0x03 in the array say nothing of which keys are down).
 */

const ENTER = 0x28;
const LEFT_ALT = 0xe2;
const CAPS_LOCK = 0x39;
const LEFT_CONTROL = 0xe0;
const LEFT_SHIFT = 0xe1;
const RIGHT_CONTROL = 0xe4;
const RIGHT_SHIFT = 0xe5;
const RIGHT_ALT = 0xe6;
const MODIFIERS = { first: 0xe0, last: 0xe7 };
/** ErrorRollOver, POSTFail, ErrorUndefined. */
const PHANTOMS = { first: 0x01, last: 0x03 };
const KEYPAD = { one: 0x59, nine: 0x61, zero: 0x62 };
const LETTER_KEYS = { first: 0x04, last: 0x1d };
/** As many usages as the page's keys; more are no keyboard. */
const LAST_USAGE = 0xe7;
/** Alt codes have three or four digits; more are a finger left on a key. */
const LONGEST_ALT_CODE = 9_999;

/** Usage, plain character, shifted character. Letters are apart: Caps Lock turns only them. */
const PAIRS: readonly (readonly [first: number, plain: string, shifted: string])[] = [
  [0x1e, '1234567890', '!@#$%^&*()'],
  [0x2c, " -=[]\\\\;'`,./", ' _+{}||:"~<>?'],
  [0x54, '/*-+', '/*-+'],
  [KEYPAD.one, '1234567890.\\', '1234567890.|'],
  [0x67, '=', '='],
];

const CHARACTERS: ReadonlyMap<number, readonly [plain: string, shifted: string]> = new Map([
  ...PAIRS.flatMap(([first, plain, shifted]) =>
    Array.from(plain, (character, at) => [first + at, [character, shifted.charAt(at)]] as [number, [string, string]]),
  ),
  // Scanners end a code with these.
  [ENTER, ['\r', '\r']],
  [0x58, ['\r', '\r']],
  [0x2b, ['\t', '\t']],
]);

/**
 * One keyboard's keys, US layout. Characters given are printable ASCII, the control characters that Enter (CR), Tab and Control with a letter
 * make, and any of Latin-1 that is typed by its number with Alt held (a mode many scanners have, for computers of any layout).
 *
 * What a key of another layout means is not known here: a scanner set to another country's keyboard still gives every letter of our
 * codes right (protocol/letters.ts). Keys without a character (arrows, functions, locks) give nothing.
 */
export class KeyboardCodec {
  readonly #down = new Set<number>();
  #isCapsLocked: boolean;
  #altCode: number | undefined;

  /** @param isCapsLocked as the keyboard stands now, where that is known. */
  constructor(isCapsLocked = false) {
    this.#isCapsLocked = isCapsLocked;
  }

  /** A key goes down. A key that is down already, and a usage that is no key, change nothing. @returns 0 or 1 characters. */
  down(usage: number): string {
    if (!isKey(usage) || this.#down.has(usage)) return '';
    this.#down.add(usage);
    if (usage === CAPS_LOCK) this.#isCapsLocked = !this.#isCapsLocked;
    if (isAlt(usage)) this.#altCode = undefined;
    return this.#isAlt ? this.#withAlt(usage) : this.#character(usage);
  }

  /** A key goes up. @returns 0 or 1 characters: those of an Alt code come with Alt's release. */
  up(usage: number): string {
    if (!this.#down.delete(usage) || !isAlt(usage) || this.#isAlt) return '';
    const code = this.#altCode;
    this.#altCode = undefined;
    return code === undefined ? '' : String.fromCharCode(code % 256);
  }

  /**
   * Exactly these keys are down now, in the order the report has them: what is missing went up, then what is new went down, modifiers first.
   * A key that is new and there twice was pressed twice: scanners that type by number send three digits in one report.
   * A phantom state among them says that the array is unknown: keys then stay as they are, modifiers (which are always told) do not.
   * @param usages as many as a report holds. @returns characters, as many as there are usages and one more at most.
   */
  pressed(usages: readonly number[]): string {
    const isPhantom = usages.some((usage) => usage >= PHANTOMS.first && usage <= PHANTOMS.last);
    const told = isPhantom ? usages.filter(isModifier) : usages;
    let text = '';
    for (const usage of [...this.#down]) {
      if (told.includes(usage) || (isPhantom && !isModifier(usage))) continue;
      text += this.up(usage);
    }
    const before = new Set(this.#down);
    const pressed = told.filter((usage) => !before.has(usage));
    for (const usage of pressed.filter(isModifier)) text += this.down(usage);
    for (const usage of pressed.filter((usage) => !isModifier(usage))) text += this.up(usage) + this.down(usage);
    return text;
  }

  get #isAlt(): boolean {
    return this.#down.has(LEFT_ALT) || this.#down.has(RIGHT_ALT);
  }

  #character(usage: number): string {
    const isShifted = this.#down.has(LEFT_SHIFT) || this.#down.has(RIGHT_SHIFT);
    const isControl = this.#down.has(LEFT_CONTROL) || this.#down.has(RIGHT_CONTROL);
    if (usage >= LETTER_KEYS.first && usage <= LETTER_KEYS.last) {
      const place = usage - LETTER_KEYS.first;
      // Control with a letter is that letter's control character: some scanners type CR, LF and GS so.
      if (isControl) return String.fromCharCode(place + 1);
      return String.fromCharCode((isShifted !== this.#isCapsLocked ? 0x41 : 0x61) + place);
    }
    const character = CHARACTERS.get(usage)?.[isShifted ? 1 : 0] ?? '';
    return isControl && /^[[\\\]^_]$/.test(character) ? String.fromCharCode(character.charCodeAt(0) & 0x1f) : character;
  }

  #withAlt(usage: number): string {
    if (usage < KEYPAD.one || usage > KEYPAD.zero) return '';
    const digit = usage === KEYPAD.zero ? 0 : usage - KEYPAD.one + 1;
    const code = (this.#altCode ?? 0) * 10 + digit;
    this.#altCode = code > LONGEST_ALT_CODE ? LONGEST_ALT_CODE : code;
    return '';
  }
}

const isModifier = (usage: number): boolean => usage >= MODIFIERS.first && usage <= MODIFIERS.last;

const isAlt = (usage: number): boolean => usage === LEFT_ALT || usage === RIGHT_ALT;

const isKey = (usage: number): boolean => Number.isInteger(usage) && usage > PHANTOMS.last && usage <= LAST_USAGE;
