/** `vestibule kiosk reset`: shows what was not delivered yet, asks, and makes this machine one without identity again. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { type KioskConfig, parseConfig } from '../kiosk/config.ts';
import { lockDataDir } from '../kiosk/data-lock.ts';
import { deliverRest } from '../kiosk/reset/deliver-rest.ts';
import { type AtStake, atStake, type ResetDone, reset } from '../kiosk/reset/reset.ts';
import { ConfigError } from '../protocol/errors.ts';
import { silentLog } from '../protocol/log.ts';
import { systemClock } from '../protocol/time.ts';
import { dataPaths } from './data-paths.ts';
import { untilStopped } from './stopping.ts';
import { VERSION } from './version.ts';

interface Options {
  readonly data: string;
  readonly trust?: string;
  readonly delivery: boolean;
  readonly yes?: true;
  readonly discardUnsent?: true;
}

const HELP = `
Stop the kiosk first: sudo systemctl stop vestibule-kiosk. What waits for the gateway is sent before anything is asked, if the gateway can be
reached. Then keys, outbox, settings, policy and notices are overwritten and taken away, and the gateway shuts this kiosk out. Killed anywhere,
the next start of the kiosk, or this command, finishes it. An SD card may keep old copies that no program can reach: docs/technician.md.`;

const say = (line = ''): void => void process.stdout.write(`${line}\n`);
const HOUR_MS = 3_600_000;

export function kioskResetCommand(): Command {
  return new Command('reset')
    .description('make this kiosk a machine without identity again, after showing what was not delivered yet')
    .option('--data <dir>', 'data directory; the kiosk is in its "kiosk" folder', './data')
    .option('--trust <file>', "the gateway's trust.json, for a kiosk that is admitted by its key")
    .option('--no-delivery', 'do not try to deliver what waits')
    .option('--yes', 'ask nothing; refused while anything waits')
    .option('--discard-unsent', 'with --yes: also where something waits, which nobody gets then')
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      const signal = untilStopped();
      const paths = dataPaths(options.data);
      // Not by its settings: a kiosk whose settings are damaged can be reset, too.
      const trustPath = options.trust ?? join(paths.gateway, 'trust.json');
      const config = parseConfig({
        dataDir: paths.kiosk,
        ...(existsSync(trustPath) && { trustPath }),
        scanners: [],
        page: { isOn: false },
      });
      if (!existsSync(config.dataDir))
        throw new ConfigError('config.invalid', `${config.dataDir}: is not there (--data names the data directory)`);
      if (options.delivery && unlockedStake(config).unsent !== 0) {
        say('Delivering what waits, for half a minute at most …');
        await deliverRest(config, systemClock, VERSION, signal);
      }
      const unlock = lockDataDir(config.dataDir);
      try {
        const stake = atStake(config, systemClock);
        for (const line of stakeLines(stake)) say(line);
        if (stake.kiosk === undefined && !stake.isEnrolled && stake.unsent === 0) return;
        if (!(await mayReset(stake, options, signal))) return say('Nothing was changed.');
        for (const line of doneLines(await reset(config, { clock: systemClock, log: silentLog }, signal))) say(line);
      } finally {
        unlock();
      }
    });
}

function unlockedStake(config: KioskConfig): AtStake {
  const unlock = lockDataDir(config.dataDir);
  try {
    return atStake(config, systemClock);
  } finally {
    unlock();
  }
}

export function stakeLines({ kiosk, isEnrolled, unsent, oldestMs, setAside }: AtStake): string[] {
  if (kiosk === undefined && !isEnrolled && unsent === 0) return ['There is no kiosk here.'];
  const waited =
    oldestMs === undefined ? '' : `, the oldest for ${oldestMs < HOUR_MS ? 'less than an hour' : `${(oldestMs / HOUR_MS).toFixed(1)} h`}`;
  return [
    kiosk === undefined ? 'A kiosk without its key.' : `Kiosk ${kiosk}${isEnrolled ? '' : ', not enrolled by a code'}`,
    unsent === undefined
      ? '!! Its outbox can not be read: what was not delivered is lost.'
      : unsent === 0
        ? 'All that it kept is delivered.'
        : `!! ${unsent} ${unsent === 1 ? 'record is' : 'records are'} NOT delivered${waited}. A reset destroys what waits: nobody else has it.`,
    ...(setAside === 0 ? [] : [`!! ${setAside} damaged ${setAside === 1 ? 'outbox lies' : 'outboxes lie'} aside, and would go, too.`]),
  ];
}

async function mayReset({ unsent, setAside }: AtStake, options: Options, signal: AbortSignal): Promise<boolean> {
  const isLoss = unsent !== 0 || setAside > 0;
  if (options.yes) {
    if (isLoss && !options.discardUnsent)
      throw new ConfigError('config.invalid', 'reset: something was not delivered (--discard-unsent destroys it)');
    return true;
  }
  if (!process.stdin.isTTY) throw new ConfigError('config.invalid', 'reset: asks a person, and there is no terminal (--yes asks nothing)');
  // Not "y": a word that nobody types by the way, and another where something is lost.
  const word = isLoss ? 'discard' : 'reset';
  const asking = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await asking.question(`Type ${word} to go on: `, { signal })) === word;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  } finally {
    asking.close();
  }
}

export function doneLines({ farewell, files }: ResetDone): string[] {
  const told =
    farewell.outcome === 'told'
      ? 'The gateway has shut it out.'
      : farewell.outcome === 'nobody'
        ? 'It had no gateway to tell.'
        : `The gateway was NOT told (${farewell.why}): ask the operator to revoke it.`;
  return [
    `Reset: ${files} ${files === 1 ? 'file' : 'files'} overwritten and taken away.`,
    told,
    'A card or SSD may keep old copies that no program can reach. What is in them is sealed to the gateway, and a key that is revoked opens nothing.',
  ];
}
