/**
 * `vestibule quarantine`: what was wrong in itself, why, and another try once that is mended; with --sink, what a sink refused. Needs a gateway
 * that runs.
 */
import { Command } from 'commander';
import type { QuarantineView, ReplayAnswer } from '../gateway/web/schema.ts';
import { ConfigError } from '../protocol/errors.ts';
import type { KioskId } from '../protocol/ids.ts';
import { askGateway } from './ask-gateway.ts';
import { dataPaths } from './data-paths.ts';
import { counted } from './numbers.ts';
import { kioskNamed } from './place-names.ts';
import { withRegistry } from './registry-access.ts';
import { kioskWordsOf, wordsAndId } from './rollout-lines.ts';
import { dropSetAside, listSetAside, replaySetAside } from './set-aside.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const ofSink = ['--sink <name>', 'of what this sink refused; numbers are then places in the ledger'] as const;
const data = ['--data <dir>', 'data directory of the gateway', './data'] as const;

export function quarantineCommand(): Command {
  const quarantine = new Command('quarantine').description(
    'what came from a kiosk and was wrong in itself, or went to a sink and was refused',
  );

  quarantine
    .command('list')
    .description('show what is there and why, the newest first')
    .option('--kiosk <kiosk>', 'only of this one, by its id or name')
    .option(...ofSink)
    .option('--json', 'one JSON object a line')
    .option(...data)
    .action(async (options: { kiosk?: string; sink?: string; json?: true; data: string }) => {
      refuseBoth(options);
      if (options.sink !== undefined) return await listSetAside(dataPaths(options.data), options.sink, options.json === true, say);
      const items = await itemsOf(options.data, options.kiosk);
      if (items.length === 0 && options.json !== true) say('nothing is in quarantine');
      const words = await withRegistry(options.data, (registry) => kioskWordsOf(registry.kiosks(), registry.venues()));
      for (const item of items) {
        const { no, kiosk, receivedAtMs, seq, sizeBytes, meaning, advice, code } = item;
        if (options.json) say(JSON.stringify(item));
        else {
          const what = seq === undefined ? 'a whole batch' : `record ${seq}`;
          say(`${no}  ${new Date(receivedAtMs).toISOString()}  ${wordsAndId(kiosk as KioskId, words)}, ${what}, ${sizeBytes} bytes`);
          say(`    ${meaning} [${code}]`);
          if (advice !== '') say(`    ${advice}`);
        }
      }
    });

  quarantine
    .command('replay')
    .argument('[number]', 'as the list shows it')
    .description('try one again, or all of a kiosk or a sink; what is taken leaves quarantine')
    .option('--kiosk <kiosk>', 'all of this one, by its id or name')
    .option(...ofSink)
    .option(...data)
    .action(async (number: string | undefined, options: { kiosk?: string; sink?: string; data: string }) => {
      refuseBoth(options);
      if (options.sink !== undefined) {
        const only = number === undefined ? undefined : numberOf(number);
        if ((await replaySetAside(dataPaths(options.data), options.sink, only, say)) > 0) process.exitCode = 1;
        return;
      }
      const numbers = await numbersOf(number, options);
      if (numbers.length === 0) say('nothing of it can be tried again');
      let left = 0;
      for (const no of numbers) {
        const answer = (await askGateway(dataPaths(options.data), 'POST', `/api/1/quarantine/${no}/replay`)) as ReplayAnswer;
        if (answer.outcome === 'taken') say(`${no}: taken, ${counted(answer.acceptedRows, 'record')}`);
        else {
          left += 1;
          say(`${no}: stays, ${answer.meaning ?? ''} [${answer.code ?? ''}]`);
        }
      }
      if (left > 0) process.exitCode = 1;
    });

  quarantine
    .command('drop')
    .argument('<number>', 'as the list shows it')
    .description('throw one away for good')
    .option(...ofSink)
    .option(...data)
    .action(async (number: string, options: { sink?: string; data: string }) => {
      if (options.sink !== undefined) return await dropSetAside(dataPaths(options.data), options.sink, numberOf(number), say);
      await askGateway(dataPaths(options.data), 'DELETE', `/api/1/quarantine/${numberOf(number)}`);
      say(`dropped ${number}`);
    });

  return quarantine;
}

function refuseBoth({ kiosk, sink }: { readonly kiosk?: string; readonly sink?: string }): void {
  if (kiosk !== undefined && sink !== undefined) throw new ConfigError('config.invalid', 'quarantine: either --kiosk or --sink');
}

/** @param kiosk its id, or the name that it alone has. */
async function itemsOf(directory: string, kiosk: string | undefined): Promise<QuarantineView[]> {
  const query = kiosk === undefined ? '' : `?kiosk=${await withRegistry(directory, (registry) => kioskNamed('--kiosk', kiosk, registry))}`;
  return ((await askGateway(dataPaths(directory), 'GET', `/api/1/quarantine${query}`)) as { items: QuarantineView[] }).items;
}

async function numbersOf(number: string | undefined, { kiosk, data: directory }: { kiosk?: string; data: string }): Promise<number[]> {
  if (number !== undefined) return [numberOf(number)];
  if (kiosk === undefined) throw new ConfigError('config.invalid', 'quarantine: a number, or --kiosk, or --sink');
  return (await itemsOf(directory, kiosk)).filter(({ mayReplay }) => mayReplay).map(({ no }) => no);
}

function numberOf(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new ConfigError('config.invalid', `quarantine: "${text}" is no number of the list`);
  return Number(text);
}
