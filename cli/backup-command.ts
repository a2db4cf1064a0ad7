/** `vestibule gateway backup`, `backup-key` and `restore`. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import type { Opening } from '../gateway/backup/locks.ts';
import { ConfigError } from '../protocol/errors.ts';
import { systemClock } from '../protocol/time.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { writeDeed } from './audit-desk.ts';
import { lockingFor, makeBackupKey, readBackupKey } from './backup-key.ts';
import { dataPaths, refuseNoGateway } from './data-paths.ts';
import { makeBackup } from './make-backup.ts';
import { readPassword } from './password.ts';
import { type Inspected, restoreData, verifyBackup } from './restore-data.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const data = ['--data <dir>', 'data directory of the gateway', './data'] as const;
const key = ['--key <file>', 'the private half that it was made for; left out, a passphrase is asked for'] as const;

const BACKUP_HELP = `
Gateway, core, their keys and the card issuer, in one sealed file, while they run. Without --for a passphrase is asked for (from another
program: the first line of standard input). For backups by a timer make a key pair once, elsewhere, and leave only its public half here:
  vestibule gateway backup-key --out backup.key
  vestibule gateway backup --for vestibule-backup-... --to /mnt/backups/
With --to a directory the file is named by the time. The file is read again to its last byte before it has its name.
  vestibule gateway backup --verify FILE [--key backup.key]     opens and counts all that is in it, and restores nothing`;

export function backupCommands(): Command[] {
  const backup = new Command('backup')
    .description('make a backup of a gateway that runs or not, or try one')
    .option('--to <path>', 'a file that is not there yet, or a directory')
    .option('--for <public half...>', 'of a key pair (backup-key); up to 8, each of which opens it')
    .option('--config <file>', 'the settings file to take along')
    .option('--verify <file>', 'try this backup, and make none')
    .option(...key)
    .option(...data)
    .addHelpText('after', BACKUP_HELP)
    .action(async (options: { to?: string; for?: string[]; config?: string; verify?: string; key?: string; data: string }) => {
      if ((options.to === undefined) === (options.verify === undefined))
        throw new ConfigError('config.invalid', 'backup: either --to or --verify');
      if (options.verify !== undefined) {
        const inspected = await verifyBackup(options.verify, await openingOf(options.key, 'Passphrase of the backup: '));
        for (const line of linesOf(inspected)) say(line);
        say('it opens, and is whole');
        return;
      }
      await make({ ...options, to: options.to ?? '' });
    });

  const backupKey = new Command('backup-key')
    .description('make a key pair for backups; keep the private half away from the gateway')
    .requiredOption('--out <file>', 'where the private half goes; not there yet')
    .action(async (options: { out: string }) => {
      say(await makeBackupKey(options.out));
    });

  const restore = new Command('restore')
    .description('restore a backup into an empty directory')
    .requiredOption('--from <file>', 'the backup')
    .option(...key)
    .option(...data)
    .action(async (options: { from: string; key?: string; data: string }) => {
      const inspected = await restoreData(
        options.from,
        await openingOf(options.key, 'Passphrase of the backup: '),
        options.data,
        systemClock,
      );
      await writeDeed(options.data, { action: 'gateway.restore', about: '', detail: timeOf(inspected.contents.createdAtMs) });
      for (const line of linesOf(inspected)) say(line);
      say(`restored into ${dataPaths(options.data).root}`);
    });

  return [backup, backupKey, restore];
}

async function make(options: { to: string; for?: string[]; config?: string; data: string }): Promise<void> {
  const paths = dataPaths(options.data);
  refuseNoGateway(paths);
  const nowMs = systemClock.wall();
  const isDirectory = statSync(options.to, { throwIfNoEntry: false })?.isDirectory() === true;
  const to = isDirectory ? join(options.to, `vestibule-${timeOf(nowMs).replaceAll(/[:.]/g, '')}.backup`) : options.to;
  const lockings = options.for?.map(lockingFor) ?? [
    { kind: 'passphrase' as const, passphrase: await readPassword('Passphrase for the backup (12 characters or more): ') },
  ];
  const made = await makeBackup(paths, { to, lockings, nowMs, ...(options.config === undefined ? {} : { settingsPath: options.config }) });
  await writeDeed(options.data, { action: 'gateway.backup', about: '', detail: `${made.files} files` });
  say(`${to}: ${made.files} files, ${made.sealedBytes} bytes, read again and whole`);
}

const openingOf = async (keyPath: string | undefined, prompt: string): Promise<Opening> =>
  keyPath === undefined ? { kind: 'passphrase', passphrase: await readPassword(prompt) } : readBackupKey(keyPath);

function linesOf({ contents, gateway, core }: Inspected): string[] {
  return [
    `made ${timeOf(contents.createdAtMs)}, deployment ${contents.deployment}: ${contents.files} files, ${contents.bytes} bytes`,
    `gateway: ${gateway.venues} venues, ${gateway.kiosks} kiosks (${gateway.revoked} revoked), ${gateway.lostCards} lost cards, ${gateway.rows} rows`,
    `core: ${core.days} days, ${core.rows} scans and readings`,
  ];
}

const timeOf = (atMs: EpochMillis): string => new Date(atMs).toISOString();
