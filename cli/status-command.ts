/** `vestibule status`: what the dashboard shows, in a terminal; where no gateway runs, that, and what it left behind. Exit status 2 asks for somebody. */
import { Command } from 'commander';
import { gatewayStatus } from '../gateway/status.ts';
import type { Overview } from '../gateway/web/schema.ts';
import { codeOf } from '../protocol/errors.ts';
import { systemClock } from '../protocol/time.ts';
import { askGateway, runningGateway } from './ask-gateway.ts';
import { writeDeed } from './audit-desk.ts';
import { type DataPaths, dataPaths, gatewayIdentity, refuseNoGateway } from './data-paths.ts';
import { statusLines } from './gateway-status.ts';
import { overviewLines } from './overview-lines.ts';
import { stoppedLines, stoppedView } from './stopped-gateway.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const DEFAULT_WIDTH = 100;
/** Of the exit: somebody is needed. */
const NEEDED = 2;

interface StatusOptions {
  readonly data: string;
  readonly json?: true;
}

export function statusCommand(): Command {
  return new Command('status')
    .description('show how gateway and kiosks do, what needs somebody, and what to do about it; exit status 2 when something does')
    .option('--data <dir>', 'data directory of the gateway', './data')
    .option('--json', 'all of it as one line of JSON')
    .action(async (options: StatusOptions) => {
      const paths = dataPaths(options.data);
      refuseNoGateway(paths);
      const overview = await overviewOfRunning(paths);
      if (overview === undefined) return tellStored(paths, options);
      if (options.json) say(JSON.stringify(overview));
      else for (const line of overviewLines(overview, process.stdout.columns ?? DEFAULT_WIDTH)) say(line);
      if (overview.gateway.tone === 'act') process.exitCode = NEEDED;
    });
}

/** @returns `undefined` when none runs: also when one was killed and could not take its address away. */
async function overviewOfRunning(paths: DataPaths): Promise<Overview | undefined> {
  if (runningGateway(paths) === undefined) return undefined;
  try {
    return (await askGateway(paths, 'GET', '/api/1/overview')) as Overview;
  } catch (error) {
    await gatewayIdentity(paths);
    if (codeOf(error) !== 'link.refused' || (await gatewayStatus(paths.gateway)).isRunning) throw error;
    return undefined;
  }
}

async function tellStored(paths: DataPaths, { data, json }: StatusOptions): Promise<void> {
  await gatewayIdentity(paths);
  await writeDeed(data, { action: 'look.status', about: '', detail: '' });
  const status = await gatewayStatus(paths.gateway);
  const nowMs = systemClock.wall();
  if (status.isRunning) {
    // One without the operators' listener: it can not be asked, and is not dead.
    if (json) say(JSON.stringify(status, (key, value) => (key === 'publicKey' ? undefined : value)));
    else for (const line of statusLines(status, nowMs)) say(line);
    return;
  }
  if (json) say(JSON.stringify(stoppedView(status, nowMs)));
  else for (const line of stoppedLines(status, data, nowMs)) say(line);
  process.exitCode = NEEDED;
}
