/** A code that a person scans or types into a command: never an argument, where other users and the shell's history would see it. */
import { readTextScans } from '../hardware/scanner/text-scanner.ts';
import { DeviceError } from '../protocol/errors.ts';
import { systemClock } from '../protocol/time.ts';
import { typedChunks, typedInput } from './typed-input.ts';

/** @returns the first line on standard input; a terminal does not show it. @throws DeviceError at its end. */
export async function scanCode(prompt: string): Promise<string> {
  for await (const text of scanCodes(prompt)) return text;
  throw new DeviceError('device.gone', 'standard input: stopped');
}

/** As scanCode; from a file or pipe, every line until its end. */
export async function* scanCodes(prompt: string): AsyncGenerator<string, void> {
  const reading = new AbortController();
  const isTerminal = process.stdin.isTTY;
  const scans = readTextScans(typedChunks(typedInput(reading.signal)), { device: 'standard input', clock: systemClock });
  let taken = 0;
  try {
    const first = scans.next();
    // Asked for only once the terminal shows nothing any more.
    if (isTerminal) process.stderr.write(prompt);
    for (let scan = await first; scan.done !== true; scan = await scans.next()) {
      taken += 1;
      yield scan.value.text;
    }
  } catch (error) {
    const isOver = error instanceof DeviceError && error.code === 'device.gone' && taken > 0;
    if (!isOver) throw error;
  } finally {
    reading.abort();
    if (isTerminal) process.stderr.write('\n');
  }
}
