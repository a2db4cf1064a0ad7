/** `vestibule gateway backup`, `backup-key` and `restore`. */
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { DEFAULT_RETENTION_DAYS } from '../core/core.ts';
import { RetentionClock } from '../disk/retention-clock.ts';
import type { Opening } from '../gateway/backup/locks.ts';
import type { Replayed } from '../gateway/backup/mark-restored.ts';
import { backupName, pruneBackups } from '../gateway/backup/old-backups.ts';
import { copiesBeside, copyInSecondPlace, copyRevocations, setSecondPlace } from '../gateway/backup/revocation-file.ts';
import { ConfigError } from '../protocol/errors.ts';
import { silentLog } from '../protocol/log.ts';
import { systemClock } from '../protocol/time.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { writeDeed } from './audit-desk.ts';
import { lockingFor, makeBackupKey, readBackupKey } from './backup-key.ts';
import { dataPaths, gatewayIdentity, refuseNoGateway } from './data-paths.ts';
import { makeBackup } from './make-backup.ts';
import { counted } from './numbers.ts';
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
With --to a directory the file is named by the time, and those of 21 days ago and longer are taken away there: nothing in them is to be kept. The file is read again to its last byte before it has its name.
  vestibule gateway backup --verify FILE [--key backup.key]     opens and counts all that is in it, and restores nothing`;

const RESTORE_HELP = `
Afterwards start the gateway at the address it had: kiosks come back by themselves, and send again what they still have and it lacks. With
--revocations, what was admitted, revoked, lost, used and taken away since the backup is done again; without it, no enrolment code of before
is good any more, and whatever was revoked since has to be revoked again.`;

const PLACE_HELP = `
Each kiosk admitted or revoked, card lost, code used and account changed is a line of it, sealed; the running gateway brings it up to date within a
second. Without it, a restore brings back what was revoked since the backup.`;

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
        const inspected = await verifyBackup(options.verify, await openingOf(options.verify, options.key));
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
    .option('--revocations <file>', 'the copy of the revocation log in the second place')
    .option(...key)
    .option(...data)
    .addHelpText('after', RESTORE_HELP)
    .action(async (options: { from: string; revocations?: string; key?: string; data: string }) => {
      const { revocations } = options;
      const opening = await openingOf(options.from, options.key);
      const from = { clock: systemClock, ...(revocations === undefined ? {} : { revocations }) };
      const { replayed, ...inspected } = await restoreData(options.from, opening, options.data, from);
      await writeDeed(options.data, { action: 'gateway.restore', about: '', detail: timeOf(inspected.contents.createdAtMs) });
      for (const line of linesOf(inspected)) say(line);
      for (const line of replayLines(replayed)) say(line);
      for (const line of copyLines(options.data, revocations)) say(line);
      say(`restored into ${dataPaths(options.data).root}`);
    });

  const place = new Command('second-place')
    .argument('<directory>', 'on another disk or machine than the gateway')
    .description('keep a copy of the revocation log there, for a restore')
    .option(...data)
    .addHelpText('after', PLACE_HELP)
    .action(async (directory: string, options: { data: string }) => {
      const paths = dataPaths(options.data);
      refuseNoGateway(paths);
      const { storeKey } = await gatewayIdentity(paths);
      setSecondPlace(paths.gateway, resolve(directory));
      const path = await copyRevocations(paths.gateway, storeKey);
      await writeDeed(options.data, { action: 'gateway.second-place', about: '', detail: '' });
      say(`${path}: up to date`);
    });

  return [backup, backupKey, restore, place];
}

async function make(options: { to: string; for?: string[]; config?: string; data: string }): Promise<void> {
  const paths = dataPaths(options.data);
  refuseNoGateway(paths);
  const nowMs = systemClock.wall();
  const isDirectory = statSync(options.to, { throwIfNoEntry: false })?.isDirectory() === true;
  // Written as a file beside it, it would lie on this disk until the other is mounted over it.
  if (!isDirectory && options.to.endsWith('/'))
    throw new ConfigError('config.invalid', `${options.to}: no directory is there (make it, or mount its disk)`);
  const to = isDirectory ? join(options.to, backupName(nowMs)) : options.to;
  const lockings = options.for?.map(lockingFor) ?? [
    { kind: 'passphrase' as const, passphrase: await readPassword('Passphrase for the backup (12 characters or more): ') },
  ];
  const made = await makeBackup(paths, { to, lockings, nowMs, ...(options.config === undefined ? {} : { settingsPath: options.config }) });
  await writeDeed(options.data, { action: 'gateway.backup', about: '', detail: counted(made.files, 'file') });
  say(`${to}: ${counted(made.files, 'file')}, ${made.sealedBytes} bytes, read again and whole`);
  const old = isDirectory
    ? pruneBackups(options.to, DEFAULT_RETENTION_DAYS, new RetentionClock(paths.gateway, systemClock, silentLog).nowMs)
    : 0;
  if (old > 0) say(`${old} older than ${DEFAULT_RETENTION_DAYS} days taken away`);
}

/** @throws ConfigError `config.invalid` where the backup is not there: nobody types a passphrase for that. */
async function openingOf(backup: string, keyPath: string | undefined): Promise<Opening> {
  if (!existsSync(backup)) throw new ConfigError('config.invalid', `${backup}: is not there`);
  if (keyPath !== undefined) return readBackupKey(keyPath);
  return { kind: 'passphrase', passphrase: await readPassword('Passphrase of the backup: ') };
}

function linesOf({ contents, gateway, core }: Inspected): string[] {
  return [
    `made ${timeOf(contents.createdAtMs)}, deployment ${contents.deployment}: ${counted(contents.files, 'file')}, ${contents.bytes} bytes`,
    `gateway: ${counted(gateway.venues, 'venue')}, ${counted(gateway.kiosks, 'kiosk')} (${gateway.revoked} revoked), ${counted(gateway.lostCards, 'lost card')}, ${counted(gateway.rows, 'record')}`,
    `core: ${counted(core.days, 'day')}, ${counted(core.rows, 'scan or reading', 'scans and readings')}`,
  ];
}

function replayLines({ changes, lastAtMs, withdrawnCodes, hasNewKey }: Replayed): string[] {
  const withdrawn = counted(withdrawnCodes, 'open enrolment code is', 'open enrolment codes are');
  if (changes === undefined)
    return [
      `no log of revocations: ${withdrawn} withdrawn; revoke again what was revoked since, report lost cards again, and enrol anew what enrolled since`,
      'if "vestibule gateway rotate tls" was given since the backup, give it again before the gateway starts, with --force: kiosks refuse an earlier key',
    ];
  return [
    `${counted(changes, 'change')} since the backup done again${lastAtMs === undefined ? '' : `, the last of ${timeOf(lastAtMs)}`}`,
    ...(hasNewKey ? [`its TLS key was succeeded since: another one is made, which kiosks follow; ${withdrawn} withdrawn`] : []),
  ];
}

/** Started, a gateway that was restored by the wrong copy brings back what was revoked, and nobody would know. */
function copyLines(directory: string, revocations: string | undefined): string[] {
  if (revocations !== undefined)
    return copiesBeside(revocations).map((other) => `NOT done again is what only ${other} says: look which of the two goes further`);
  const copy = copyInSecondPlace(dataPaths(directory).gateway);
  return copy === undefined ? [] : [`BUT there is one, ${copy}: restore with --revocations into another directory, and start that`];
}

const timeOf = (atMs: EpochMillis): string => new Date(atMs).toISOString();
