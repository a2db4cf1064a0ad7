/** `vestibule tail`: what happens at the doors, a line each as it comes, over MQTT on this machine. The only importer of mqtt in this room. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { connectAsync, type MqttClient } from 'mqtt';
import { openRegistry } from '../gateway/status.ts';
import { readErrorWords } from '../gateway/web/error-words.ts';
import { ConfigError, LinkError } from '../protocol/errors.ts';
import { OPERATOR_FILTERS } from '../protocol/topics.ts';
import { runningGateway } from './ask-gateway.ts';
import { type DataPaths, dataPaths, refuseNoGateway } from './data-paths.ts';
import { portOf, wholeNumberOf } from './numbers.ts';
import { readPassword } from './password.ts';
import { venueNamed } from './place-names.ts';
import { untilStopped } from './stopping.ts';
import { eventLine, namesOf } from './tail-lines.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
/** CONNACK "bad user name or password" (MQTT 3.1.1, table 3.1). */
const BAD_ACCOUNT = 4;
const USUAL_PORT = 1883;

const HELP = `
Reads as the account in <data>/gateway/operator.txt. Where that file was taken away: --account NAME, an operator's, and its
password. A card is shown by its name of that venue and day; no temperature is.`;

export function tailCommand(): Command {
  return new Command('tail')
    .description('follow what happens at the doors, until stopped')
    .option('--data <dir>', 'data directory of the gateway', './data')
    .option('--port <port>', "the gateway's port for operators' MQTT programs; asked of the gateway that runs there unless given")
    .option('--account <name>', "an operator's; its password is asked for")
    .option('--venue <venue>', 'only of this venue: its id, or its name')
    .option('--count <events>', 'stop after so many')
    .option('--json', 'the CloudEvents as they come, one a line, with all that they say')
    .addHelpText('after', HELP)
    .action(async (options: { data: string; port?: string; account?: string; venue?: string; count?: string; json?: true }) => {
      const paths = dataPaths(options.data);
      refuseNoGateway(paths);
      const registry = await openRegistry(paths.gateway);
      const venues = registry.venues();
      // As they are called when it begins.
      const names = namesOf(registry);
      registry.close();
      // Who follows one that is not there would wait for ever.
      const venue = options.venue === undefined ? undefined : venueNamed('--venue', options.venue, venues).id;
      const words = readErrorWords();
      const most = options.count === undefined ? Number.POSITIVE_INFINITY : wholeNumberOf('--count', options.count);
      const signal = untilStopped();
      const port = options.port === undefined ? portOfRunning(paths) : portOf('--port', options.port);
      const client = await connect(paths.gateway, port, options.account);
      let told = 0;
      const ended = Promise.withResolvers<void>();
      signal.addEventListener('abort', () => ended.resolve(), { once: true });
      // Who reads this has enough (`| head`).
      process.stdout.on('error', () => ended.resolve());
      client.on('close', () => ended.reject(new LinkError('link.lost', 'gateway: the connection ended')));
      client.on('error', () => {});
      client.on('message', (topic, payload) => {
        if (told >= most) return;
        const text = payload.toString('utf8');
        say(options.json ? text : eventLine(topic, JSON.parse(text), names, words));
        told += 1;
        if (told >= most) ended.resolve();
      });
      const [events] = OPERATOR_FILTERS;
      await client.subscribeAsync(venue === undefined ? events : events.replace('#', `${venue}/#`));
      try {
        await ended.promise;
      } finally {
        client.removeAllListeners('close');
        await client.endAsync(true);
      }
    });
}

/** What else listens on the usual port is no gateway, and would be shown the account's password. @throws ConfigError `config.invalid`. */
function portOfRunning(paths: DataPaths): number {
  const running = runningGateway(paths);
  if (running !== undefined) return running.mqttPort ?? USUAL_PORT;
  throw new ConfigError('config.invalid', `${paths.gateway}: the gateway does not run (vestibule gateway run starts it)`);
}

async function connect(gateway: string, port: number, account: string | undefined): Promise<MqttClient> {
  const path = join(gateway, 'operator.txt');
  if (account === undefined && !existsSync(path))
    throw new ConfigError('config.invalid', `${path}: is not there (--account NAME uses another)`);
  const password = account === undefined ? readFileSync(path, 'utf8').trim() : await readPassword(`Password for ${account}: `);
  try {
    return await connectAsync({
      host: '127.0.0.1',
      port,
      username: account ?? 'operator',
      password,
      reconnectPeriod: 0,
      protocolVersion: 4,
    });
  } catch (cause) {
    const isRefused = cause instanceof Error && 'code' in cause && cause.code === BAD_ACCOUNT;
    if (isRefused) throw new LinkError('link.unauthorised', 'gateway: account or password is wrong', { cause });
    throw new LinkError('link.refused', `gateway: does not answer on 127.0.0.1:${port} (--port names another)`, { cause });
  }
}
