/** `vestibule log-level`: the least level of a running gateway's log lines, changed without a restart. */
import { Argument, Command } from 'commander';
import { askGateway } from './ask-gateway.ts';
import { dataPaths } from './data-paths.ts';
import { LEVELS } from './log.ts';

export function logLevelCommand(): Command {
  return new Command('log-level')
    .description("show or change the level of a running gateway's log, until it stops")
    .addArgument(new Argument('[level]').choices(LEVELS))
    .option('--data <dir>', 'data directory of the gateway', './data')
    .action(async (level: string | undefined, options: { data: string }) => {
      const ask = level === undefined ? (['GET'] as const) : (['PUT', { level }] as const);
      const answer = (await askGateway(dataPaths(options.data), ask[0], '/api/1/log-level', ask[1])) as { level: string };
      process.stdout.write(`${answer.level}\n`);
    });
}
