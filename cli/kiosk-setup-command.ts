/** `vestibule kiosk setup`: label, entrance, devices, delivery, at a terminal. Stopped anywhere it goes on there, also at the kiosk's own page. */
import { Command, Option } from 'commander';
import { parseConfig } from '../kiosk/config.ts';
import { runKiosk } from '../kiosk/run-kiosk.ts';
import { LANGUAGES, type Language } from '../kiosk/screen/languages.ts';
import type { SetupDesk } from '../kiosk/setup/setup-desk.ts';
import { SETUP_STEPS, type SetupCommand } from '../kiosk/setup/setup-state.ts';
import { runTerminalFace } from '../kiosk/setup/terminal-face.ts';
import { systemClock } from '../protocol/time.ts';
import { type KioskOptions, settingsOf } from './kiosk-settings.ts';
import { openLog } from './log.ts';
import { untilStopped } from './stopping.ts';
import { typedChunks, typedInput } from './typed-input.ts';
import { typedLines } from './typed-lines.ts';
import { VERSION } from './version.ts';

type Step = Extract<SetupCommand, { kind: 'step' }>['step'];

interface Options extends KioskOptions {
  readonly language: Language;
  readonly step?: Step;
}

const HELP = `
Ctrl-C stops; the next time, here or at the kiosk's page, it goes on there. A kiosk that runs as a service is set up at its own page, or
stopped first: sudo systemctl stop vestibule-kiosk. --step does one step again, of a kiosk that is set up.`;

const say = (text: string): void => void process.stdout.write(text);

/** What set-up was told on the command line, and keeps nowhere. */
const sameOptions = ({ config, trust, pagePort }: Options): string =>
  Object.entries({ config, trust, 'page-port': pagePort })
    .map(([name, value]) => (value === undefined ? '' : ` --${name} '${value}'`))
    .join('');

export function kioskSetupCommand(): Command {
  return new Command('setup')
    .description('set this kiosk up: scan its label, name its entrance, try its devices, see a test event delivered')
    .option('--data <dir>', 'data directory; the kiosk is in its "kiosk" folder', './data')
    .option('--config <file>', 'JSON settings (docs/technician.md lists them)')
    .option('--trust <file>', "the gateway's trust.json, for a kiosk that is admitted by its key")
    .option('--page-port <port>', 'of the page on this machine')
    .option('--no-page', 'no page')
    .addOption(new Option('--language <code>', 'of what is said here').choices(LANGUAGES).default('en'))
    .addOption(new Option('--step <step>', 'this one step, again').choices(SETUP_STEPS.filter((step) => step !== 'enrol')))
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      const stopped = untilStopped();
      const over = new AbortController();
      const signal = AbortSignal.any([stopped, over.signal]);
      const readConfig = () => parseConfig(settingsOf(options));
      let isDone = false;
      let face: Promise<void> = Promise.resolve();
      const onSetup = (desk: SetupDesk) => {
        const isSecret = () => desk.state.step === 'enrol' || desk.state.step === 'devices';
        const lines = typedLines(typedChunks(typedInput(signal)), process.stdin.isTTY ? say : undefined, isSecret);
        face = runTerminalFace(desk, { write: say, lines }, options.language, signal).then((done) => {
          isDone = done;
          over.abort();
        });
      };
      const onReady = () => undefined;
      try {
        await runKiosk(
          readConfig(),
          {
            clock: systemClock,
            log: openLog('silent'),
            version: VERSION,
            readConfig,
            onSetup,
            onReady,
            ...(options.step && { setupStep: options.step }),
          },
          signal,
        );
      } finally {
        // Where the kiosk can not run, too: a terminal that is still read from keeps the process.
        over.abort();
        await face;
      }
      if (!isDone) process.exitCode = 1;
      say(
        isDone
          ? `\nNow start it: sudo systemctl enable --now vestibule-kiosk, or npx vestibule kiosk run --data '${options.data}'${sameOptions(options)}\n`
          : '\nStopped. The next start goes on here.\n',
      );
    });
}
