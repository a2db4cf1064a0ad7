/** `vestibule flash board`: finds the board, builds the firmware, has avrdude write it. */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { listSerialPorts, type SerialPortInfo } from '../hardware/serial-link.ts';
import { FlashError } from '../protocol/errors.ts';
import { BOARD_SPEEDS, type BoardKind, flashBoard, withBuiltFirmware } from '../workshop/flash/board.ts';
import { untilStopped } from './stopping.ts';

interface BoardOptions {
  readonly port?: string;
  readonly board: BoardKind;
  readonly hex?: string;
  readonly avrdude: string;
}

const FIRMWARE = join(import.meta.dirname, '../hardware/firmware');
/** Arduino SA and Arduino LLC: nothing else than boards. */
const ARDUINO = new Set(['2341', '2a03']);
/** CH340, FTDI, CP210x: copies of boards have them, and scanners, too. */
const BRIDGES = new Set(['1a86', '0403', '10c4']);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

export function flashBoardCommand(): Command {
  return new Command('board')
    .description('write the kiosk’s firmware to an Arduino Uno or Nano')
    .option('--port <path>', 'serial port of the board; found by itself where there is one board')
    .addOption(
      new Option('--board <kind>', 'nano-old: one with the boot loader of before 2018').choices(Object.keys(BOARD_SPEEDS)).default('uno'),
    )
    .option('--hex <file>', 'this firmware (Intel HEX); built from its source where left out')
    .option('--avrdude <program>', 'the program that writes', 'avrdude')
    .addHelpText(
      'after',
      '\nStop the kiosk first, if it has the board open: sudo systemctl stop vestibule-kiosk. Other boards: docs/devices/board.md.',
    )
    .action(async ({ port: named, board, hex, avrdude }: BoardOptions) => {
      const signal = untilStopped();
      const port = named ?? boardAmong(await listSerialPorts());
      const write = async (file: string): Promise<void> => {
        say(`${port}: writing, and reading back …`);
        await flashBoard(board, port, file, signal, avrdude);
        if (signal.aborted) process.exitCode = 130;
        say(signal.aborted ? 'Stopped: the board has no whole firmware, flash it again.' : `${port}: the firmware is on it, and runs.`);
      };
      if (hex === undefined) say('Building the firmware …');
      await (hex === undefined ? withBuiltFirmware(join(FIRMWARE, 'build.sh'), write) : write(hex));
    });
}

/** @throws FlashError `flash.no_board` for none, and for several. */
export function boardAmong(ports: readonly SerialPortInfo[]): string {
  const by = (vendors: ReadonlySet<string>) => ports.filter(({ vendorId }) => vendors.has(vendorId?.toLowerCase() ?? ''));
  const boards = by(ARDUINO);
  const found = boards.length > 0 ? boards : by(BRIDGES);
  const [first] = found;
  if (first === undefined) throw new FlashError('flash.no_board', 'no board is plugged in (or name its port with --port)');
  if (found.length > 1)
    throw new FlashError('flash.no_board', `which one? Name it with --port: ${found.map(({ path }) => path).join(', ')}`);
  return first.path;
}
