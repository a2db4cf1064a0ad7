/** `vestibule gateway rotate`: puts a key of the gateway aside and lets the next start make another. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Argument, Command } from 'commander';
import { retireAuthority } from '../gateway/authority.ts';
import { ConfigError } from '../protocol/errors.ts';
import { writeDeed } from './audit-desk.ts';
import { dataPaths } from './data-paths.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const HELP = `
authority: signs the certificates of kiosks. Restart the gateway afterwards: each kiosk is refused once, renews by its key,
and comes back by itself, within a minute; a revoked one does not. The old key and certificate stay beside the new ones,
under a number; erase the old key.`;

export function rotateCommand(): Command {
  return new Command('rotate')
    .addArgument(new Argument('<what>', 'which key').choices(['authority']))
    .description('put a key aside, so that the next start of the gateway makes another')
    .option('--data <dir>', 'data directory of the gateway', './data')
    .addHelpText('after', HELP)
    .action(async (what: 'authority', options: { data: string }) => {
      const keys = join(dataPaths(options.data).gateway, 'keys');
      if (!existsSync(join(keys, 'ca.crt')))
        throw new ConfigError(
          'config.invalid',
          `${keys}: holds no authority (--data names the data directory of the gateway; it is made at its first start)`,
        );
      await writeDeed(options.data, { action: 'key.rotate', about: what, detail: '' });
      say(`the authority is put aside as ${join(keys, retireAuthority(keys))}; restart the gateway, then erase its key`);
    });
}
