/** `vestibule clock`: an operator's word that the machine's clock is right, where what it says is not believed. */
import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { AuditLog } from '../core/audit.ts';
import { readCoreKeys } from '../core/keys.ts';
import { faultsOf } from '../core/overlap-command.ts';
import { confirmClock } from '../disk/retention-clock.ts';
import { ConfigError } from '../protocol/errors.ts';
import { systemClock } from '../protocol/time.ts';
import { writeDeed } from './audit-desk.ts';
import { type DataPaths, dataPaths } from './data-paths.ts';
import { systemUser } from './system-user.ts';

export function clockCommand(): Command {
  const clock = new Command('clock').description("the machine's clock, by which gateway and core forget");
  clock
    .command('confirm')
    .description('say that it is right now: what is past its time by it is forgotten within ten minutes, or at the next start')
    .requiredOption('--purpose <words>', 'why; kept in the audit log')
    .option('--data <dir>', 'data directory of gateway, core or both', './data')
    .action(async ({ purpose, data }: { purpose: string; data: string }) => {
      const paths = dataPaths(data);
      const faults = faultsOf(systemUser(), purpose);
      if (faults.length > 0) throw new ConfigError('config.invalid', faults.join('; '));
      const here = [paths.gateway, paths.core].filter((directory) => existsSync(directory));
      if (here.length === 0) throw new ConfigError('config.invalid', `${paths.root}: neither a gateway nor a core is there`);
      // Written down before it is done.
      if (here.includes(paths.gateway)) await writeDeed(data, { action: 'clock.confirm', about: '', detail: purpose });
      if (here.includes(paths.core)) await noteAtCore(paths, purpose);
      for (const directory of here) confirmClock(directory, systemClock);
      const now = new Date(systemClock.wall()).toISOString();
      process.stdout.write(
        `${now} is taken for right: what is past its time by it is forgotten within ten minutes, or at the next start.\n`,
      );
    });
  return clock;
}

async function noteAtCore({ core, coreKeys }: DataPaths, purpose: string): Promise<void> {
  const { storeKey } = await readCoreKeys(coreKeys);
  const audit = new AuditLog(core, storeKey);
  try {
    const deed = { atMs: systemClock.wall(), who: systemUser(), purpose, role: 'operator', action: 'clock.confirm', about: '', rows: 0 };
    audit.append({ ...deed, detail: '', outcome: 'done' });
  } finally {
    audit.close();
  }
}
