/** `vestibule gateway rotate`: has a key of the gateway succeeded by another, which the next start goes by. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Argument, Command } from 'commander';
import { retireAuthority } from '../gateway/authority.ts';
import { openIdentity } from '../gateway/identity.ts';
import { rotateTlsKey, type Stranded, strandedBy } from '../gateway/rotate/rotate-tls.ts';
import { type Succeeded, succeed } from '../gateway/rotate/secrets.ts';
import { ConfigError } from '../protocol/errors.ts';
import { systemClock } from '../protocol/time.ts';
import { doDeed, writeDeed } from './audit-desk.ts';
import { dataPaths } from './data-paths.ts';
import { counted } from './numbers.ts';
import { withRegistry } from './registry-access.ts';
import { type KioskWords, kioskWordsOf, wordsAndId } from './rollout-lines.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const HELP = `
authority: signs the certificates of kiosks. Restart the gateway afterwards: each kiosk is refused once, renews by its key,
and comes back by itself, within a minute; a revoked one does not. The old key and certificate stay beside the new ones,
under a number; erase the old key.
tls: the key by which kiosks know this gateway. Restart the gateway afterwards: each kiosk follows by itself when it next
connects, also one that was away for weeks, because the gateway's other key vouches for the new one; "vestibule status" tells
how many have. Erase the files that the command names. It goes ahead only when every kiosk has said that it follows, and no
code is open; --force leaves the others behind: they have to be updated, or enrolled anew.
recipient: for whom kiosks seal what they record. Make a backup first thing afterwards, then restart the gateway: kiosks that enrolled
with a code seal for the new key within a day of hearing of it, the others once the new trust.json is carried to them. The key
before it stays, and opens what was sealed for it.
names: by which flags and events name a card to operators, each day and venue another. Restart the gateway: the names of today
change with it. Erase the files that the command names.`;

interface RotateOptions {
  readonly data: string;
  readonly force?: true;
}

export function rotateCommand(): Command {
  return new Command('rotate')
    .addArgument(new Argument('<what>', 'which key').choices(['authority', 'tls', 'recipient', 'names']))
    .description('have a key succeeded by another, from the next start of the gateway on')
    .option('--force', 'tls: also when that leaves kiosks or open codes behind')
    .option('--data <dir>', 'data directory of the gateway', './data')
    .addHelpText('after', HELP)
    .action(async (what: 'authority' | 'tls' | Succeeded, options: RotateOptions) => {
      const paths = dataPaths(options.data);
      const keys = join(paths.gateway, 'keys');
      if (!existsSync(join(keys, 'deployment')))
        throw new ConfigError(
          'config.invalid',
          `${keys}: holds no keys of a gateway (--data names the data directory of the gateway; they are made at its first start)`,
        );
      if (what === 'authority' && !existsSync(join(keys, 'ca.crt')))
        throw new ConfigError('config.invalid', `${keys}: the authority is put aside already; restart the gateway, which makes another`);
      if (what === 'authority') await rotateAuthority(keys, options);
      else if (what === 'tls') await rotateTls(paths.gateway, options);
      else await rotateSecret(paths.gateway, keys, what, options);
    });
}

async function rotateAuthority(keys: string, { data }: RotateOptions): Promise<void> {
  await writeDeed(data, { action: 'key.rotate', about: 'authority', detail: '' });
  const certificate = join(keys, retireAuthority(keys));
  say(`the authority is put aside as ${certificate}; restart the gateway`);
  // Named in full: whoever is told of the certificate alone erases that, and the key stays.
  say(`then erase ${certificate.replace(/\.crt$/, '.key')}`);
}

async function rotateTls(gateway: string, { data, force }: RotateOptions): Promise<void> {
  const nowMs = systemClock.wall();
  const stranded = await strandedBy(gateway, nowMs);
  if (force !== true) {
    const words = await withRegistry(data, (registry) => kioskWordsOf(registry.kiosks(), registry.venues()));
    refuseStranding(stranded, words);
  }
  const detail =
    force === true ? `leaves ${counted(stranded.kiosks.length, 'kiosk')}, ${counted(stranded.codes.length, 'code')} behind` : '';
  const former = await doDeed(data, { action: 'key.rotate', about: 'tls', detail }, () => rotateTlsKey(gateway, nowMs));
  say('another key is made; restart the gateway: kiosks follow when they next connect ("vestibule status" tells how many have)');
  say(`then erase ${former.map((name) => join(gateway, 'keys', name)).join(', ')}`);
}

async function rotateSecret(gateway: string, keys: string, what: Succeeded, { data }: RotateOptions): Promise<void> {
  // One of a directory that lacks a key is told so, and not made whole by another.
  await openIdentity(gateway);
  const former = await doDeed(data, { action: 'key.rotate', about: what, detail: '' }, () => succeed(keys, what, systemClock.wall()));
  const files = former.map((name) => join(keys, name)).join(', ');
  if (what === 'names') {
    say(`other keys are made; restart the gateway, then erase ${files}`);
    return;
  }
  say('another key is made. Make a backup now ("vestibule gateway backup"): what kiosks seal from now on one of before can not open');
  say('then restart the gateway; kiosks seal for the new key within a day of hearing of it');
  say(`keep ${files}: what was sealed before is opened by it. When it may go: docs/operator.md, "Rotating the gateway's keys"`);
}

const MOST_NAMED = 8;

/** @throws ConfigError `config.invalid` with all who would be left behind. */
function refuseStranding({ kiosks, codes }: Stranded, words: KioskWords): void {
  const more = kiosks.length > MOST_NAMED ? ` and ${kiosks.length - MOST_NAMED} more` : '';
  const named = kiosks
    .slice(0, MOST_NAMED)
    .map((kiosk) => wordsAndId(kiosk, words))
    .join('; ');
  const faults = [
    kiosks.length === 0
      ? ''
      : `${kiosks.length === 1 ? 'this kiosk has not said that it follows' : 'these kiosks have not said that they follow'}: ${named}${more} (${kiosks.length === 1 ? 'let it connect once, or revoke it if it is gone' : 'let them connect once, or revoke those that are gone'}; one of an earlier release is updated first)`,
    codes.length === 0
      ? ''
      : `${codes.length === 1 ? 'this code is open and names' : 'these codes are open and name'} the present key: ${codes.join(', ')} (wait, or "vestibule enrol withdraw ${codes.join(' ')}")`,
  ].filter((fault) => fault !== '');
  if (faults.length > 0) throw new ConfigError('config.invalid', `${faults.join('; ')}; --force rotates all the same`);
}
