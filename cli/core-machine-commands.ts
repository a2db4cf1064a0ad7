/** `vestibule core gateway` and `vestibule core partner`: which machines a core lets in, also while it runs; each change is in its audit log. */
import { Command } from 'commander';
import { Gateways, type Machine } from '../core/gateways.ts';
import { readCoreKeys } from '../core/keys.ts';
import { subjectOf } from '../core/rest/tokens.ts';
import { ConfigError } from '../protocol/errors.ts';
import { type DeploymentId, isPlaceId } from '../protocol/ids.ts';
import { systemClock } from '../protocol/time.ts';
import { type CoreDeed, withCoreDb } from './core-access.ts';
import { dataPaths } from './data-paths.ts';
import { counted } from './numbers.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const data = ['--data <dir>', 'data directory; the core is in its "core" folder', './data'] as const;
const warn = (line: string): void => void process.stderr.write(`${line}\n`);
const GATEWAY_TOKEN = 'Shown this once: put it into the file that tokenPath of the gateway’s sink names, readable by its owner only.';
const PARTNER_TOKEN =
  'Shown this once: the partner sends it with each request, as "Authorization: Bearer …"; lost, remove the partner and add it again.';
const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

const GATEWAY_HELP = `
A gateway says its deployment in its trust.json. Its token is printed once: carry it to the gateway, into the file that tokenPath of its
sink names. Its venues are those whose ids begin with the first six characters of its deployment; "venue" says of others whose they are. What it
sends of any other is set aside.`;

interface AddOptions {
  readonly deployment?: string;
  readonly region: readonly string[];
  readonly pin?: string;
  readonly data: string;
}

export function machineCommand(role: Machine['role']): Command {
  const isGateway = role === 'gateway';
  const what = isGateway ? 'gateways that send their ledgers here' : 'systems that alert to cases';
  const command = new Command(role).description(`let in, list and take out ${what}`);
  const add = command
    .command('add')
    .argument('<name>', '1 to 32 of a-z, 0-9 and dashes')
    .description('let one in, known by a token that is printed once, or by the key of its certificate');
  if (isGateway) add.requiredOption('--deployment <id>', 'its own, from its trust.json').addHelpText('after', GATEWAY_HELP);
  add
    .option('--region <name>', 'whose venues and cases it may speak of; may be given again; left out: all', collect, [])
    .option('--pin <pin>', 'SHA-256 of the public key of its certificate, base64url; it then has no token')
    .option(...data)
    .action(async (name: string, { deployment, region, pin, data: directory }: AddOptions) => {
      const machine = {
        name,
        role,
        regions: region.length === 0 ? ('all' as const) : region,
        ...(deployment === undefined ? {} : { deployment: deploymentIn(deployment) }),
        ...(pin === undefined ? {} : { keyPin: pinIn(pin) }),
      };
      const deed = { action: `${role}.add`, about: name };
      const token = await withMachines(directory, deed, (machines) => machines.add(machine, systemClock.wall()));
      say(token === undefined ? `${name} is known by its key` : token);
      // On the other output: what is piped into a file is the token alone.
      if (token !== undefined) warn(isGateway ? GATEWAY_TOKEN : PARTNER_TOKEN);
    });
  command
    .command('list')
    .description('who is let in, and what belongs to each')
    .option('--json', 'one JSON object a line')
    .option(...data)
    .action(async (options: { json?: true; data: string }) => {
      await withMachines(options.data, { action: `look.${role}s`, about: '' }, (machines) => {
        for (const machine of machines.list().filter((one) => one.role === role)) {
          const held = { ...machines.holdings(machine), taken: machines.taken(machine.no) };
          if (options.json) say(JSON.stringify({ ...machine, ...held }));
          else say(lineOf(machine, held));
        }
      });
    });
  command
    .command('remove')
    .argument('<name>')
    .description('let one in no longer; what it sent stays until retention')
    .option(...data)
    .action(async (name: string, options: { data: string }) => {
      const isGone = await withMachines(options.data, { action: `${role}.remove`, about: name }, (machines) =>
        machines.list().some((one) => one.name === name && one.role === role) ? machines.remove(name) : false,
      );
      if (!isGone) throw new ConfigError('config.invalid', `${name}: there is none of this name`);
      say(`${name} is taken out`);
    });
  if (isGateway) command.addCommand(venueListCommand());
  return command;
}

/** For venues whose ids do not say whose they are: older ones, and those that moved from one gateway to another. */
function venueListCommand(): Command {
  return new Command('venue')
    .argument('<gateway>', 'its name')
    .argument('<venue...>', 'ids, as "vestibule venue list" tells them')
    .description('say of venues that they are of this gateway; it is then asked for its ledger again')
    .option('--remove', 'say so no longer')
    .option(...data)
    .action(async (name: string, venues: readonly string[], { remove, data: directory }: { remove?: true; data: string }) => {
      const action = remove === undefined ? 'gateway.venue' : 'gateway.venue_remove';
      await withMachines(directory, { action, about: `${name} ${venues.join(' ')}`.slice(0, 200) }, (machines) => {
        for (const venue of venues) {
          if (remove === undefined) machines.listVenue(venue, name);
          else if (!machines.unlistVenue(venue)) throw new ConfigError('config.invalid', `${venue}: is listed for no gateway`);
        }
      });
      say(
        `${venues.length === 1 ? 'one venue is' : `${venues.length} venues are`} ${remove === undefined ? '' : 'no longer '}listed for ${name}`,
      );
    });
}

/** `vestibule core subject`: for whoever has to find out whether it was this person. */
export function subjectCommand(): Command {
  return new Command('subject')
    .description("the pseudonym by which the core's audit log knows a person")
    .requiredOption('--issuer <url>', 'as their tokens name it')
    .requiredOption('--sub <subject>', "the issuer's own name for them")
    .option(...data)
    .action(async ({ issuer, sub, data: directory }: { issuer: string; sub: string; data: string }) => {
      const { storeKey } = await readCoreKeys(dataPaths(directory).coreKeys);
      await withMachines(directory, { action: 'look.subject', about: subjectOf(storeKey, issuer, sub) }, () => {});
      say(subjectOf(storeKey, issuer, sub));
    });
}

function lineOf(machine: Machine, held: { readonly kiosks: number; readonly venues: number; readonly taken: number }): string {
  const { name, deployment, regions } = machine;
  const where = regions === 'all' ? 'all regions' : regions.join(', ');
  if (deployment === undefined) return `${name}  ${where}`;
  return `${name}  deployment ${deployment}  ${where}  ${counted(held.kiosks, 'kiosk')}, ${counted(held.venues, 'venue')}, taken to ${held.taken}`;
}

const withMachines = <T>(directory: string, deed: CoreDeed, work: (machines: Gateways) => T): Promise<T> =>
  withCoreDb(directory, deed, (db) => work(new Gateways(db)));

function deploymentIn(text: string): DeploymentId {
  if (isPlaceId(text)) return text as DeploymentId;
  throw new ConfigError('config.invalid', '--deployment: 16 characters, as trust.json says it');
}

function pinIn(text: string): Uint8Array {
  if (/^[A-Za-z0-9_-]{43}$/.test(text)) return new Uint8Array(Buffer.from(text, 'base64url'));
  throw new ConfigError('config.invalid', '--pin: expected SHA-256 of a public key in base64url, 43 characters');
}
