/**
 * `vestibule start`: gateway, core and one kiosk on this machine, for one small shop or for trying it out. The first start makes every
 * key and a sheet of sample cards; each later one goes on where the last was.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { openIssuer } from '../cards/issuer.ts';
import { printSheet } from '../cards/print.ts';
import { printStaffCards } from '../cards/staff-sheet.ts';
import { gatewayPaths } from '../gateway/paths.ts';
import { Registry } from '../gateway/registry.ts';
import { parseConfig } from '../kiosk/config.ts';
import { openIdentity as openKioskIdentity } from '../kiosk/kiosk-identity.ts';
import { runKiosk } from '../kiosk/run-kiosk.ts';
import { ConfigError } from '../protocol/errors.ts';
import { type EntranceId, newPlaceId, newVenueId } from '../protocol/ids.ts';
import { systemClock } from '../protocol/time.ts';
import { type DataPaths, dataPaths, gatewayIdentity } from './data-paths.ts';
import { kioskDoors } from './kiosk-doors.ts';
import { LEVELS, type Level, openLog } from './log.ts';
import { processDoor } from './process-door.ts';
import { type GatewayAndCore, runGatewayAndCore } from './run-gateway-and-core.ts';
import { untilStopped } from './stopping.ts';

/** The IANA's ports for MQTT with and without TLS; the page's is ours. */
const TLS_PORT = 8_883;
const TCP_PORT = 1_883;
const PAGE_PORT = 8_088;
const WEB_PORT = 8_089;
const REST_PORT = 8_445;
const DWELL_MS = 2 * 3_600_000;
const DEFAULT_DATA = './data';

const say = (line = ''): void => void process.stdout.write(`${line}\n`);

const HELP = `
Needs no hardware and no root. Everything is kept in the data directory: stop with Ctrl-C, start again, and it goes on
where it was. Delete the directory to begin anew.`;

export function startCommand(): Command {
  return new Command('start')
    .description('run gateway, tracing core and one kiosk together on this machine')
    .option('--data <dir>', 'where everything is kept', DEFAULT_DATA)
    .addOption(new Option('--direction <door>', 'what the door is for').choices(['in', 'out', 'both']).default('both'))
    .addOption(new Option('--log <level>', 'least level of log lines on standard error').choices(LEVELS).default('warn'))
    .addHelpText('after', HELP)
    .action(async ({ data, direction, log: level }: { data: string; direction: 'in' | 'out' | 'both'; log: Level }) => {
      const paths = dataPaths(data);
      const signal = untilStopped();
      mkdirSync(paths.root, { recursive: true, mode: 0o700 });
      const log = openLog(level);
      const { deployment } = await gatewayIdentity(paths);
      const issuer = openIssuer(paths.issuer, { deployment });
      const hasNewCards = !existsSync(paths.sampleCards);
      if (hasNewCards) await printSheet({ issuer, visitors: 5, groups: [], stickers: 0 }, paths.sampleCards);
      const staffCard = join(paths.root, 'staff-card.pdf');
      if (!existsSync(staffCard)) await printStaffCards(issuer, 1, staffCard, false);
      await admitOwnKiosk(paths, direction);

      const stopping = new AbortController();
      const running = await onFreePorts([TLS_PORT, TCP_PORT, WEB_PORT, REST_PORT], ([tls = 0, tcp = 0, web = 0, rest = 0]) => {
        const ports = {
          tls: { host: '127.0.0.1', port: tls },
          tcp: { port: tcp },
          web: { port: web, isPlain: true },
          rest: { port: rest },
        };
        const doors = { clock: systemClock, log, process: processDoor(log) };
        return runGatewayAndCore(paths, { publicHost: '127.0.0.1', ...ports }, doors, stopping.signal);
      });
      const doors = kioskDoors('text', level, signal, ({ pageUrl }) => tell(paths, running, pageUrl));
      try {
        // Whichever ends first takes the other with it: a bug in one is not to leave half a shop running.
        const kiosk = onFreePorts([PAGE_PORT], ([port]) => {
          const config = parseConfig({
            dataDir: paths.kiosk,
            trustPath: gatewayPaths(paths.gateway).trust,
            direction,
            scanners: [{ kind: 'auto-serial' }, { kind: 'auto-hid' }, { kind: 'standard-input' }],
            page: { port },
          });
          return runKiosk(config, { ...doors, log }, signal);
        });
        await Promise.race([kiosk, running.done]);
        say('Stopping.');
      } finally {
        stopping.abort();
        await running.done;
      }
    });
}

function tell(paths: DataPaths, { gateway: { tcpPort, webUrl }, restUrl }: GatewayAndCore, pageUrl: string | undefined): void {
  const operator = join(paths.gateway, 'operator.txt');
  const elsewhere = paths.root === dataPaths(DEFAULT_DATA).root ? '' : ` --data '${paths.root}'`;
  say(`
Vestibule is ready. Scan a card.

  Sample cards    ${paths.sampleCards}
                  five cards to scan from the screen or from paper; the file is a secret
  Screen          ${pageUrl ?? 'off'}
  Staff card      ${join(paths.root, 'staff-card.pdf')}
                  scan it, and the kiosk's menu opens: the door, the language, undo, paper notes
  Scanners        any USB serial scanner; one that types: into this terminal, or into the page
  Dashboard       ${webUrl ?? 'off'}
                  nobody has a password yet: npm run vestibule -- operator add ann --role manager${elsewhere}
  Holder's page   ${restUrl === undefined ? 'off' : `${restUrl}/holder/`}
                  type the key from the stub of a sample card: what there is about the card, and taking it back
  Core            ${restUrl ?? 'off'}
                  its REST interface; nobody can log in before an issuer is named (docs/operator.md)
  Watch           mosquitto_sub -p ${tcpPort} -u operator -P "$(cat '${operator}')" -t 'vestibule/1/events/#' -v
  More cards      npm run vestibule -- cards --visitors 20 --out cards.pdf${elsewhere}
  Who overlapped  npm run vestibule -- core overlaps --purpose "try it out" --minutes 1${elsewhere}
  Everything      ${paths.root}

Ctrl-C stops; nothing is lost.
`);
}

/** The kiosk of this machine is admitted at the first start, at a venue of its own. */
async function admitOwnKiosk(paths: DataPaths, direction: 'in' | 'out' | 'both'): Promise<void> {
  const { gateway, kiosk } = paths;
  mkdirSync(kiosk, { recursive: true, mode: 0o700 });
  const own = openKioskIdentity(kiosk);
  const { storeKey, deployment } = await gatewayIdentity(paths);
  const registry = new Registry(gatewayPaths(gateway).registry, storeKey);
  try {
    const known = registry.kiosk(own.kiosk);
    // Whoever revoked it meant it, and may admit it again.
    if (known?.revokedAtMs !== undefined) return;
    if (known !== undefined && known.placement.direction === direction) return;
    const venue = known?.placement.venue ?? newVenueId(deployment);
    if (known === undefined)
      registry.putVenue({ id: venue, name: 'This venue', timezone: Intl.DateTimeFormat().resolvedOptions().timeZone });
    const entrance = known?.placement.entrance ?? newPlaceId<EntranceId>();
    registry.admit({ kiosk: own.kiosk, publicKey: own.publicKey, venue, entrance, direction, dwellMs: DWELL_MS }, systemClock.wall());
  } finally {
    registry.close();
  }
}

/** Starts on these ports, or on any where one is taken, also by a program that took it in between. */
async function onFreePorts<T>(wanted: readonly number[], start: (ports: readonly number[]) => Promise<T>): Promise<T> {
  const ports = await Promise.all(wanted.map(portNear));
  try {
    return await start(ports);
  } catch (error) {
    const cause = error instanceof ConfigError ? error.cause : undefined;
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE')) throw error;
    return await start(wanted.map(() => 0));
  }
}

/** @returns `port` where it is free on the loopback, else 0: any that is. */
const portNear = (port: number): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(0));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(port)));
  });
