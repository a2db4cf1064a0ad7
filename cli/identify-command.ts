/** `vestibule identify`: what an unknown scanner sends, without any code on the screen, on the disk or in a log. */
import { Command } from 'commander';
import { USUAL_RATES } from '../hardware/scanner/baud-search.ts';
import { trustOf as trustOfKiosk } from '../kiosk/read-trust.ts';
import { ConfigError, codeOf } from '../protocol/errors.ts';
import { systemClock } from '../protocol/time.ts';
import type { TrustDocument } from '../protocol/trust.ts';
import { BurstGatherer, isGarbage, sightOfBurst } from './identify-burst.ts';
import { findSources, type Source, serialSource } from './identify-sources.ts';
import { burstLines } from './identify-words.ts';
import { settingsOf } from './kiosk-settings.ts';
import { untilStopped } from './stopping.ts';
import { typedChunks, typedInput } from './typed-input.ts';
import { COMMAND } from './version.ts';

const say = (line = ''): void => void process.stdout.write(`${line}\n`);

const HELP = `
Scan any code and read what came: how it was framed, by what it ended, whether it is a code of Vestibule and whether its signature is
known. No code is shown, kept or logged. A scanner that types and that is not known here types into this terminal, as it is;
what it types is not shown either. A kiosk that runs has the scanners: stop it first. Exit status 1: nothing came.`;

interface Options {
  readonly data: string;
  readonly trust?: string;
  readonly baud?: string;
  readonly seconds: string;
}

export function identifyCommand(): Command {
  return new Command('identify')
    .argument('[port...]', 'serial ports; without, every USB serial port, every HID scanner and this terminal')
    .description('show what an unknown scanner sends, without showing any code')
    .option('--baud <rate>', 'speed of serial ports; without, another is tried when what comes is unreadable')
    .option('--seconds <count>', 'how long to listen', '120')
    .option('--trust <file>', "the gateway's trust.json, by which signatures are known")
    .option('--data <dir>', 'data directory with a trust.json', './data')
    .addHelpText('after', HELP)
    .action(async (ports: readonly string[], options: Options) => {
      const seconds = numberOf('--seconds', options.seconds, 1, 3_600);
      const speeds = options.baud === undefined ? USUAL_RATES : [numberOf('--baud', options.baud, 1_200, 921_600)];
      const sources = ports.length > 0 ? ports.map((path) => serialSource(path)) : [...(await findSources()), ...terminal()];
      if (sources.length === 0) {
        say(`No scanner is here to listen to. Plug it in and ask again; ${COMMAND} doctor tells what this machine sees.`);
        process.exitCode = 1;
        return;
      }
      const stopped = untilStopped();
      const ending = new AbortController();
      const cancel = systemClock.after(seconds * 1_000, () => ending.abort());
      const signal = AbortSignal.any([stopped, ending.signal]);
      say(`Scan as soon as a scanner is listened to. ${seconds} s, or Ctrl-C.`);
      const trust = trustOf(options);
      if (trust === undefined) say('(no trust.json here: signatures are not asked about)');
      const heard = await Promise.all(sources.map((source) => listenTo(source, speeds, trust, signal)));
      cancel();
      if (heard.some((bursts) => bursts > 0)) return;
      say();
      say(`Nothing came. Is the scanner on, and does it beep at the code? ${COMMAND} doctor tells whether this machine sees it.`);
      process.exitCode = 1;
    });
}

/** @returns how many bursts came. A source that can not be opened is told of; it comes back when it can. */
async function listenTo(source: Source, speeds: readonly number[], trust: TrustDocument | undefined, signal: AbortSignal): Promise<number> {
  let at = 0;
  let bursts = 0;
  let said = '';
  while (!signal.aborted) {
    const baudRate = speeds[at % speeds.length] ?? 9_600;
    const again = new AbortController();
    const gatherer = new BurstGatherer(systemClock, (burst) => {
      bursts += 1;
      const sight = sightOfBurst(burst, trust);
      say();
      for (const line of burstLines(`${source.name}${source.hasSpeed ? ` at ${baudRate} baud` : ''}`, sight)) say(line);
      if (!source.hasSpeed || !isGarbage(sight) || speeds.length === 1) return;
      at += 1;
      say(`  → Trying ${speeds[at % speeds.length] ?? 9_600} baud: scan again.`);
      again.abort();
    });
    const onOpen = (): void => {
      if (said !== 'open') say(`Listening to ${source.name}.`);
      said = 'open';
    };
    try {
      await source.listen({ onOpen, onBytes: (bytes) => gatherer.push(bytes) }, baudRate, AbortSignal.any([signal, again.signal]));
      gatherer.end();
    } catch (error) {
      gatherer.end();
      const code = codeOf(error);
      if (code === undefined) throw error;
      if (said !== code) say(`${source.name}: ${error instanceof Error ? error.message : ''} [${code}]`);
      said = code;
      await systemClock.sleep(1_000, signal);
    }
    if (source.isOnce) return bursts;
  }
  return bursts;
}

/** What types into this terminal, unseen. */
function terminal(): Source[] {
  if (!process.stdin.isTTY) return [];
  return [
    {
      name: 'this terminal, for a scanner that types',
      hasSpeed: false,
      isOnce: true,
      listen: async ({ onOpen, onBytes }, _baudRate, signal) => {
        onOpen();
        for await (const bytes of typedChunks(typedInput(signal))) onBytes(bytes);
      },
    },
  ];
}

function trustOf(options: Options): TrustDocument | undefined {
  const { dataDir, trustPath } = settingsOf({ data: options.data, ...(options.trust !== undefined && { trust: options.trust }) });
  try {
    return trustOfKiosk(String(dataDir), trustPath === undefined ? undefined : String(trustPath));
  } catch (error) {
    if (!(error instanceof ConfigError) || options.trust !== undefined) throw error;
    return undefined;
  }
}

function numberOf(option: string, text: string, least: number, most: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  throw new ConfigError('config.invalid', `${option}: "${text}" of ${least} to ${most}`);
}
