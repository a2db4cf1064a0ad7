/** `vestibule core serve`: a tracing core on a machine of its own, that takes a gateway's ledger over HTTPS. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { z } from 'zod';
import type { CasePolicy } from '../core/case/cases.ts';
import { openCore } from '../core/core.ts';
import { type HttpFiles, openHttpFiles } from '../core/http-files.ts';
import { addedPeers, onePeer, openHttpIntake } from '../core/http-intake.ts';
import { makeCoreKeys, readCoreKeys } from '../core/keys.ts';
import { parseRestConfig, type RestConfig } from '../core/rest/config.ts';
import { STICKER_LIFE_MS } from '../protocol/clinic.ts';
import { ConfigError } from '../protocol/errors.ts';
import { systemClock } from '../protocol/time.ts';
import { parseTrust } from '../protocol/trust.ts';
import { dataPaths, readJsonFile } from './data-paths.ts';
import { LEVELS, type Level, openLog } from './log.ts';
import { portOf } from './numbers.ts';
import { openCoreRest } from './open-rest.ts';
import { untilStopped } from './stopping.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const HELP = `
At the first start --trust names the trust.json of the gateway whose ledger it is to take. Every key and the token are made then, and what
the gateway's configuration has to say is printed at each start. Carry the token's file to the gateway, readable by its owner only.`;

interface Options {
  readonly trust?: string;
  readonly listen: string;
  readonly port: string;
  readonly url?: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly config?: string;
  readonly restPort?: string;
  readonly clientPin: readonly string[];
  readonly log: Level;
  readonly data: string;
}

export function coreServeCommand(): Command {
  return new Command('serve')
    .description('run the tracing core by itself, for a gateway on another machine, until stopped')
    .option('--trust <file>', "the gateway's trust.json; needed at the first start")
    .option('--listen <address>', 'address to listen on', '0.0.0.0')
    .option('--port <port>', 'port to listen on; 0 takes any that is free', '8444')
    .option('--url <url>', 'how the gateway reaches it, for what is printed')
    .option('--certificate <file>', 'PEM made elsewhere, with --key; left out: one of its own, known by its pin')
    .option('--key <file>', 'its key')
    .option('--client-pin <pin>', 'lets in a gateway by the key of its certificate; may be given again', collect, [])
    .option('--config <file>', 'JSON settings: { "rest": …, "cases": … } (docs/operator.md lists them)')
    .option('--rest-port <port>', 'for the REST interface of people and partners, on the loopback where --config says nothing else')
    .addOption(new Option('--log <level>', 'least level of log lines on standard error').choices(LEVELS).default('info'))
    .option('--data <dir>', 'data directory; the core is in its "core" folder', './data')
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      const paths = dataPaths(options.data);
      // Before a key is made or a lock is taken.
      const binding = { host: options.listen, port: portOf('--port', options.port) };
      const { rest: restConfig, cases } = settingsOf(options);
      const urlPort = options.url === undefined ? undefined : urlPortOf(options.url);
      const pins = options.clientPin.map(pinOf);
      await refuseTakenPort(binding);
      const files = await openHttpFiles(join(paths.core, 'http'), deploymentIn(options.trust));
      const own = certificateOf(options);
      const log = openLog(options.log);
      // Another key in a lost one's place would go unnoticed: no earlier visit would be found any more.
      const keys = await (existsSync(join(paths.core, 'core.db')) ? readCoreKeys : makeCoreKeys)(paths.coreKeys);
      const core = await openCore({ dir: paths.core, deployment: files.deployment, keys, clock: systemClock, log, cases });
      try {
        const stopped = untilStopped();
        const first = onePeer(
          { deployment: files.deployment, intake: core, revocations: core.revocationsFor(), holder: core.holder },
          files.token,
          pins,
        );
        const added = addedPeers(core);
        const served = await openHttpIntake({
          peerOf: (shown) => first(shown) ?? added(shown),
          binding,
          tls: own ?? files.tls,
          notices: core.notices,
          clock: systemClock,
          log,
        });
        const rest = await openCoreRest({ core, keys, dir: paths.core, config: restConfig, clock: systemClock, log });
        say(`core ready on port ${served.port}; the gateway's configuration:`);
        say(configurationFor(options.url ?? `https://HOST:${served.port}`, files, keys.recipient.publicKey, own === undefined));
        say(`token: ${files.tokenPath}`);
        // Right behind a firewall that forwards the one to the other; else the gateway never reaches it.
        if (urlPort !== undefined && urlPort !== served.port)
          say(`note: --url says port ${urlPort}, and this core listens on ${served.port} (--port)`);
        say(`rest: https://${restConfig.host}:${rest.port}`);
        if (!stopped.aborted) await new Promise((resolve) => stopped.addEventListener('abort', resolve, { once: true }));
        await rest.close();
        await served.close();
      } finally {
        await core.end();
      }
    });
}

const casesSettings = z
  .strictObject({
    stickerLifeMs: z.int().min(STICKER_LIFE_MS.least).max(STICKER_LIFE_MS.most),
    areFlaggedSuspected: z.boolean(),
  })
  .partial();

/** What the file says, and the command line over it. @throws ConfigError `config.invalid`. */
function settingsOf({ config, restPort }: Options): { readonly rest: RestConfig; readonly cases: Partial<CasePolicy> } {
  const file = config === undefined ? {} : readJsonFile(config);
  const { rest, cases, ...others } = (typeof file === 'object' && file !== null ? file : {}) as { rest?: object; cases?: unknown };
  const unknown = Object.keys(others);
  if (unknown.length > 0) throw new ConfigError('config.invalid', `${config}: ${unknown.join(', ')}: not known here`);
  const read = casesSettings.safeParse(cases ?? {});
  if (!read.success) {
    const faults = read.error.issues.map(({ path, message }) => `${['cases', ...path].join('.')}: ${message}`);
    throw new ConfigError('config.invalid', `${config}: ${faults.join('; ')}`);
  }
  const given = Object.entries(read.data).filter(([, value]) => value !== undefined);
  return {
    rest: parseRestConfig(restPort === undefined ? rest : { ...rest, port: portOf('--rest-port', restPort) }),
    cases: Object.fromEntries(given) as Partial<CasePolicy>,
  };
}

/** @throws ConfigError `config.invalid` when another program listens there, or nobody may. */
function refuseTakenPort({ host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (cause) =>
      reject(
        new ConfigError('config.invalid', `core: ${host}:${port} can not be listened on (${(cause as NodeJS.ErrnoException).code})`, {
          cause,
        }),
      ),
    );
    probe.listen(port, host, () => probe.close(() => resolve()));
  });
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

function deploymentIn(path: string | undefined): string | undefined {
  return path === undefined ? undefined : parseTrust(readText(path)).deployment;
}

function certificateOf({ certificate, key }: Options): HttpFiles['tls'] | undefined {
  if ((certificate === undefined) !== (key === undefined)) throw new ConfigError('config.invalid', '--certificate and --key go together');
  if (certificate === undefined || key === undefined) return undefined;
  return { certificatePem: readText(certificate), keyPem: readText(key) };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError('config.invalid', `${path}: can not be read`, { cause });
  }
}

/** @throws ConfigError `config.invalid` for what a gateway would refuse, too. */
function urlPortOf(text: string): number {
  const { protocol, port } = URL.canParse(text) ? new URL(text) : { protocol: '', port: '' };
  if (!/^https?:$/.test(protocol)) throw new ConfigError('config.invalid', `--url: "${text}" is no address (https://core.example:8444)`);
  if (port !== '') return Number(port);
  return protocol === 'https:' ? 443 : 80;
}

function pinOf(text: string): Uint8Array {
  if (/^[A-Za-z0-9_-]{43}$/.test(text)) return new Uint8Array(Buffer.from(text, 'base64url'));
  throw new ConfigError('config.invalid', '--client-pin: expected SHA-256 of a public key in base64url, 43 characters');
}

function configurationFor(url: string, { pin }: HttpFiles, recipient: Uint8Array, isPinned: boolean): string {
  const sink = {
    kind: 'http',
    name: 'far-core',
    url,
    ...(isPinned ? { pin } : {}),
    tokenPath: '/etc/vestibule/far-core.token',
    recipient: Buffer.from(recipient).toString('base64url'),
  };
  return JSON.stringify({ sinks: [{ kind: 'core' }, sink] }, null, 2);
}
