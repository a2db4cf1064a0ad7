/** `vestibule kiosk update`: has the kiosk of this machine take a release from a file, such as one on a stick. */
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { askFor } from '../kiosk/update/media.ts';
import { ConfigError } from '../protocol/errors.ts';
import { dataPaths } from './data-paths.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const HELP = `
A bundle on a stick whose name ends in .vrelease is found without this command. The kiosk that runs looks at it within seconds, the next start of one
that does not run: key, signature, board and version first. Its screen and its state tell how far it is; it is tried when the door is quiet.`;

export function kioskUpdateCommand(): Command {
  return new Command('update')
    .argument('<file>', 'a bundle; it stays where it is until it is taken')
    .description('take a release from a file')
    .option('--data <dir>', 'data directory; the kiosk is in its "kiosk" folder', './data')
    .addHelpText('after', HELP)
    .action((file: string, options: { data: string }) => {
      const dir = dataPaths(options.data).kiosk;
      if (!existsSync(dir)) throw new ConfigError('config.invalid', `${dir}: is not there (--data names the data directory)`);
      const known = statSync(file, { throwIfNoEntry: false });
      if (known === undefined) throw new ConfigError('config.invalid', `${file}: is not there`);
      // The kiosk passes over anything else without a word.
      if (!known.isFile()) throw new ConfigError('config.invalid', `${file}: is no file`);
      askFor(dir, resolve(file));
      say(`${resolve(file)}: the kiosk looks at it; its screen tells what becomes of it`);
    });
}
