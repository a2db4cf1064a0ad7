/** `vestibule rollout`: sends a release to the kiosks of a gateway, some at a time, and tells how far they are. */
import { Command } from 'commander';
import { gatewayPaths } from '../gateway/paths.ts';
import { BundleShelf } from '../gateway/rollout/bundle-shelf.ts';
import type { Rollout, RolloutBook, RolloutStep } from '../gateway/rollout/rollout-book.ts';
import { openRegistry } from '../gateway/status.ts';
import { ConfigError } from '../protocol/errors.ts';
import { versionText } from '../protocol/release-version.ts';
import { systemClock } from '../protocol/time.ts';
import { checkBundle } from '../workshop/release/check-bundle.ts';
import { openPublicKey } from '../workshop/release/release-keys.ts';
import { doDeed } from './audit-desk.ts';
import { dataPaths, refuseNoGateway } from './data-paths.ts';
import { kioskNamed, venueNamed } from './place-names.ts';
import { withRegistry } from './registry-access.ts';
import { changeLines, kioskWordsOf, rolloutLine, statusLines } from './rollout-lines.ts';
import { untilStopped } from './stopping.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const data = ['--data <dir>', 'data directory of the gateway', './data'] as const;
const USUAL_AT_ONCE = 20;

/** Of `watch`, so that a script can tell. */
const PAUSED_BY_ITSELF = 1;

const HELP = `
Examples:
  vestibule rollout start vestibule-1.4.0.vrelease --key release.pub --to 5
  vestibule rollout watch
  vestibule rollout go-on --to 100

A running gateway tells the kiosks within a second. Each takes the release beside its work, tries it when its door is quiet, and goes back by
itself when it does not deliver. The rollout pauses by itself when more kiosks than --failures go back. "resume" is "go-on", "cancel" is "stop".
There is no way back but forward: sign the old parts under a higher version.`;

const WATCH_HELP = `
Changes nothing; Ctrl-C ends it, and nothing else. Exit status 1 when the rollout has paused by itself.`;

interface StartOptions {
  readonly data: string;
  readonly key: readonly string[];
  readonly to: string;
  readonly kiosk?: readonly string[];
  readonly venue?: readonly string[];
  readonly failures: string;
  readonly atOnce: string;
}

export function rolloutCommand(): Command {
  const rollout = new Command('rollout').description('send a release to kiosks, some at a time').addHelpText('after', HELP);

  rollout
    .command('start')
    .argument('<file>', 'a bundle')
    .description('begin to send a release to kiosks')
    .requiredOption('--key <file>', 'a public key of releases; may be given again. The bundle is looked at as a kiosk would', collect)
    .option('--to <percent>', 'of the kiosks that are meant', '100')
    .option('--kiosk <kiosk>', 'only this one, by its id or name; may be given again', collect)
    .option('--venue <venue>', 'only kiosks of this one, by its id or name; may be given again', collect)
    .option('--failures <number>', 'pause by itself when more kiosks than these go back', '0')
    .option('--at-once <number>', 'so many connected kiosks take it at the same time', String(USUAL_AT_ONCE))
    .option(...data)
    .action(async (file: string, options: StartOptions) => {
      const paths = dataPaths(options.data);
      refuseNoGateway(paths);
      const { manifest, digest, lengthBytes } = await checkBundle(file, options.key.map(openPublicKey));
      const who = await withRegistry(options.data, (registry) => {
        const venues = registry.venues();
        return {
          kiosks: (options.kiosk ?? []).map((text) => kioskNamed('--kiosk', text, registry)),
          venues: (options.venue ?? []).map((text) => venueNamed('--venue', text, venues).id),
        };
      });
      const order = {
        digest: Buffer.from(digest).toString('hex'),
        version: versionText(manifest.version),
        board: manifest.board,
        lengthBytes,
        percent: wholeOf('--to', options.to, 1, 100),
        ...who,
        mostFailed: wholeOf('--failures', options.failures, 0, 100_000),
        atOnce: wholeOf('--at-once', options.atOnce, 1, 1_000),
      };
      const deed = { action: 'rollout.start', about: order.version, detail: `${order.percent} % ${order.digest.slice(0, 16)}` };
      const started = await doDeed(options.data, deed, () =>
        withRegistry(options.data, ({ rolloutBook }) => {
          const before = rolloutBook.newest();
          if (before === undefined || before.state === 'stopped')
            new BundleShelf(gatewayPaths(paths.gateway).releases).put(order.digest, file);
          return rolloutBook.start(order, systemClock.wall());
        }),
      );
      say(`rollout ${started.number}: release ${started.version} to ${started.percent} % of the kiosks`);
    });

  rollout
    .command('status')
    .description('how far the kiosks are with the last release')
    .option('--json', 'all of it as one line of JSON')
    .option(...data)
    .action(async (options: { data: string; json?: true }) => {
      refuseNoGateway(dataPaths(options.data));
      await withRegistry(options.data, (registry) => {
        const { rolloutBook } = registry;
        const newest = rolloutBook.newest();
        if (newest === undefined) return say(options.json === true ? 'null' : 'no release was rolled out yet');
        const steps = rolloutBook.steps(newest.number);
        if (options.json === true) return say(JSON.stringify({ ...newest, steps }));
        say(statusLines(newest, steps, kioskWordsOf(registry.kiosks(), registry.venues())).join('\n'));
      });
    });

  rollout
    .command('watch')
    .description('follow the kiosks with the last release, a line for each step, until the rollout pauses or is stopped')
    .addHelpText('after', WATCH_HELP)
    .option(...data)
    .action(async (options: { data: string }) => {
      refuseNoGateway(dataPaths(options.data));
      process.exitCode = await watch(options.data, untilStopped());
    });

  for (const [name, alias, action, description, change] of [
    [
      'pause',
      undefined,
      'rollout.pause',
      'no further kiosk takes it, and those that are taking it leave off',
      (book: RolloutBook) => book.pause(),
    ],
    ['stop', 'cancel', 'rollout.stop', 'end it; kiosks that keep the release go on with it', (book: RolloutBook) => book.stop()],
  ] as const)
    withAlias(rollout.command(name), alias)
      .description(description)
      .option(...data)
      .action(async (options: { data: string }) => {
        refuseNoGateway(dataPaths(options.data));
        const changed = await doDeed(options.data, { action, about: '', detail: '' }, () =>
          withRegistry(options.data, ({ rolloutBook }) => change(rolloutBook)),
        );
        say(`rollout ${changed.number} of release ${changed.version}: ${changed.state}`);
      });

  rollout
    .command('go-on')
    .alias('resume')
    .description('go on after a pause, or with more kiosks')
    .option('--to <percent>', 'of the kiosks that are meant; as before when left out')
    .option(...data)
    .action(async (options: { data: string; to?: string }) => {
      refuseNoGateway(dataPaths(options.data));
      const percent = options.to === undefined ? undefined : wholeOf('--to', options.to, 1, 100);
      const deed = { action: 'rollout.go-on', about: '', detail: percent === undefined ? '' : `${percent} %` };
      const changed = await doDeed(options.data, deed, () => withRegistry(options.data, ({ rolloutBook }) => rolloutBook.goOn(percent)));
      say(`rollout ${changed.number} of release ${changed.version}: ${changed.state}, ${changed.percent} % of the kiosks`);
    });

  return rollout;
}

const withAlias = (command: Command, alias: string | undefined): Command => (alias === undefined ? command : command.alias(alias));

const LOOK_EVERY_MS = 1_000;

/** @returns the exit status. */
async function watch(directory: string, signal: AbortSignal): Promise<number> {
  const registry = await openRegistry(dataPaths(directory).gateway);
  try {
    const { rolloutBook } = registry;
    let before: Rollout | undefined;
    let steps: readonly RolloutStep[] = [];
    while (!signal.aborted) {
      const now = rolloutBook.newest();
      if (now === undefined) throw new ConfigError('config.invalid', 'no release was rolled out yet');
      const known = rolloutBook.steps(now.number);
      const words = kioskWordsOf(registry.kiosks(), registry.venues());
      if (now.number !== before?.number) {
        say(statusLines(now, known, words).join('\n'));
      } else {
        for (const line of changeLines(steps, known, words)) say(line);
        if (now.state !== before.state || now.percent !== before.percent) say(rolloutLine(now));
      }
      if (now.state !== 'running') return now.why === undefined ? 0 : PAUSED_BY_ITSELF;
      before = now;
      steps = known;
      await systemClock.sleep(LOOK_EVERY_MS, signal);
    }
    return 0;
  } finally {
    registry.close();
  }
}

const collect = (text: string, before: readonly string[] = []): string[] => [...before, text];

function wholeOf(option: string, text: string, least: number, greatest: number): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= least && number <= greatest))
    throw new ConfigError('config.invalid', `${option}: expected a whole number from ${least} to ${greatest}`);
  return number;
}
