/** The kiosk board's firmware, built from its source; installs the compiler when it is missing. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytesOfHex } from './uno.ts';

const PACKAGES = ['gcc-avr', 'avr-libc', 'arduino-core-avr'];
const BUILD = new URL('../../hardware/firmware/build.sh', import.meta.url).pathname;

/** @returns the program. `VESTIBULE_BOARD_HEX` names another one for an Uno instead, a StandardFirmata from the Arduino IDE for example. */
export function boardFirmware(): Uint8Array {
  const other = process.env.VESTIBULE_BOARD_HEX;
  if (other !== undefined) return bytesOfHex(readFileSync(other, 'utf8'));
  if (!existsSync('/usr/share/arduino/hardware/arduino/avr') || spawnSync('avr-g++', ['--version']).status !== 0) {
    execFileSync('apt-get', ['update', '-qq'], { stdio: 'ignore' });
    execFileSync('apt-get', ['install', '-y', '-o', 'DPkg::Lock::Timeout=600', '-qq', '--no-install-recommends', ...PACKAGES], {
      stdio: 'ignore',
    });
  }
  const dir = mkdtempSync(join(tmpdir(), 'kiosk-board-'));
  try {
    const hex = join(dir, 'board.hex');
    execFileSync(BUILD, [hex], { stdio: ['ignore', 'ignore', 'inherit'] });
    return bytesOfHex(readFileSync(hex, 'utf8'));
  } finally {
    rmSync(dir, { recursive: true });
  }
}
