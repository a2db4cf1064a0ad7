/** `vestibule clinician`: who may record the results of tests at which venue. A code is shown once, when it is made. */
import { Command } from 'commander';
import { printClinician } from '../cards/clinician-sheet.ts';
import { terminalSymbol } from '../cards/labels.ts';
import { refuseTaken } from '../cards/private-file.ts';
import type { Clinician } from '../gateway/clinic/clinician-list.ts';
import type { Venue } from '../gateway/registry.ts';
import { encodeCode } from '../protocol/code.ts';
import { ConfigError } from '../protocol/errors.ts';
import { systemClock } from '../protocol/time.ts';
import { doDeed } from './audit-desk.ts';
import { dataPaths, refuseNoGateway } from './data-paths.ts';
import { venueNamed } from './place-names.ts';
import { withRegistry } from './registry-access.ts';

interface AddOptions {
  readonly data: string;
  readonly venue: string;
  readonly label: string;
  readonly out?: string;
  readonly force?: true;
}

const say = (line = ''): void => void process.stdout.write(`${line}\n`);
const data = ['--data <dir>', 'data directory of the gateway', './data'] as const;

const HELP = `
Examples:
  vestibule clinician add --venue "North clinic" --label "Desk 2" --out clinician.pdf
  vestibule clinician list
  vestibule clinician revoke 3

A clinician scans the code at the clinic's kiosk (enrolled with --role clinic), then the sticker of the test, then chooses
the result. The gateway keeps a digest that leads back to no code: a lost one is revoked and another made. Kiosks that are
online know within seconds, others when they come back; what a revoked code records after that is set aside.`;

export function clinicianCommand(): Command {
  const clinician = new Command('clinician').description('who may record results of tests, and at which venue').addHelpText('after', HELP);

  clinician
    .command('add')
    .description("make a clinician's code, shown or printed this once")
    .requiredOption('--venue <venue>', 'where results may be recorded with it: a name or an id')
    .requiredOption('--label <words>', 'what you will know it by: a desk, a duty, a person; up to 40 characters')
    .option('--out <file>', 'print it into this PDF, readable by you alone, with the codes of the three results')
    .option('--force', 'write over the file if it is there')
    .option(...data)
    .action(add);

  clinician
    .command('list')
    .description('the codes that were made, and whether they are good')
    .option('--json', 'as one line of JSON')
    .option(...data)
    .action(async (options: { data: string; json?: true }) => {
      refuseNoGateway(dataPaths(options.data));
      const { all, venues } = await withRegistry(options.data, (registry) => ({
        all: registry.clinicians.all(),
        venues: registry.venues(),
      }));
      if (options.json) return say(JSON.stringify(all.map(({ digest: _, ...shown }) => shown)));
      for (const one of all) say(lineOf(one, venues));
    });

  clinician
    .command('revoke')
    .argument('<numbers...>', 'as "vestibule clinician list" shows them')
    .description('take codes back: what is recorded with one from now on does not count')
    .option(...data)
    .action(async (numbers: readonly string[], options: { data: string }) => {
      refuseNoGateway(dataPaths(options.data));
      const asked = numbers.map(wholeNumber);
      const known = await withRegistry(options.data, ({ clinicians }) => clinicians.all());
      const unknown = asked.filter((number) => !known.some((one) => one.number === number));
      // A number that was mistyped leaves the code that was meant good: nobody is to think otherwise.
      if (unknown.length > 0)
        throw new ConfigError('config.invalid', `clinician ${unknown.join(', ')}: not on the list; nothing was revoked`);
      for (const number of asked) {
        const isRevoked = await doDeed(options.data, { action: 'clinician.revoke', about: String(number), detail: '' }, () =>
          withRegistry(options.data, ({ clinicians }) => clinicians.revoke(number, systemClock.wall())),
        );
        say(isRevoked ? `clinician ${number} revoked` : `clinician ${number}: revoked already`);
      }
    });

  return clinician;
}

async function add({ data: directory, venue: asked, label, out, force }: AddOptions): Promise<void> {
  refuseNoGateway(dataPaths(directory));
  if (out !== undefined) refuseTaken(out, force === true);
  const venue = await withRegistry(directory, (registry) => venueNamed('--venue', asked, registry.venues()));
  const { number, secret } = await doDeed(directory, { action: 'clinician.add', about: venue.id, detail: '' }, () =>
    withRegistry(directory, ({ clinicians }) => clinicians.add(venue.id, label, systemClock.wall())),
  );
  try {
    if (out !== undefined) {
      await printClinician({ number, secret, label, venue: venue.name }, out, force === true);
      say(`${out}: clinician ${number}, ${venue.name}, with the codes of the three results`);
      say('Print it at 100 %, hand it over in person, and delete the file: who has the code can record results.');
      return;
    }
    const text = encodeCode({ kind: 'clinician', secret });
    say(`Clinician ${number}: ${venue.name}, ${label.trim()}`);
    say('shown this once: who has it can record results there');
    say();
    if (process.stdout.isTTY) for (const line of terminalSymbol(text)) say(line);
    say(text);
  } finally {
    secret.fill(0);
  }
}

function lineOf({ number, venue, label, addedAtMs, revokedAtMs }: Clinician, venues: readonly Venue[]): string {
  const name = venues.find(({ id }) => id === venue)?.name ?? venue;
  const state = revokedAtMs === undefined ? `good since ${dayOf(addedAtMs)}` : `revoked ${dayOf(revokedAtMs)}`;
  return `${String(number).padStart(4)}  ${state}  ${name}, ${label}`;
}

const dayOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10);

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new ConfigError('config.invalid', `clinician: "${text}" is no number of the list`);
  return Number(text);
}
