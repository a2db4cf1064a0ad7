import t from 'tap';
import { onBareConsole } from '../../cli/bare-console.ts';
import { LANGUAGES, WORDS } from '../../kiosk/screen/languages.ts';
import fc from '../support/properties.ts';

const WIDE = 1_000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one.
const widthOf = (line: string): number => line.replaceAll(/\u001b\[[\d;]*m/g, '').length;

t.test('bare console: letters that its font has not are said by those that it has', async (t) => {
  t.equal(onBareConsole(' ✕ That’s no card …', WIDE), " x That's no card ...");
  t.equal(onBareConsole(' ✓ Geprüft · À bientôt, Ú', WIDE), ' √ Geprüft · A bientôt, U');
  t.equal(onBareConsole('日', WIDE), '?', 'one letter, and no square');
});

t.test('bare console: of the languages in Latin letters nothing is left out', async (t) => {
  const latin = LANGUAGES.filter((language) => language !== 'ar');
  t.equal(latin.length, 4);
  for (const language of latin) {
    const said = JSON.stringify(WORDS[language]);
    t.equal(
      [...onBareConsole(said, WIDE * 100)].filter((one) => one === '?').length,
      [...said].filter((one) => one === '?').length,
      language,
    );
  }
});

t.test('bare console: lines break between words, and what they are painted with takes no place', async (t) => {
  t.equal(onBareConsole('   one two three four', 12), '   one two\n   three\n   four');
  t.equal(onBareConsole('\u001b[1;32m √ Welcome \u001b[0m Kept here', 21), '\u001b[1;32m √ Welcome \u001b[0m Kept here');
  t.equal(onBareConsole('   one two three four', 0), '   one two three four', 'a line over which nobody knows its length');
  const line = fc.array(fc.stringMatching(/^[a-z]{1,9}$/), { maxLength: 40 }).map((words) => words.join(' '));
  fc.assert(
    fc.property(line, fc.integer({ min: 12, max: 80 }), (text, columns) => {
      const broken = onBareConsole(text, columns);
      return broken.replaceAll('\n', ' ') === text && broken.split('\n').every((one) => widthOf(one) <= columns);
    }),
  );
});
