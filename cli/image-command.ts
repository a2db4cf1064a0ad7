/** `vestibule image`: builds what is put on a kiosk's card. */
import { readFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { ConfigError } from '../protocol/errors.ts';
import { systemClock } from '../protocol/time.ts';
import { buildImage } from '../workshop/image/build-image.ts';
import { readLock, type Screen, writeLock } from '../workshop/image/debian-lock.ts';
import { makeLock } from '../workshop/image/make-lock.ts';
import { findPrograms } from '../workshop/image/program.ts';
import { openPublicKey } from '../workshop/release/release-keys.ts';
import { untilStopped } from './stopping.ts';
import { VERSION } from './version.ts';

const source = resolve(import.meta.dirname, '..');
const LOCK = join(source, 'workshop/image/debian.lock.json');
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const HELP = `
Needs no root, and mounts nothing; on Debian: apt-get install squashfs-tools mtools e2fsprogs kmod xz-utils.
The same sources, lockfiles and time give the same bytes: --epoch, or SOURCE_DATE_EPOCH, or the time of the lock.`;

interface BuildOptions {
  readonly screen: Screen;
  readonly out: string;
  readonly cache: string;
  readonly mirror: string;
  readonly lock: string;
  readonly epoch?: string;
  readonly releaseKey?: string;
}

const mirror = ['--mirror <address>', 'an archive of Debian', 'http://deb.debian.org'] as const;
const lockFile = ['--lock <file>', 'the packages of Debian', LOCK] as const;

/** What FAT and squashfs can say. @throws ConfigError config.invalid. */
function secondsOf(text: string): number {
  const seconds = /^\d{9,10}$/.test(text) ? Number(text) : 0;
  if (seconds >= 315_532_800 && seconds < 4_294_967_296) return seconds;
  throw new ConfigError('config.invalid', `--epoch: "${text}" are no seconds since 1970, from 1980 to 2106`);
}

/** @throws ConfigError config.invalid. */
function readPublicKey(path: string): string {
  openPublicKey(path);
  return readFileSync(path, 'utf8');
}

export function imageCommand(): Command {
  const image = new Command('image').description("build what is put on a kiosk's card: Raspberry Pi 3 and 4, Zero 2 W");

  image
    .command('build', { isDefault: true })
    .description('what `vestibule image` does by itself')
    .addOption(new Option('--screen <kind>', 'a browser on the screen, or the console').choices(['chromium', 'none']).default('chromium'))
    .option('--out <file>', 'the image', 'vestibule-kiosk.img')
    .option('--cache <dir>', 'where downloads stay', join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'vestibule-image'))
    .option(...mirror)
    .option(...lockFile)
    .option('--epoch <seconds>', 'the time of every file')
    .option('--release-key <file>', 'release.pub of "vestibule release key": whose releases its kiosks take; left out, they take none')
    .addHelpText('after', HELP)
    .action(async (options: BuildOptions) => {
      const lock = readLock(options.lock);
      const asked = options.epoch ?? process.env.SOURCE_DATE_EPOCH;
      // Node says that a function of its own is experimental, by which types are taken out of the sources: nothing for whoever builds an image.
      const { emitWarning } = process;
      process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
        if (!`${warning}`.includes('stripTypeScriptTypes')) Reflect.apply(emitWarning, process, [warning, ...rest]);
      };
      const built = await buildImage(
        {
          source,
          version: VERSION,
          ...(options.releaseKey !== undefined && { releaseKey: readPublicKey(options.releaseKey) }),
          screen: options.screen,
          lock,
          epochS: asked === undefined ? lock.epochS : secondsOf(asked),
          mirror: options.mirror,
          cache: options.cache,
          out: resolve(options.out),
        },
        { programs: findPrograms(process.env.PATH ?? ''), say },
        untilStopped(),
      );
      say(
        options.releaseKey === undefined
          ? 'updates are off: without --release-key its kiosks take no release'
          : `updates are on: its kiosks take releases signed by the key of ${options.releaseKey}`,
      );
      say(`${built.card}: write it to a card (docs/technician.md); ${built.sbom}: what it is made of`);
    });

  image
    .command('lock')
    .description('choose the packages of Debian anew: the newest, each by its digest')
    .option(...mirror)
    .option(...lockFile)
    .action(async ({ mirror, lock }: Pick<BuildOptions, 'mirror' | 'lock'>) => {
      const epochS = Math.floor(systemClock.wall() / 86_400_000) * 86_400;
      const scratch = join(tmpdir(), `vestibule-lock-${process.pid}`);
      const made = await makeLock({ mirror, scratch, epochS }, untilStopped());
      writeLock(lock, made);
      say(`${made.packages.length} packages: ${lock}`);
    });

  return image;
}
