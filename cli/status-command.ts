/** `vestibule status`: what the dashboard shows, in a terminal; where no gateway runs, what it left behind. */
import { Command } from 'commander';
import { gatewayStatus } from '../gateway/status.ts';
import type { Overview } from '../gateway/web/schema.ts';
import { systemClock } from '../protocol/time.ts';
import { askGateway, runningGateway } from './ask-gateway.ts';
import { writeDeed } from './audit-desk.ts';
import { dataPaths, gatewayIdentity, refuseNoGateway } from './data-paths.ts';
import { statusLines } from './gateway-status.ts';
import { overviewLines } from './overview-lines.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const DEFAULT_WIDTH = 100;

export function statusCommand(): Command {
  return new Command('status')
    .description('show how gateway and kiosks do, what needs somebody, and what to do about it; exit status 2 when something does')
    .option('--data <dir>', 'data directory of the gateway', './data')
    .option('--json', 'all of it as one line of JSON')
    .action(async (options: { data: string; json?: true }) => {
      const paths = dataPaths(options.data);
      refuseNoGateway(paths);
      if (runningGateway(paths) === undefined) {
        await gatewayIdentity(paths);
        await writeDeed(options.data, { action: 'look.status', about: '', detail: '' });
        const status = await gatewayStatus(paths.gateway);
        if (options.json) say(JSON.stringify(status, (key, value) => (key === 'publicKey' ? undefined : value)));
        else for (const line of statusLines(status, systemClock.wall())) say(line);
        return;
      }
      const overview = (await askGateway(paths, 'GET', '/api/1/overview')) as Overview;
      if (options.json) say(JSON.stringify(overview));
      else for (const line of overviewLines(overview, process.stdout.columns ?? DEFAULT_WIDTH)) say(line);
      if (overview.gateway.tone === 'act') process.exitCode = 2;
    });
}
