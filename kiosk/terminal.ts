/** Prints the door's answers and the kiosk's troubles for staff who look at a terminal. Colour, icon and words say the same. */
import type { Feedback } from './feedback.ts';
import { answerIn, type Tone } from './feedback-words.ts';
import type { HealthSnapshot } from './health.ts';
import { type Language, WORDS } from './screen/languages.ts';
import { steadyWords } from './status-words.ts';

export interface Terminal {
  write(text: string): void;
  /** False where NO_COLOR is set, or the output is no terminal. */
  readonly hasColour: boolean;
  /** It has no letters but Latin ones: what would be said in others is said in English. */
  readonly isLatin?: boolean;
}

const NOT_LATIN: ReadonlySet<Language> = new Set(['ar']);

/** ECMA-48, "SGR": bold green, cyan, bold yellow, bold white on red. */
const COLOURS: Readonly<Record<Tone, string>> = { good: '1;32', note: '36', wait: '1;33', stop: '1;37;41' };

export function printFeedback(terminal: Terminal, feedback: Feedback, language: Language): void {
  const said = terminal.isLatin && NOT_LATIN.has(language) ? 'en' : language;
  const { tone, icon, text, more } = answerIn(said, feedback.kind);
  const { storedOffline, notice } = WORDS[said];
  const rest = [more, feedback.isStoredOffline ? storedOffline : '', feedback.hasNotice ? `✉ ${notice}` : '']
    .filter((part) => part !== '')
    .join(' ');
  const head = ` ${icon} ${text} `;
  terminal.write(`${terminal.hasColour ? `\u001b[${COLOURS[tone]}m${head}\u001b[0m` : head}${rest === '' ? '' : ` ${rest}`}\n`);
}

/** Prints the kiosk's state each time its words change. */
export class StatusPrinter {
  readonly #terminal: Terminal;
  #said = '';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  print(health: HealthSnapshot): void {
    const text = steadyWords(health);
    if (text === this.#said) return;
    this.#said = text;
    this.#terminal.write(`   ${text}\n`);
  }
}
