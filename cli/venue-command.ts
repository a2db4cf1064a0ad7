/** `vestibule venue`: what the venues of a gateway are and go by, and how far their kiosks are with it. */
import { Command, Option } from 'commander';
import { type Issued, isConfirmed } from '../gateway/policy/policy-book.ts';
import { UNSIGNED_CARDS, VENUE_KINDS, type Venue } from '../gateway/policy/venue.ts';
import type { VenueBook } from '../gateway/policy/venue-book.ts';
import type { Registry } from '../gateway/registry.ts';
import { ConfigError } from '../protocol/errors.ts';
import { newVenueId, type VenueId } from '../protocol/ids.ts';
import { doDeed } from './audit-desk.ts';
import { dataPaths, gatewayIdentity, refuseNoGateway } from './data-paths.ts';
import { counted, decimalOf } from './numbers.ts';
import { venueNamed } from './place-names.ts';
import { withRegistry } from './registry-access.ts';
import { kioskWordsOf, wordsAndId } from './rollout-lines.ts';

/** All lines at once: a reader that has enough after the first (`| head -1`) breaks nothing off. */
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const HELP = `
Examples:
  vestibule venue add --name "Town library" --timezone Europe/Berlin --entrance "Main door=both"
  vestibule venue edit "Town library" --threshold 37.8 --unsigned refused --entrance "Side door=out"
  vestibule venue list

A running gateway signs the change and sends it to the venue's kiosks within a second; "list" tells which of them go by it.
An entrance's direction is what its kiosks go by, unless the staff there choose otherwise.`;

interface RuleOptions {
  readonly data: string;
  readonly name?: string;
  readonly organisation?: string;
  readonly site?: string;
  readonly region?: string;
  readonly kind?: string;
  readonly timezone?: string;
  readonly dwellHours?: string;
  readonly lingeringMinutes?: string;
  readonly threshold?: string;
  readonly unsigned?: string;
  readonly flagNotices?: 'on' | 'off';
  readonly flagOverlapMinutes?: string;
  readonly flagSuspected?: 'on' | 'off';
  readonly entrance?: readonly string[];
  readonly removeEntrance?: readonly string[];
}

export function venueCommand(): Command {
  const venue = new Command('venue').description('venues: where they are, what their kiosks go by, which entrances they have');

  withRules(venue.command('add').description('add a venue'))
    .addHelpText('after', HELP)
    .action(async (options: RuleOptions) => {
      const timezone = options.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
      const { deployment } = await gatewayIdentity(dataPaths(options.data));
      const id = newVenueId(deployment);
      const added = await doDeed(options.data, { action: 'venue.add', about: id, detail: '' }, () =>
        withRegistry(options.data, ({ venueBook }) =>
          venueBook.together(() => {
            venueBook.add({ ...rulesOf(options), timezone }, id);
            return putEntrances(venueBook, id, options);
          }),
        ),
      );
      say(venueLines(added).join('\n'));
    });

  withRules(
    venue
      .command('edit')
      .argument('<venue>', 'its id, or the name that it alone has')
      .description('change what is named, and nothing else'),
  )
    .option('--remove-entrance <name>', 'by name or id; may be given again', collect)
    .action(async (text: string, options: RuleOptions) => {
      refuseNoGateway(dataPaths(options.data));
      const id = await idOf(options.data, text);
      const rules = rulesOf(options);
      const { entrance = [], removeEntrance = [] } = options;
      const what = [...Object.keys(rules), ...(entrance.length + removeEntrance.length > 0 ? ['entrances'] : [])];
      const changed = await doDeed(options.data, { action: 'venue.edit', about: id, detail: what.join(' ') }, () =>
        withRegistry(options.data, ({ venueBook }) =>
          venueBook.together(() => {
            venueBook.edit(id, rules);
            return putEntrances(venueBook, id, options);
          }),
        ),
      );
      say(venueLines(changed).join('\n'));
    });

  venue
    .command('remove')
    .argument('<venue>', 'its id, or the name that it alone has')
    .description('remove a venue at which no kiosk was ever admitted')
    .option('--data <dir>', 'data directory of the gateway', './data')
    .action(async (text: string, { data }: { data: string }) => {
      refuseNoGateway(dataPaths(data));
      const id = await idOf(data, text);
      await doDeed(data, { action: 'venue.remove', about: id, detail: '' }, () =>
        withRegistry(data, ({ venueBook }) => venueBook.remove(id)),
      );
      say(`venue ${id}: removed`);
    });

  venue
    .command('list')
    .description('every venue, its rules and entrances, and how many of its kiosks have confirmed the newest')
    .option('--json', 'all of it as one line of JSON')
    .option('--data <dir>', 'data directory of the gateway', './data')
    .action(async (options: { data: string; json?: true }) => {
      refuseNoGateway(dataPaths(options.data));
      await withRegistry(options.data, (registry) => {
        if (options.json === true) return say(JSON.stringify(listJson(registry)));
        const lines = registry.venues().flatMap((one) => [...venueLines(one), policyLine(registry, one)]);
        const lost = registry.lostList.count();
        if (lines.length === 0) lines.push('no venue was added yet');
        say([...lines, ...(lost > 0 ? [`lost cards: ${lost}`] : [])].join('\n'));
      });
    });

  return venue;
}

const withRules = (command: Command): Command =>
  command
    .option('--name <name>', 'what operators call it')
    .option('--organisation <name>', 'who runs it')
    .option('--site <name>', 'where it is')
    .option('--region <name>', 'under whose health office')
    .addOption(new Option('--kind <kind>', 'what it is').choices(VENUE_KINDS))
    .option('--timezone <zone>', 'such as Europe/Berlin; decides where its day ends')
    .option('--dwell-hours <hours>', 'the usual stay: how long a visit without a check-out is taken to last, 0.02 to 48')
    .option('--lingering-minutes <minutes>', 'how long the air keeps what somebody left, 0 to 1440')
    .option('--threshold <degrees>', 'a reading is high from here on, 35 to 42 °C; "own": as each kiosk is set')
    .addOption(new Option('--unsigned <how>', 'cards that nobody signed').choices(UNSIGNED_CARDS))
    .addOption(
      new Option('--flag-notices <how>', 'whether those are told who met somebody with a high-temperature flag').choices(['on', 'off']),
    )
    .option('--flag-overlap-minutes <minutes>', 'so long they have to have met, 1 to 720')
    .addOption(new Option('--flag-suspected <how>', 'whether such a flag makes a suspected case').choices(['on', 'off']))
    .option('--entrance <name=direction>', 'in, out or both; adds one, or changes the one of that name or id; may be given again', collect)
    .option('--data <dir>', 'data directory of the gateway', './data');

const collect = (text: string, before: readonly string[] = []): string[] => [...before, text];

function rulesOf(options: RuleOptions): Record<string, unknown> {
  const { name, organisation, site, region, kind, timezone, dwellHours, lingeringMinutes, threshold, unsigned } = options;
  const { flagNotices, flagOverlapMinutes, flagSuspected } = options;
  const rules = {
    name,
    organisation,
    site,
    region,
    kind,
    timezone,
    dwellMs: dwellHours === undefined ? undefined : Math.round(decimalOf('--dwell-hours', dwellHours) * HOUR_MS),
    lingeringMs: lingeringMinutes === undefined ? undefined : Math.round(decimalOf('--lingering-minutes', lingeringMinutes) * MINUTE_MS),
    threshold: threshold === undefined ? undefined : threshold === 'own' ? null : Math.round(decimalOf('--threshold', threshold) * 100),
    unsignedCards: unsigned,
    areFlagsTold: flagNotices && flagNotices === 'on',
    flagOverlapMs:
      flagOverlapMinutes === undefined ? undefined : Math.round(decimalOf('--flag-overlap-minutes', flagOverlapMinutes) * MINUTE_MS),
    areFlaggedSuspected: flagSuspected && flagSuspected === 'on',
  };
  return Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined));
}

const idOf = (data: string, text: string): Promise<VenueId> =>
  withRegistry(data, (registry) => venueNamed('venue', text, registry.venues()).id);

function putEntrances(book: VenueBook, id: VenueId, { entrance = [], removeEntrance = [] }: RuleOptions): Venue {
  for (const text of entrance) {
    const [, name = '', direction = ''] = /^(.*)=(in|out|both)$/.exec(text) ?? [];
    if (direction === '') throw new ConfigError('config.invalid', '--entrance: expected a name, "=" and in, out or both');
    book.putEntrance(id, { name, direction });
  }
  for (const name of removeEntrance) book.removeEntrance(id, name);
  return book.venue(id);
}

function venueLines(venue: Venue): string[] {
  const { id, name, timezone, organisation, site, region, kind, dwellMs, lingeringMs, threshold, unsignedCards, entrances } = venue;
  const about = [
    ['kind', kind],
    ['organisation', organisation],
    ['site', site],
    ['region', region],
  ].flatMap(([what, text]) => (text === '' ? [] : [`${what} ${text}`]));
  const high = threshold === undefined ? 'high as each kiosk is set' : `high from ${(threshold / 100).toFixed(2)} °C`;
  return [
    `${id}  ${name}  (${timezone})`,
    `  ${about.join(', ')}`,
    `  stay ${span(dwellMs)}, air ${span(lingeringMs)}, ${high}, unsigned cards ${unsignedCards}`,
    `  flags: ${flagsOf(venue)}`,
    ...entrances.map(
      (one) => `  entrance ${one.id}  ${one.name === '' ? '-' : one.name}  ${one.direction}${one.isTold ? '' : ' (not told)'}`,
    ),
  ];
}

const flagsOf = ({ areFlagsTold, flagOverlapMs, areFlaggedSuspected }: Venue): string =>
  `${areFlagsTold ? `told to whoever met ${span(flagOverlapMs)}` : 'told to nobody'}${areFlaggedSuspected ? ', a suspected case' : ''}`;

function policyLine(registry: Registry, { id }: Venue): string {
  const kiosks = new Set(
    [...registry.kiosks()].filter((one) => one.placement.venue === id && one.revokedAtMs === undefined).map((one) => one.kiosk),
  );
  const issued = registry.policyBook.all().filter(({ kiosk }) => kiosks.has(kiosk));
  const words = kioskWordsOf(registry.kiosks(), registry.venues());
  const refused = issued.flatMap(({ kiosk, refusedCode }) =>
    refusedCode === undefined ? [] : [`; ${wordsAndId(kiosk, words)} refuses it [${refusedCode}]`],
  );
  return `  policy: confirmed by ${issued.filter(isConfirmed).length} of ${counted(kiosks.size, 'kiosk')}${refused.join('')}`;
}

const listJson = (registry: Registry) => ({
  venues: registry.venues(),
  kiosks: registry.policyBook
    .all()
    .map(({ filterKey: _key, rulesDigest: _digest, ...told }: Issued) => ({ ...told, isConfirmed: isConfirmed(told) })),
  lostCards: registry.lostList.count(),
});

const span = (ms: number): string => (ms % HOUR_MS === 0 ? `${ms / HOUR_MS} h` : `${Math.round((ms / MINUTE_MS) * 10) / 10} min`);
