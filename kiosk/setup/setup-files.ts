/**
 * What set-up keeps in the data directory: `setup.json`, how far it has come, and `settings.json`, the devices that were chosen. Each is written
 * whole, readable by the kiosk's user alone; a power cut leaves the one before or this one.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeWhole } from '../../disk/files.ts';
import { ConfigError } from '../../protocol/errors.ts';
import { entranceName } from '../../protocol/kiosk-place.ts';
import { type PortUse, SETUP_STEPS, type SetupMark } from './setup-state.ts';

const markPath = (dir: string): string => join(dir, 'setup.json');
const settingsPath = (dir: string): string => join(dir, 'settings.json');

const markFile = z.object({ step: z.enum([...SETUP_STEPS, 'done']), name: entranceName.optional() });

/** @returns how far set-up has come; `undefined` where it never began, or can not be read: it is done anew then, and harms nothing. */
export function readMark(dir: string): SetupMark | undefined {
  try {
    const { step, name } = markFile.parse(JSON.parse(readFileSync(markPath(dir), 'utf8')));
    return { step, name };
  } catch {
    return undefined;
  }
}

/** @throws an error of the file system's where the disk does not take it. */
export const keepMark = (dir: string, mark: SetupMark): void => writeWhole(markPath(dir), Buffer.from(`${JSON.stringify(mark)}\n`), 0o600);

/** Settings of a kiosk as a person would write them (docs/technician.md); judged when the kiosk reads its configuration. */
export type Settings = Readonly<Record<string, unknown>>;

/** @throws ConfigError config.invalid when they are no JSON object. */
export function readSettings(dir: string): Settings {
  if (!existsSync(settingsPath(dir))) return {};
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(settingsPath(dir), 'utf8')));
  } catch (cause) {
    throw new ConfigError('config.invalid', `${settingsPath(dir)}: not as set-up wrote it (take it away and choose the devices anew)`, {
      cause,
    });
  }
}

/** @throws an error of the file system's where the disk does not take them. */
export const keepSettings = (dir: string, settings: Settings): void =>
  writeWhole(settingsPath(dir), Buffer.from(`${JSON.stringify(settings, undefined, 2)}\n`), 0o600);

const listed = z.array(z.looseObject({ name: z.string(), path: z.string().optional() })).catch([]);

/** As docs/devices/board.md draws it. */
const BOARD = { kind: 'firmata', name: 'board', buzzer: { kind: 'passive', pin: 6 }, button: { pin: 7 } } as const;
const LIGHTS = {
  'board-rgb': { kind: 'rgb', pins: { red: 9, green: 10, blue: 11 } },
  'board-three': { kind: 'three', pins: { green: 8, yellow: 12, red: 13 } },
} as const;

/** @returns the settings in which the port at `path` is used so, and for nothing else; the one that was used so before is a scanner's again. */
export function withPort(settings: Settings, path: string, as: PortUse): Settings {
  const others = (key: string, isReplaced: boolean) =>
    listed.parse(settings[key] ?? []).filter((one) => one.path !== path && !(isReplaced && one.path !== undefined));
  const isBoard = as === 'board-rgb' || as === 'board-three';
  const isThermometer = as === 'gy-mcu90614' || as === 'gy-614v';
  return {
    ...settings,
    thermometers: [
      ...others('thermometers', isThermometer),
      ...(isThermometer ? [{ kind: 'serial', model: as, name: 'thermometer', path }] : []),
    ],
    boards: [...others('boards', isBoard), ...(isBoard ? [{ ...BOARD, path, light: LIGHTS[as] }] : [])],
  };
}

export const withSniffer = (settings: Settings, isOn: boolean): Settings => ({
  ...settings,
  sniffers: isOn ? [{ kind: 'bluetooth', name: 'sniffer' }] : [],
});

/** @returns the path of the device of that name; `undefined` where none of them has it. */
export const pathOf = (settings: Settings, device: string): string | undefined =>
  ['thermometers', 'boards'].flatMap((key) => listed.parse(settings[key] ?? [])).find(({ name }) => name === device)?.path;
