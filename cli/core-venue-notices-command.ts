/** `vestibule core venue-notices`: what whoever runs the gateway tells a venue, for cleaning and airing. Of nobody. */
import { Command } from 'commander';
import { NoticeBook } from '../core/notice/notice-book.ts';
import { tell } from '../core/rest/small-counts.ts';
import { withCoreDb } from './core-access.ts';
import { venueNamed } from './place-names.ts';
import { withRegistry } from './registry-access.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const MOST_HOURS = 500;

export function venueNoticesCommand(): Command {
  return new Command('venue-notices')
    .description('when cases were at a venue and how busy it was, by whole hours: for cleaning and airing')
    .requiredOption('--venue <name>', 'its name or id')
    .option('--json', 'one JSON object a line')
    .option('--data <dir>', 'data directory of gateway and core', './data')
    .action(async ({ venue: asked, json, data }: { venue: string; json?: true; data: string }) => {
      const { id, name } = await withRegistry(data, (registry) => venueNamed('--venue', asked, registry.venues()));
      const deed = { action: 'look.venue_notices', about: id, purpose: 'venue-measures' };
      const found = await withCoreDb(data, deed, (db) => new NoticeBook(db).venues(id, Number.MAX_SAFE_INTEGER, MOST_HOURS));
      if (found.length === 0 && json === undefined) say(`${name}: nothing that it would have to be told`);
      for (const { fromMs, toMs, visitors = 0 } of found) {
        if (json) say(JSON.stringify({ venue: id, fromMs, toMs, visitors: tell(visitors) }));
        else say(`${name}  ${new Date(fromMs).toISOString()} to ${new Date(toMs).toISOString()}  visitors: ${tell(visitors)}`);
      }
    });
}
