/** `vestibule kiosk`: runs one kiosk, and tells who it is. */
import { existsSync, mkdirSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { parseConfig } from '../kiosk/config.ts';
import { openIdentity } from '../kiosk/kiosk-identity.ts';
import { isEnrolled } from '../kiosk/papers.ts';
import { type KioskReady, runKiosk } from '../kiosk/run-kiosk.ts';
import { ConfigError } from '../protocol/errors.ts';
import { dataPaths } from './data-paths.ts';
import { kioskDoors } from './kiosk-doors.ts';
import { kioskEnrolCommand } from './kiosk-enrol-command.ts';
import { kioskResetCommand } from './kiosk-reset-command.ts';
import { type RunOptions, settingsOf } from './kiosk-settings.ts';
import { kioskSetupCommand } from './kiosk-setup-command.ts';
import { kioskUpdateCommand } from './kiosk-update-command.ts';
import { LEVELS } from './log.ts';
import { raisePriority } from './priority.ts';
import { untilStopped } from './stopping.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const data = ['--data <dir>', 'data directory; the kiosk is in its "kiosk" folder', './data'] as const;

const RUN_HELP = `
A kiosk that has not enrolled waits for the code on its label: scan it with its own scanner. Without --scanner, every USB serial scanner that is plugged in is used, and a scanner that types may type into this
terminal or into the page. Scans are taken with or without the gateway; what is kept waits for it.`;

const KEY_HELP = `
The file is public: it is carried to the gateway, whose "vestibule gateway admit" takes it. The key itself never leaves
the kiosk. The gateway's trust.json is carried here and given with --trust.`;

export function kioskCommand(): Command {
  const kiosk = new Command('kiosk').description('check visitors in and out at one door');

  kiosk
    .command('run')
    .description('run the kiosk until stopped')
    .option(...data)
    .option('--config <file>', 'JSON settings (docs/technician.md lists them)')
    .option('--trust <file>', "the gateway's trust.json, for a kiosk that is admitted by its key")
    .addOption(new Option('--direction <door>', 'what the door is for').choices(['in', 'out', 'both']))
    .option('--scanner <port...>', 'serial scanners, such as /dev/serial/by-id/usb-...')
    .option('--thermometer <port>', 'a GY-MCU90614 on a serial port')
    .option('--page-port <port>', 'of the page on this machine')
    .option('--no-page', 'no page')
    .addOption(new Option('--output <form>', 'for people or for programs').choices(['text', 'json']).default('text'))
    .addOption(new Option('--log <level>', 'least level of log lines on standard error').choices(LEVELS).default('warn'))
    .addHelpText('after', RUN_HELP)
    .action(async (options: RunOptions) => {
      const signal = untilStopped();
      const readConfig = () => parseConfig(settingsOf(options));
      const config = readConfig();
      if (config.trustPath !== undefined && !existsSync(config.trustPath) && !isEnrolled(config.dataDir))
        throw new ConfigError(
          'config.invalid',
          `${config.trustPath}: is not there (carry the gateway's trust.json here, or leave --trust out and enrol with a code)`,
        );
      const doors = kioskDoors(options.output, options.log, signal, ({ kiosk, pageUrl }) =>
        say(`kiosk ${kiosk} ready${pageUrl === undefined ? '' : `: ${pageUrl}`}`),
      );
      const onReady = (ready: KioskReady) => {
        doors.onReady?.(ready);
        void raisePriority(process.pid).then((isRaised) => doors.log.info('kiosk.priority', { isRaised }));
        // A kiosk ends by its plug: what the next start is to find is kept now.
        flushCompileCache();
      };
      await runKiosk(config, { ...doors, onReady, readConfig }, signal);
    });

  kiosk
    .command('key')
    .description("make this kiosk's key if it has none, and show the file by which a gateway admits it")
    .option(...data)
    .addHelpText('after', KEY_HELP)
    .action((options: { data: string }) => {
      const dir = dataPaths(options.data).kiosk;
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      say(`kiosk ${openIdentity(dir).kiosk}: ${join(dir, 'kiosk.json')}`);
    });

  kiosk.addCommand(kioskEnrolCommand());
  kiosk.addCommand(kioskSetupCommand());
  kiosk.addCommand(kioskResetCommand());
  kiosk.addCommand(kioskUpdateCommand());
  return kiosk;
}
