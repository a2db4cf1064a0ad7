/** `vestibule core give-up-day`: what an operator does about a day's file that is lost or damaged. */
import { Command } from 'commander';
import { giveUpDay } from '../core/give-up-day.ts';
import { readCoreKeys } from '../core/keys.ts';
import { silentLog } from '../protocol/log.ts';
import { systemClock } from '../protocol/time.ts';
import { dataPaths } from './data-paths.ts';
import { systemUser } from './system-user.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

export function giveUpDayCommand(): Command {
  return new Command('give-up-day')
    .description('forget a day whose file is lost or damaged, so that later records of it are taken again; stop the gateway first')
    .argument('<day>', 'YYYY-MM-DD, UTC')
    .requiredOption('--purpose <words>', 'why; kept in the audit log')
    .option('--data <dir>', 'data directory; the core is in its "core" folder', './data')
    .action(async (day: string, options: { purpose: string; data: string }) => {
      const { core: dir, coreKeys } = dataPaths(options.data);
      const keys = await readCoreKeys(coreKeys);
      const asked = { day, who: systemUser(), purpose: options.purpose };
      const { entry } = giveUpDay({ dir, keys, clock: systemClock, log: silentLog }, asked);
      say(`${day} is given up: what was in it is gone, and later records of it are taken again. Audit log entry ${entry}.`);
    });
}
