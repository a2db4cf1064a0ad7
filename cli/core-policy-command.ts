/** `vestibule core policy`: by which policy is traced; each look and each change is in the core's audit log, also while the core runs. */
import { Command, Option } from 'commander';
import { ANCHORS, type TraceChange, TracePolicies } from '../core/trace/policy-book.ts';
import type { TracePolicy } from '../core/trace/trace.ts';
import { systemClock } from '../protocol/time.ts';
import { withCoreDb } from './core-access.ts';
import { decimalOf } from './numbers.ts';
import { systemUser } from './system-user.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const MOST_VERSIONS = 100;

/** What an option is called, and in which unit it is said. */
const DURATIONS = {
  highWindowMs: { option: '--high-hours', unitMs: HOUR_MS, words: 'before the anchor: contacts in it are high' },
  farWindowMs: { option: '--far-hours', unitMs: HOUR_MS, words: 'before the anchor: other contacts in it are medium' },
  backwardWindowMs: { option: '--backward-days', unitMs: DAY_MS, words: 'before the anchor: where a case may have been infected' },
  minimumOverlapMs: { option: '--overlap-minutes', unitMs: MINUTE_MS, words: 'how long two must have been together for a contact' },
  mediumMinimumOverlapMs: {
    option: '--between-minutes',
    unitMs: MINUTE_MS,
    words: 'how long for each of the two meetings of the second order',
  },
} as const;
type Duration = keyof typeof DURATIONS;
const NAMES = Object.keys(DURATIONS) as readonly Duration[];

export function corePolicyCommand(): Command {
  const command = new Command('policy').description('by which windows and least overlaps is traced; results name its version');
  command
    .command('show')
    .description('the policy in force, and the versions before')
    .option('--json', 'as one line of JSON')
    .option('--data <dir>', 'data directory; the core is in its "core" folder', './data')
    .action(async (options: { json?: true; data: string }) => {
      await withCoreDb(options.data, { action: 'look.policy', about: '' }, (db) => {
        const policies = new TracePolicies(db);
        const versions = policies.latest(MOST_VERSIONS);
        if (options.json) return say(JSON.stringify({ policy: policies.current(), versions }));
        for (const { policy, setAtMs, setBy } of versions) {
          const when = setAtMs === undefined ? 'what a core begins with' : `set ${new Date(setAtMs).toISOString()} by ${setBy}`;
          say(`version ${policy.version}, ${when}`);
          say(`  ${wordsOf(policy)}`);
        }
      });
    });
  const set = command
    .command('set')
    .description('another policy: what is not said stays; open cases are traced anew by it, within a minute')
    .addOption(new Option('--anchor <moment>', 'what of a case windows are counted back from').choices(ANCHORS))
    .option('--data <dir>', 'data directory; the core is in its "core" folder', './data');
  for (const name of NAMES) set.option(`${DURATIONS[name].option} <number>`, DURATIONS[name].words);
  set.action(async ({ data, anchor, ...said }: { data: string; anchor?: TracePolicy['anchor'] } & Record<string, string>) => {
    const change: TraceChange = {
      anchor,
      ...Object.fromEntries(
        NAMES.flatMap((name) => (said[nameIn(name)] === undefined ? [] : [[name, msOf(name, said[nameIn(name)] ?? '')]])),
      ),
    };
    const about = Object.entries(change).flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]));
    await withCoreDb(data, { action: 'policy.set', about: about.join(', ') }, (db) => {
      const policies = new TracePolicies(db);
      const before = policies.current().version;
      const policy = policies.set(change, { by: systemUser(), nowMs: systemClock.wall() });
      say(`${policy.version === before ? 'nothing changed: version' : 'version'} ${policy.version}: ${wordsOf(policy)}`);
    });
  });
  return command;
}

const wordsOf = (policy: TracePolicy): string =>
  [...NAMES.map((name) => `${DURATIONS[name].option.slice(2)} ${policy[name] / DURATIONS[name].unitMs}`), `anchor ${policy.anchor}`].join(
    ', ',
  );

/** @returns how commander calls it. */
const nameIn = (name: Duration): string =>
  DURATIONS[name].option.slice(2).replaceAll(/-(\w)/g, (_all, letter: string) => letter.toUpperCase());

const msOf = (name: Duration, text: string): number => Math.round(decimalOf(DURATIONS[name].option, text) * DURATIONS[name].unitMs);
