/**
 * Writes the firmware of an Arduino Uno or Nano by avrdude(1), the program that the Arduino IDE uses, and says in our words what it says in its own.
 * The firmware is built from its source where it is not given. Which board is at which port is not known here.
 * Source: avrdude 7.1; Arduino's boards.txt (protocol and speed of each boot loader).
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemCodeOf } from '../../disk/faults.ts';
import { type ErrorCode, FlashError } from '../../protocol/errors.ts';

const run = promisify(execFile);

/** Each with an ATmega328P; the speed is its boot loader's. */
export const BOARD_SPEEDS = { uno: 115_200, nano: 115_200, 'nano-old': 57_600 } as const;
export type BoardKind = keyof typeof BOARD_SPEEDS;

const PROGRAMMER = 'arduino';
const PART = 'm328p';
/** What a person is told of what avrdude said, when it did not say anything that is known. */
const LAST_WORDS = 3;

const SAYINGS: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [/Permission denied/i, 'flash.not_allowed', 'may not be opened by this user (sudo, or the group dialout)'],
  [/No such file or directory|No such device/i, 'flash.no_board', 'nothing is plugged in there'],
  [/Device or resource busy/i, 'flash.in_use', 'another program has it open (sudo systemctl stop vestibule-kiosk)'],
  [
    /not in sync|not responding|sync with|programmer is not responding|stk500_getsync/i,
    'flash.board_silent',
    'its boot loader does not answer',
  ],
  [/verification (error|mismatch)/i, 'flash.board_failed', 'what was read back is not the firmware'],
  [/(device|expected) signature/i, 'flash.board_failed', 'another processor than an Uno has'],
];

/**
 * When it resolves, the board was written and read back, and runs the firmware.
 * @param port such as `/dev/ttyACM0`. @param hex file, Intel HEX. @param avrdude the program.
 * @throws FlashError `flash.no_tool` without avrdude; `flash.no_board`, `flash.not_allowed`, `flash.in_use`, `flash.board_silent`, `flash.board_failed`.
 */
export async function flashBoard(kind: BoardKind, port: string, hex: string, signal: AbortSignal, avrdude = 'avrdude'): Promise<void> {
  if (!existsSync(port)) throw new FlashError('flash.no_board', `${port}: nothing is plugged in there`);
  const options = ['-p', PART, '-c', PROGRAMMER, '-P', port, '-b', String(BOARD_SPEEDS[kind]), '-D', '-U', `flash:w:${hex}:i`];
  const child = spawn(avrdude, options, { stdio: ['ignore', 'ignore', 'pipe'], signal });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (words: string) => {
    said = (said + words).slice(-65_536);
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve).once('error', (cause) => {
      if (systemCodeOf(cause) === 'ENOENT')
        reject(new FlashError('flash.no_tool', 'avrdude: is not installed (apt install avrdude)', { cause }));
      else if (signal.aborted) resolve(null);
      else reject(cause);
    });
  });
  if (status === 0 || signal.aborted) return;
  const [, code, words] = SAYINGS.find(([pattern]) => pattern.test(said)) ?? [];
  if (code !== undefined) throw new FlashError(code, `${port}: ${words}`);
  const last = said
    .trim()
    .split(/\s*\n\s*/)
    .slice(-LAST_WORDS)
    .join(' / ');
  throw new FlashError('flash.board_failed', `${port}: avrdude ended with ${status}: ${last}`);
}

/**
 * Builds the kiosk board's firmware, and takes it away after use. @param script the repository's own `hardware/firmware/build.sh`.
 * @throws FlashError `flash.no_tool` where the compiler or the core is missing.
 */
export async function withBuiltFirmware<T>(script: string, use: (hex: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'vestibule-board-'));
  try {
    const hex = join(directory, 'kiosk-board.hex');
    await run(script, [hex]).catch((cause: unknown) => {
      throw new FlashError(
        'flash.no_tool',
        'avr-gcc: the firmware can not be built (apt install gcc-avr avr-libc arduino-core-avr, or --hex <file>)',
        { cause },
      );
    });
    return await use(hex);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
