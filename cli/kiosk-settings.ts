/** A kiosk's settings: what is there of itself, what set-up has chosen, the file, and the command line over them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readSettings } from '../kiosk/setup/setup-files.ts';
import { dataPaths, readJsonFile } from './data-paths.ts';
import type { Output } from './kiosk-doors.ts';
import type { Level } from './log.ts';
import { portOf } from './numbers.ts';

export interface RunOptions {
  readonly data: string;
  readonly config?: string;
  readonly trust?: string;
  readonly direction?: string;
  readonly scanner?: readonly string[];
  readonly thermometer?: string;
  readonly pagePort?: string;
  readonly page: boolean;
  readonly output: Output;
  readonly log: Level;
}

/** The options that say which kiosk is meant. */
export type KioskOptions = Pick<RunOptions, 'data' | 'config' | 'trust'> & Partial<RunOptions>;

/** Each over those before it. @throws ConfigError config.invalid for a file that can not be read. */
export function settingsOf(options: KioskOptions): Record<string, unknown> {
  const paths = dataPaths(options.data);
  const besideGateway = join(paths.gateway, 'trust.json');
  const file = options.config === undefined ? {} : (readJsonFile(options.config) as Record<string, unknown>);
  const { scanner, thermometer, direction, pagePort, page = true, trust } = options;
  return {
    dataDir: paths.kiosk,
    ...(existsSync(besideGateway) && { trustPath: besideGateway }),
    scanners: [{ kind: 'auto-serial' }, { kind: 'auto-hid' }, { kind: 'standard-input' }],
    ...readSettings(paths.kiosk),
    ...file,
    ...(trust && { trustPath: trust }),
    ...(direction && { direction }),
    ...(scanner && {
      scanners: [...scanner.map((path, at) => ({ kind: 'serial', name: `scanner-${at + 1}`, path })), { kind: 'standard-input' }],
    }),
    ...(thermometer && { thermometers: [{ kind: 'serial', model: 'gy-mcu90614', name: 'thermometer', path: thermometer }] }),
    ...(pagePort || !page ? { page: { isOn: page, ...(pagePort && { port: portOf('--page-port', pagePort) }) } } : {}),
  };
}
