/** `vestibule enrol`: gives out codes by which machines become kiosks, one on the screen or many as a sheet of labels. */
import { existsSync } from 'node:fs';
import { Command, Option } from 'commander';
import { type KioskLabel, printLabels, terminalSymbol } from '../cards/labels.ts';
import { refuseTaken } from '../cards/private-file.ts';
import type { GivenCode } from '../gateway/enrol/code-book.ts';
import { type CodeDesk, type Door, type NewCode, openCodeDesk } from '../gateway/enrol/give-codes.ts';
import type { Registry, Venue } from '../gateway/registry.ts';
import { ROLES, type Role } from '../protocol/enrol.ts';
import { ConfigError } from '../protocol/errors.ts';
import type { KioskId } from '../protocol/ids.ts';
import { systemClock } from '../protocol/time.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { writeDeed } from './audit-desk.ts';
import { dataPaths, gatewayIdentity } from './data-paths.ts';
import { counted, decimalOf, wholeNumberOf } from './numbers.ts';
import { doorName, doorNames, entranceNamed, kioskNamed, venueNamed } from './place-names.ts';
import { printCodes } from './print-codes.ts';

type Direction = 'in' | 'out' | 'both';

interface GiveOptions {
  readonly data: string;
  readonly venue?: readonly string[];
  readonly entrance?: string;
  readonly direction?: Direction;
  readonly replaces?: string;
  readonly name?: string;
  readonly role: Role;
  readonly count: string;
  readonly hours: string;
  readonly out?: string;
  readonly force?: true;
}

const HOUR_MS = 3_600_000;
const say = (line = ''): void => void process.stdout.write(`${line}\n`);
const warn = (line: string): void => void process.stderr.write(`${line}\n`);
const data = ['--data <dir>', 'data directory of the gateway', './data'] as const;

const HELP = `
Examples:
  vestibule enrol --venue "Town library" --entrance "Main door"      one kiosk: the code on the screen
  vestibule enrol --venue 0123456789abcdef --count 50 --out labels.pdf
  vestibule enrol --venue <one> --venue <another> --count 25 --out labels.pdf      25 for each
  vestibule enrol --replaces <kiosk>                                 a dead kiosk: the new one keeps its entrance

A code makes one kiosk, of whoever shows it first, and is good for --hours. Scan it with the kiosk's own scanner, or type
"vestibule kiosk enrol CODE" there. The gateway need not be restarted.`;

export function enrolCommand(): Command {
  const enrol = new Command('enrol').description('give out codes by which machines become kiosks');

  const give = enrol
    .command('give', { isDefault: true })
    .usage('[options]')
    .description('what `vestibule enrol` does by itself')
    .option('--venue <name...>', 'where it hangs, by name or id; see "vestibule venue list"')
    .option('--entrance <name>', 'one of its entrances, by name or id; a new one without a name where it is left out')
    .addOption(new Option('--direction <door>', 'what the door is for').choices(['in', 'out', 'both']))
    .option('--replaces <kiosk>', 'take the place and entrance of this kiosk, by id or name, which is revoked when the code is used')
    .option('--name <name>', 'what operators will call the kiosk; the one that replaces another is called as that one was')
    .addOption(new Option('--role <role>', 'written in its certificate; clinic: may link test stickers').choices(ROLES).default('kiosk'))
    .option('--count <number>', 'codes for each venue', '1')
    .option('--hours <hours>', 'how long a code is good', '24')
    .option('--out <file>', 'print labels into this PDF, readable by you alone')
    .option('--force', 'write over the file if it is there')
    .option(...data)
    .addHelpText('after', HELP)
    .action((options: GiveOptions) => withDesk(options.data, (desk) => giveCodes(desk, options)));
  enrol.addHelpText('after', () => `\n${give.helpInformation()}${HELP}`);

  enrol
    .command('list')
    .description('codes that were given out: by whom they were used, until when they are good')
    .option('--json', 'as one line of JSON')
    .option(...data)
    .action((options: { data: string; json?: true }) =>
      withDesk(options.data, async ({ book, registry }) => {
        await writeDeed(options.data, { action: 'look.codes', about: '', detail: '' });
        const codes = book.codes();
        if (options.json) return say(JSON.stringify(codes, (key, value) => (key === 'publicKey' ? undefined : value)));
        if (codes.length === 0) say('no code was given out yet');
        const venues = registry.venues();
        for (const code of codes) say(lineOf(code, venues, registry, systemClock.wall()));
      }),
    );

  enrol
    .command('withdraw')
    .argument('<numbers...>', 'as "vestibule enrol list" shows them')
    .description('take codes back that nobody has used')
    .option(...data)
    .action((numbers: readonly string[], options: { data: string }) =>
      withDesk(options.data, async ({ book }) => {
        for (const number of numbers) {
          const isBack = book.withdraw(wholeNumberOf('number', number), systemClock.wall());
          if (isBack) await writeDeed(options.data, { action: 'code.withdraw', about: number, detail: '' });
          say(isBack ? `code ${number} withdrawn` : `code ${number}: not there, or used or withdrawn already`);
        }
      }),
    );

  return enrol;
}

async function giveCodes(desk: CodeDesk, options: GiveOptions): Promise<void> {
  const lifeMs = Math.round(decimalOf('--hours', options.hours) * HOUR_MS);
  const { out, force } = options;
  if (out !== undefined) refuseTaken(out, force === true);
  const codes =
    options.replaces === undefined
      ? desk.give(doorsOf(options, desk.registry.venues()), lifeMs, systemClock.wall())
      : [replacing(desk, options, lifeMs)];
  // Before anybody sees a code: one that is not written down as given is shown to nobody.
  await writeDeed(options.data, {
    action: 'code.give',
    about: numbersOf(codes),
    detail: options.replaces === undefined ? '' : `in place of ${options.replaces}`,
  });
  const venues = desk.registry.venues();
  if (out !== undefined) {
    const labels = codes.map((code) => labelOf(code, venues));
    const sheets = await printCodes(desk, options.data, codes, () => printLabels(labels, out, force === true));
    say(`${out}: ${counted(codes.length, 'label')} on ${counted(sheets, 'sheet')}, good until ${timeOf(codes[0]?.expiresAtMs)}`);
    say(
      'Print it at 100 % (no "fit to page"). The file is a secret until its codes are used or have expired: delete it when it is printed.',
    );
    return;
  }
  desk.book.open(codes.map(({ number }) => number));
  for (const code of codes) tell(code, venues);
}

function replacing(desk: CodeDesk, { replaces, venue, entrance, name }: GiveOptions, lifeMs: number): NewCode {
  if (venue !== undefined || entrance !== undefined)
    throw new ConfigError('config.invalid', '--replaces: the new kiosk hangs where the old one hung; leave --venue and --entrance out');
  return desk.giveInPlaceOf(kioskNamed('--replaces', replaces ?? '', desk.registry), lifeMs, systemClock.wall(), name);
}

function doorsOf({ venue: asked, entrance, direction, role, name, count }: GiveOptions, known: readonly Venue[]): Door[] {
  if (asked === undefined)
    throw new ConfigError('config.invalid', '--venue: where is it to hang? ("vestibule venue list" tells them; or --replaces)');
  const many = wholeNumberOf('--count', count);
  if (entrance !== undefined && (many !== 1 || asked.length !== 1))
    throw new ConfigError('config.invalid', '--entrance: names one door; leave --count out and give one --venue');
  if (name !== undefined && (many !== 1 || asked.length !== 1))
    throw new ConfigError(
      'config.invalid',
      '--name: names one kiosk; leave --count out and give one --venue ("vestibule gateway name" names others)',
    );
  return asked.flatMap((text) => {
    const venue = venueNamed('--venue', text, known);
    const at = entrance === undefined ? undefined : entranceNamed('--entrance', entrance, venue);
    const names = doorNames(venue.entrances);
    if (at === undefined && names !== '')
      warn(`${venue.name}: a new door without a name is made (--entrance takes one that is there: ${names})`);
    return Array.from({ length: many }, () => ({ venue: venue.id, entrance: at, direction, role, name }));
  });
}

function tell(code: NewCode, venues: readonly Venue[]): void {
  const { number, venueName, direction, role, replaces, name = '', expiresAtMs, text } = code;
  const door = doorName(venues, code.venue, code.entrance);
  say(
    `Code ${number}: ${venueName}${door === '' ? '' : `, ${door}`}${direction === undefined ? '' : `, ${direction}`}${role === 'kiosk' ? '' : `, ${role}`}${name === '' ? '' : `, "${name}"`}`,
  );
  if (replaces !== undefined) say(`takes the place of kiosk ${replaces}, which is revoked then`);
  say(`good for one kiosk, until ${timeOf(expiresAtMs)}`);
  say();
  if (process.stdout.isTTY) for (const line of terminalSymbol(text)) say(line);
  say(text);
}

export function labelOf(code: NewCode, venues: readonly Venue[]): KioskLabel {
  const { text, number, venueName, venue, entrance, direction, replaces, name = '', expiresAtMs } = code;
  const door = [doorName(venues, venue, entrance), direction === 'both' ? 'in and out' : (direction ?? '')].filter((part) => part !== '');
  const where = [name, door.length === 0 ? '' : `Door: ${door.join(', ')}`].filter((part) => part !== '');
  return {
    text,
    number,
    venue: venueName,
    lines: [
      ...(where.length === 0 ? [] : [where.join('. ')]),
      ...(replaces === undefined ? [] : ['Replaces a kiosk']),
      'Scan at the kiosk, once.',
      `Until ${timeOf(expiresAtMs)}`,
    ],
  };
}

function lineOf(code: GivenCode, venues: readonly Venue[], registry: Registry, nowMs: EpochMillis): string {
  const venue = venues.find(({ id }) => id === code.venue)?.name ?? code.venue;
  const door = doorName(venues, code.venue, code.entrance);
  const name = code.name === undefined || code.name === '' ? '' : `, "${code.name}"`;
  return `${String(code.number).padStart(4)}  ${stateOf(code, registry, nowMs)}  ${venue}${door === '' ? '' : `, ${door}`}${code.direction === undefined ? '' : `, ${code.direction}`}${name}${code.replaces === undefined ? '' : `  in place of ${code.replaces}`}`;
}

function stateOf({ bound, withdrawnAtMs, expiresAtMs }: GivenCode, registry: Registry, nowMs: EpochMillis): string {
  if (bound !== undefined) return `used by ${nameAndId(bound.kiosk, registry)}`;
  if (withdrawnAtMs !== undefined) return 'withdrawn';
  return nowMs < expiresAtMs ? `open until ${timeOf(expiresAtMs)}` : 'expired';
}

function nameAndId(kiosk: KioskId, registry: Registry): string {
  const name = registry.kiosk(kiosk)?.name;
  return name === undefined ? kiosk : `${name} (${kiosk})`;
}

/** In UTC, so that a label means the same at every door. */
const timeOf = (atMs: number | undefined): string => `${new Date(atMs ?? 0).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** `7`, or `7-56`: codes of one call are numbered in one go. */
const numbersOf = (codes: readonly NewCode[]): string => [...new Set([codes[0]?.number, codes.at(-1)?.number])].join('-');

/** Asked in the wrong directory, a gateway would be made there that nobody meant. */
async function withDesk(directory: string, use: (desk: CodeDesk) => void | Promise<void>): Promise<void> {
  const paths = dataPaths(directory);
  if (!existsSync(paths.gateway))
    throw new ConfigError('config.invalid', `${paths.gateway}: is not there (--data names the data directory of the gateway)`);
  await gatewayIdentity(paths);
  const desk = await openCodeDesk(paths.gateway);
  try {
    await use(desk);
  } finally {
    desk.close();
  }
}
