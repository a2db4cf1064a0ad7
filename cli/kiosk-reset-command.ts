/** `vestibule kiosk reset`: shows what was not delivered yet, asks, and makes this machine one without identity again. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { askKiosk } from '../kiosk/ask-kiosk.ts';
import { type KioskConfig, parseConfig } from '../kiosk/config.ts';
import { lockDataDir } from '../kiosk/data-lock.ts';
import { type AtStake, atStake, type ResetDone, reset } from '../kiosk/reset/reset.ts';
import { runKiosk } from '../kiosk/run-kiosk.ts';
import { ConfigError, ExpectedError } from '../protocol/errors.ts';
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
/** A drain of a week takes longer; it is shown then, and asked about. */
const DELIVER_MS = 30_000;
const LOOK_EVERY_MS = 250;

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
      if (options.delivery && unlockedStake(config).unsent !== 0) await deliverRest(config, signal);
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

/** The kiosk itself, without devices and page, until nothing waits any more, or for half a minute. */
async function deliverRest(config: KioskConfig, signal: AbortSignal): Promise<void> {
  const stopping = new AbortController();
  const cancel = systemClock.after(DELIVER_MS, () => stopping.abort());
  const ending = AbortSignal.any([signal, stopping.signal]);
  const { promise: ready, resolve: onReady } = Promise.withResolvers<void>();
  say('Delivering what waits, for half a minute at most …');
  const running = runKiosk(config, { clock: systemClock, log: silentLog, version: VERSION, onReady: () => onReady() }, ending);
  try {
    await Promise.race([ready, running]);
    while (!ending.aborted) {
      for await (const answer of askKiosk(config.dataDir, 'state', ending)) {
        if ('state' in answer && (answer.state.queued === 0 || answer.state.linkWhy !== undefined)) stopping.abort();
      }
      await systemClock.sleep(LOOK_EVERY_MS, ending);
    }
  } catch (error) {
    // What can not be delivered is shown, and asked about.
    if (!(error instanceof ExpectedError)) throw error;
  } finally {
    cancel();
    stopping.abort();
    await running.catch(() => {});
  }
}

export function stakeLines({ kiosk, isEnrolled, unsent, oldestMs, setAside }: AtStake): string[] {
  if (kiosk === undefined && !isEnrolled && unsent === 0) return ['There is no kiosk here.'];
  const hours = oldestMs === undefined ? '' : `, the oldest for ${(oldestMs / 3_600_000).toFixed(1)} h`;
  return [
    kiosk === undefined ? 'A kiosk without its key.' : `Kiosk ${kiosk}${isEnrolled ? '' : ', not enrolled by a code'}`,
    unsent === undefined
      ? '!! Its outbox can not be read: what was not delivered is lost.'
      : unsent === 0
        ? 'All that it kept is delivered.'
        : `!! ${unsent} ${unsent === 1 ? 'row is' : 'rows are'} NOT delivered${hours}. A reset destroys them: nobody else has them.`,
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
