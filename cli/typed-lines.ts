/** Lines of a terminal in raw mode: what a person types is shown to them, and what is a secret, or comes as fast as only a scanner types, is not. */
import { StringDecoder } from 'node:string_decoder';

const BACKSPACE = /[\b\u007f]/;
/** As a label's code with room. What is longer is cut: it is no answer to anything. */
const LONGEST_LINE = 1_024;

/** @param show writes to the terminal; `undefined` where there is none. @param isSecret whether what is typed now may not be seen. */
export async function* typedLines(
  input: AsyncIterable<Uint8Array>,
  show: ((text: string) => void) | undefined,
  isSecret: () => boolean,
): AsyncGenerator<string, void> {
  const decoder = new StringDecoder('utf8');
  let line = '';
  for await (const chunk of input) {
    const text = decoder.write(Buffer.from(chunk));
    // A person's keys come one by one.
    const isShown = !isSecret() && [...text].length === 1;
    for (const character of text) {
      if (character === '\r' || character === '\n') {
        // The end of a scan that ends with both is no empty answer.
        if (character === '\n' && text.includes('\r')) continue;
        show?.('\r\u001b[K');
        yield line;
        line = '';
      } else if (BACKSPACE.test(character)) {
        if (line !== '' && isShown) show?.('\b \b');
        line = [...line].slice(0, -1).join('');
      } else if (character >= ' ' && line.length < LONGEST_LINE) {
        line += character;
        if (isShown) show?.(character);
      }
    }
  }
  if (line !== '') yield line;
}
