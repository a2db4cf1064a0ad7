/** `vestibule gateway`: runs a gateway with its core, and decides which kiosks it admits. */
import { existsSync } from 'node:fs';
import { Command, Option } from 'commander';
import { z } from 'zod';
import type { Direction } from '../core/intake.ts';
import { LONGEST_KIOSK_NAME, parseKioskName } from '../gateway/kiosk-name.ts';
import type { Admission, Registry } from '../gateway/registry.ts';
import { dropQuarantine, gatewayStatus } from '../gateway/status.ts';
import { ConfigError } from '../protocol/errors.ts';
import { type EntranceId, isPlaceId, type KioskId, newPlaceId } from '../protocol/ids.ts';
import { DWELL_MS } from '../protocol/policy.ts';
import { systemClock } from '../protocol/time.ts';
import { doDeed, writeDeed } from './audit-desk.ts';
import { backupCommands } from './backup-command.ts';
import { dataPaths, gatewayIdentity, readJsonFile, refuseNoGateway } from './data-paths.ts';
import { firstOperatorHint } from './first-operator.ts';
import { statusLines } from './gateway-status.ts';
import { LEVELS, type Level, openLog } from './log.ts';
import { decimalOf, portOf } from './numbers.ts';
import { anyKioskNamed, entranceNamed, kioskNamed, venueNamed } from './place-names.ts';
import { processDoor } from './process-door.ts';
import { withRegistry } from './registry-access.ts';
import { kioskWordsOf } from './rollout-lines.ts';
import { rotateCommand } from './rotate-command.ts';
import { runGatewayAndCore, toldIn } from './run-gateway-and-core.ts';
import { notifySettings, serve } from './service.ts';
import { untilStopped } from './stopping.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const data = ['--data <dir>', 'data directory; the gateway is in its "gateway" folder, the core in "core"', './data'] as const;

const RUN_HELP = `
The first start makes every key; nothing has a default password. Kiosks connect over TLS and must have been admitted.
Operators read over plain MQTT on this machine only, with the account in <data>/gateway/operator.txt:
  mosquitto_sub -p 1883 -u operator -P "$(cat data/gateway/operator.txt)" -t 'vestibule/1/events/#' -v`;

const ADMIT_HELP = `
On the kiosk, "vestibule kiosk key" makes kiosk.json; it is public. Carry it here, and the gateway's trust.json there:
  vestibule venue add --name "Town library"
  vestibule gateway admit kiosk.json --venue "Town library" --direction in
One that was revoked comes back by its id or its name, to the door where it hung:
  vestibule gateway admit "Till 3"`;

/** The public file that a kiosk makes of itself. */
const kioskFile = z.object({ kiosk: z.string().refine(isPlaceId), publicKey: z.string().regex(/^[A-Za-z0-9_-]{43}$/) });

interface AdmitOptions {
  readonly data: string;
  readonly venue?: string;
  readonly entrance?: string;
  readonly direction?: Direction;
  readonly dwellHours?: string;
}

/** One that was admitted before keeps its place, where nothing else is said. @throws ConfigError `config.invalid`. */
function admissionOf(which: string, options: AdmitOptions, registry: Registry): Admission {
  const { kiosk, publicKey } = !isPlaceId(which) && existsSync(which) ? kioskIn(which) : knownKiosk(which, registry);
  const dwellMs = options.dwellHours === undefined ? undefined : Math.round(decimalOf('--dwell-hours', options.dwellHours) * 3_600_000);
  if (dwellMs !== undefined && !(dwellMs >= DWELL_MS.least && dwellMs <= DWELL_MS.most))
    throw new ConfigError('config.invalid', `--dwell-hours: "${options.dwellHours}" of 0.02 to 48 hours`);
  const before = registry.kiosk(kiosk)?.placement;
  const venues = registry.venues();
  const venue = options.venue === undefined ? before?.venue : venueNamed('--venue', options.venue, venues).id;
  if (venue === undefined) throw new ConfigError('config.invalid', '--venue: where does it hang? ("vestibule venue list" tells them)');
  const former = before?.venue === venue ? before.entrance : newPlaceId<EntranceId>();
  return {
    kiosk,
    publicKey,
    venue,
    entrance: options.entrance === undefined ? former : entranceNamed('--entrance', options.entrance, venueNamed('--venue', venue, venues)),
    ...(options.direction === undefined ? {} : { direction: options.direction, isDirectionTold: true }),
    ...(dwellMs === undefined ? {} : { dwellMs }),
  };
}

function knownKiosk(which: string, registry: Registry): Pick<Admission, 'kiosk' | 'publicKey'> {
  const known = anyKioskNamed('kiosk', which, registry);
  if (known !== undefined) return known;
  const why = isPlaceId(which) ? 'was never admitted' : 'no file is there, and no kiosk was admitted that is called so';
  throw new ConfigError('config.invalid', `kiosk ${which}: ${why}; give the file that it made of itself ("vestibule kiosk key")`);
}

function kioskIn(path: string): Pick<Admission, 'kiosk' | 'publicKey'> {
  const parsed = kioskFile.safeParse(readJsonFile(path));
  if (!parsed.success) throw new ConfigError('config.invalid', `${path}: not a kiosk's public file (vestibule kiosk key makes one)`);
  const { kiosk, publicKey } = parsed.data;
  return { kiosk: kiosk as KioskId, publicKey: new Uint8Array(Buffer.from(publicKey, 'base64url')) };
}

const wordsOf = (directory: string, kiosk: KioskId): Promise<string> =>
  withRegistry(directory, (registry) => kioskWordsOf(registry.kiosks(), registry.venues())(kiosk));

export function gatewayCommand(): Command {
  const gateway = new Command('gateway').description('receive what kiosks send, keep it, flag it, and hand it to the tracing core');

  gateway
    .command('run')
    .description('run the gateway and the tracing core until stopped')
    .option(...data)
    .option('--config <file>', 'JSON settings (docs/operator.md lists them)')
    .option('--host <name>', 'name or address at which kiosks reach this machine; goes into trust.json')
    .option('--tls-port <port>', 'for kiosks')
    .option('--tcp-port <port>', "for operators' MQTT programs, on this machine only")
    .option('--web-port <port>', "for operators' browsers, over TLS")
    .option('--rest-port <port>', "for the core's REST interface, over TLS")
    .addOption(new Option('--log <level>', 'least level of log lines on standard error').choices(LEVELS).default('info'))
    .addHelpText('after', RUN_HELP)
    .action(
      async (options: {
        data: string;
        config?: string;
        host?: string;
        tlsPort?: string;
        tcpPort?: string;
        webPort?: string;
        restPort?: string;
        log: Level;
      }) => {
        const paths = dataPaths(options.data);
        const file = options.config === undefined ? {} : (readJsonFile(options.config) as Record<string, unknown>);
        const settings = {
          ...file,
          ...(options.host === undefined ? {} : { publicHost: options.host }),
          ...(options.tlsPort === undefined
            ? {}
            : { tls: { ...(file.tls as object | undefined), port: portOf('--tls-port', options.tlsPort) } }),
          ...(options.tcpPort === undefined
            ? {}
            : { tcp: { ...(file.tcp as object | undefined), port: portOf('--tcp-port', options.tcpPort) } }),
          ...(options.restPort === undefined
            ? {}
            : { rest: { ...(file.rest as object | undefined), port: portOf('--rest-port', options.restPort) } }),
          web: {
            ...(file.web as object | undefined),
            ...(options.webPort === undefined ? {} : { port: portOf('--web-port', options.webPort) }),
          },
        };
        const log = openLog(options.log);
        const doors = { clock: systemClock, log, process: processDoor(log) };
        const stopped = untilStopped();
        const before = toldIn(paths);
        const running = await runGatewayAndCore(paths, settings, doors, stopped);
        const { tlsPort, tcpPort, webUrl } = running.gateway;
        say(`gateway ready: kiosks on TLS port ${tlsPort}, operators on ${webUrl ?? 'no page'} and MQTT 127.0.0.1:${tcpPort}`);
        if (running.restUrl !== undefined) say(`core: ${running.restUrl}`);
        const { host, port } = running.gateway.trust.gateway;
        say(
          `kiosks are told to reach it at ${host}:${port}${host === '127.0.0.1' ? ' (this machine alone; --host names it to others)' : ''}`,
        );
        if (before !== undefined && (before.host !== host || before.port !== port))
          say(`until now they were told ${before.host}:${before.port}, and go on trying there, too: keep it answering for a day`);
        const hint = webUrl === undefined ? undefined : await firstOperatorHint(paths);
        if (hint !== undefined) say(hint);
        await serve(notifySettings(), running.done, log, stopped);
      },
    );

  gateway
    .command('admit')
    .argument('<kiosk>', 'the file that the kiosk made of itself; or the id or name of one that was admitted before')
    .description('let a kiosk connect, and say at which door it hangs')
    .option('--venue <venue>', 'its id or its name ("vestibule venue list"); needed for a new one')
    .option('--entrance <door>', 'an existing entrance, its name or its id, when a kiosk takes the place of another')
    .addOption(
      new Option('--direction <door>', 'what the entrance is for, told to the kiosk; left out, the kiosk goes by its own').choices([
        'in',
        'out',
        'both',
      ]),
    )
    .option('--dwell-hours <hours>', 'the usual stay at this kiosk, where it is another than its venue has')
    .option(...data)
    .addHelpText('after', ADMIT_HELP)
    .action(async (which: string, options: AdmitOptions) => {
      refuseNoGateway(dataPaths(options.data));
      const admission = await withRegistry(options.data, (registry) => admissionOf(which, options, registry));
      const { kiosk, venue, entrance } = admission;
      await doDeed(options.data, { action: 'kiosk.admit', about: kiosk, detail: `venue ${venue}` }, () =>
        withRegistry(options.data, (registry) => registry.admit(admission, systemClock.wall())),
      );
      say(`admitted kiosk ${kiosk} at entrance ${entrance}: ${await wordsOf(options.data, kiosk)}`);
    });

  gateway
    .command('name')
    .argument('<kiosk>', 'its id, or the name that it has')
    .argument('[name]', `what operators call it, up to ${LONGEST_KIOSK_NAME} characters; no other one of its venue has it`)
    .option('--none', 'take its name back')
    .option(...data)
    .description('give a kiosk a name; page, status and tail show it')
    .action(async (which: string, name: string | undefined, options: { data: string; none?: true }) => {
      refuseNoGateway(dataPaths(options.data));
      if ((name === undefined) !== (options.none === true) || (name !== undefined && parseKioskName(name) === ''))
        throw new ConfigError('config.invalid', 'name: what is it to be called? (--none takes its name back)');
      const id = await withRegistry(options.data, (registry) => kioskNamed('kiosk', which, registry));
      await doDeed(options.data, { action: 'kiosk.name', about: id, detail: '' }, () =>
        withRegistry(options.data, (registry) => registry.rename(id, name ?? '')),
      );
      say(name === undefined ? `kiosk ${id}: has no name` : `kiosk ${id}: is called "${parseKioskName(name)}"`);
    });

  gateway
    .command('revoke')
    .argument('<kiosk>', 'its id, or its name')
    .description('stop admitting a kiosk; a running gateway cuts it off at once')
    .option(...data)
    .action(async (kiosk: string, options: { data: string }) => {
      refuseNoGateway(dataPaths(options.data));
      const id = await withRegistry(options.data, (registry) => kioskNamed('kiosk', kiosk, registry));
      await doDeed(options.data, { action: 'kiosk.revoke', about: id, detail: '' }, async () => {
        const isRevoked = await withRegistry(options.data, (registry) => registry.revoke(id, systemClock.wall()));
        if (!isRevoked) throw new ConfigError('config.invalid', `kiosk ${kiosk}: not admitted`);
      });
      say(`revoked kiosk ${id}: ${await wordsOf(options.data, id)}. It goes on welcoming people: stop it at the door, too`);
    });

  gateway
    .command('status')
    .description('show kiosks, what is wrong with them, and how far behind the core is; also while no gateway runs')
    .option(...data)
    .option('--json', 'all of it as one line of JSON')
    .action(async (options: { data: string; json?: true }) => {
      const paths = dataPaths(options.data);
      refuseNoGateway(paths);
      await gatewayIdentity(paths);
      await writeDeed(options.data, { action: 'look.status', about: '', detail: '' });
      const status = await gatewayStatus(paths.gateway);
      if (options.json) say(JSON.stringify(status, (key, value) => (key === 'publicKey' ? undefined : value)));
      else for (const line of statusLines(status, systemClock.wall())) say(line);
    });

  gateway
    .command('drop-quarantine')
    .argument('<kiosk>', 'its id, or its name')
    .description('throw away what a kiosk has in quarantine, once you know why it is there; one that was cut off for it goes on')
    .option(...data)
    .action(async (kiosk: string, options: { data: string }) => {
      const paths = dataPaths(options.data);
      refuseNoGateway(paths);
      await gatewayIdentity(paths);
      const id = await withRegistry(options.data, (registry) => kioskNamed('kiosk', kiosk, registry));
      const deed = { action: 'quarantine.drop', about: id, detail: 'all of it' };
      const items = await doDeed(options.data, deed, () => dropQuarantine(paths.gateway, id));
      say(`dropped ${items} from quarantine`);
    });

  gateway.addCommand(rotateCommand());
  for (const command of backupCommands()) gateway.addCommand(command);
  return gateway;
}
