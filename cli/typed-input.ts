/**
 * Standard input for a scanner that types. A terminal is put into raw mode, so that what is scanned is not written on the screen and into
 * its scrollback; Ctrl-C and Ctrl-D then come as bytes and are given their meaning back here.
 */

const CTRL_C = 0x03;
const CTRL_D = 0x04;

/** @param signal on abort the terminal is as it was, and the input ends. */
export async function* typedInput(signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  const { stdin } = process;
  const end = () => {
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.destroy();
  };
  if (signal.aborted) return end();
  signal.addEventListener('abort', end, { once: true });
  if (stdin.isTTY) stdin.setRawMode(true);
  try {
    for await (const chunk of stdin as AsyncIterable<Uint8Array>) {
      if (stdin.isTTY && chunk.includes(CTRL_C)) process.kill(process.pid, 'SIGINT');
      else if (stdin.isTTY && chunk.includes(CTRL_D)) return;
      else yield chunk;
    }
  } catch (error) {
    // Destroyed under the reader by the abort above.
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', end);
    if (stdin.isTTY) stdin.setRawMode(false);
  }
}
