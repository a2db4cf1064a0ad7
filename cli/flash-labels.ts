/** A label for each card that is done: a code is given out only then, and the file of labels holds all of them at any time. */
import { existsSync } from 'node:fs';
import { type KioskLabel, printLabels } from '../cards/labels.ts';
import { refuseTaken } from '../cards/private-file.ts';
import { openCodeDesk } from '../gateway/enrol/give-codes.ts';
import { ConfigError } from '../protocol/errors.ts';
import { systemClock } from '../protocol/time.ts';
import { writeDeed } from './audit-desk.ts';
import { dataPaths, gatewayIdentity } from './data-paths.ts';
import { labelOf } from './enrol-command.ts';
import { decimalOf } from './numbers.ts';
import { venueNamed } from './place-names.ts';
import { printCodes } from './print-codes.ts';

export interface LabelOptions {
  readonly data: string;
  readonly labels?: string;
  readonly venue?: string;
  readonly direction?: 'in' | 'out' | 'both';
  readonly hours: string;
  readonly force?: true;
}

export interface Labels {
  /** Gives out one code and prints its label with those before. @returns by which number operators know it. @throws as printCodes, and StoreError: without a label there is no code that is good. */
  add(): Promise<number>;
  close(): void;
}

const HOUR_MS = 3_600_000;

/** Refuses what can not work before a card is touched. @throws ConfigError `config.invalid`; StoreError as openCodeDesk does. */
export async function openLabels({ data, labels: path, venue: asked, direction = 'in', hours, force }: LabelOptions): Promise<Labels> {
  const lifeMs = Math.round(decimalOf('--hours', hours) * HOUR_MS);
  if (path === undefined || asked === undefined)
    throw new ConfigError('config.invalid', '--labels: of which venue? (--venue; "vestibule venue list" tells them)');
  refuseTaken(path, force === true);
  const paths = dataPaths(data);
  if (!existsSync(paths.gateway))
    throw new ConfigError('config.invalid', `${paths.gateway}: is not there (--data names the data directory of the gateway)`);
  await gatewayIdentity(paths);
  const desk = await openCodeDesk(paths.gateway);
  let printed: readonly KioskLabel[] = [];
  try {
    venueNamed('--venue', asked, desk.registry.venues());
  } catch (error) {
    desk.close();
    throw error;
  }
  return {
    async add() {
      const { id } = venueNamed('--venue', asked, desk.registry.venues());
      const [code] = desk.give([{ venue: id, direction, role: 'kiosk' }], lifeMs, systemClock.wall());
      if (code === undefined) throw new TypeError('codes: none was given');
      await writeDeed(data, { action: 'code.give', about: String(code.number), detail: '' });
      const labels = [...printed, labelOf(code, desk.registry.venues())];
      await printCodes(desk, data, [code], () => printLabels(labels, path, force === true || printed.length > 0));
      printed = labels;
      return code.number;
    },
    close: () => desk.close(),
  };
}
