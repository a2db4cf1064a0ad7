/** `vestibule flash board`: the real avrdude, the board's real boot loader in a simulated processor, our firmware built from its source. */
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { boardAmong } from '../../cli/flash-board-command.ts';
import { flashBoard } from '../../workshop/flash/board.ts';
import { boardFirmware } from '../board/firmware.ts';
import { VestibuleProcess } from '../support/child.ts';
import { run } from './bench.ts';
import { BootUno, buildOptiboot } from './boot-uno.ts';

const firmware = boardFirmware();
if (spawnSync('avrdude', ['-?']).error !== undefined) {
  run('apt-get', 'update', '-qq');
  run('apt-get', 'install', '-y', '-o', 'DPkg::Lock::Timeout=600', '-qq', '--no-install-recommends', 'avrdude');
}
const directory = t.testdir();
const hex = join(directory, 'board.hex');
run(join(import.meta.dirname, '../../hardware/firmware/build.sh'), hex);
const bootLoader = buildOptiboot(directory);
const never = new AbortController().signal;

t.test('board: the firmware is written by its boot loader, and is what was built', async (t) => {
  const board = new BootUno(join(t.testdir(), 'board'), bootLoader);
  t.teardown(() => board.end());
  const said = await VestibuleProcess.run(['flash', 'board', '--port', join(t.testdirName, 'board')]);
  t.match(said, /Building the firmware …[\s\S]*the firmware is on it, and runs\./);
  t.ok(firmware.length > 4_000 && Buffer.from(firmware).equals(board.flash.subarray(0, firmware.length)));
});

t.test('board: a flash that is worn is found when it is read back', async (t) => {
  const board = new BootUno(join(t.testdir(), 'board'), bootLoader);
  t.teardown(() => board.end());
  board.wornAt = firmware.findIndex((byte, at) => at > 3_000 && (byte & 1) === 0);
  await t.rejects(flashBoard('uno', join(t.testdirName, 'board'), hex, never), { code: 'flash.board_failed', message: /read back/ });
});

t.test('board: each thing that is missing or in the way has its own words', async (t) => {
  const nothing = join(t.testdir(), 'nothing');
  await t.rejects(flashBoard('uno', nothing, hex, never), { code: 'flash.no_board' });
  await t.rejects(flashBoard('uno', '/dev/null', hex, never, nothing), { code: 'flash.no_tool', message: /apt install avrdude/ });
  const port = (path: string, vendorId: string) => ({ path, vendorId, productId: '0043' });
  t.throws(() => boardAmong([port('/dev/ttyUSB0', '05f9')]), { code: 'flash.no_board' });
  t.equal(boardAmong([port('/dev/ttyUSB0', '1A86'), port('/dev/ttyACM0', '2341')]), '/dev/ttyACM0');
  t.throws(() => boardAmong([port('/dev/ttyUSB0', '1a86'), port('/dev/ttyUSB1', '1a86')]), { message: /ttyUSB0, \/dev\/ttyUSB1/ });
  const sayings = [
    ['avrdude ser_open(): can\'t open device "/dev/ttyACM0": Permission denied', 'flash.not_allowed'],
    ['avrdude ser_open(): can\'t open device "/dev/ttyACM0": Device or resource busy', 'flash.in_use'],
    ['avrdude stk500_getsync() attempt 10 of 10: not in sync: resp=0x00', 'flash.board_silent'],
    ['avrdude: Expected signature for ATmega328P is 1E 95 0F', 'flash.board_failed'],
    ['avrdude: something that nobody has met yet', 'flash.board_failed'],
  ] as const;
  for (const [saying, code] of sayings) {
    const avrdude = join(t.testdirName, 'avrdude');
    writeFileSync(avrdude, `#!/bin/sh\necho '${saying.replaceAll("'", "'\\''")}' >&2\nexit 1\n`);
    chmodSync(avrdude, 0o755);
    await t.rejects(flashBoard('uno', '/dev/null', hex, never, avrdude), { code });
  }
});
