/** The command line of Vestibule. Loads only the command that is asked for: a kiosk has no use for a PDF library. */
import { Command } from 'commander';
import { reportErrors } from './stopping.ts';
import { VERSION } from './version.ts';

const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  start: async () => (await import('./start-command.ts')).startCommand(),
  kiosk: async () => (await import('./kiosk-command.ts')).kioskCommand(),
  enrol: async () => (await import('./enrol-command.ts')).enrolCommand(),
  venue: async () => (await import('./venue-command.ts')).venueCommand(),
  clinician: async () => (await import('./clinician-command.ts')).clinicianCommand(),
  gateway: async () => (await import('./gateway-command.ts')).gatewayCommand(),
  cards: async () => {
    const [{ cardsCommand }, { deploymentIn }] = await Promise.all([import('../cards/command.ts'), import('./data-paths.ts')]);
    const cards = cardsCommand({ out: (line) => process.stdout.write(`${line}\n`), dataDir: './data', deploymentIn });
    for (const command of (await import('./lost-card-commands.ts')).lostCardCommands()) cards.addCommand(command);
    return cards;
  },
  package: async () => (await import('./package-command.ts')).packageCommand(),
  flash: async () => (await import('./flash-command.ts')).flashCommand(),
  doctor: async () => (await import('./doctor-command.ts')).doctorCommand(),
  identify: async () => (await import('./identify-command.ts')).identifyCommand(),
  status: async () => (await import('./status-command.ts')).statusCommand(),
  tail: async () => (await import('./tail-command.ts')).tailCommand(),
  quarantine: async () => (await import('./quarantine-command.ts')).quarantineCommand(),
  'log-level': async () => (await import('./log-level-command.ts')).logLevelCommand(),
  operator: async () => (await import('./operator-command.ts')).operatorCommand(),
  audit: async () => (await import('./audit-command.ts')).auditCommand(),
  rollout: async () => (await import('./rollout-command.ts')).rolloutCommand(),
  release: async () => (await import('./release-command.ts')).releaseCommand(),
  clock: async () => (await import('./clock-command.ts')).clockCommand(),
  core: async () => (await import('./core-command.ts')).coreCommand(),
  image: async () => (await import('./image-command.ts')).imageCommand(),
};

const program = new Command('vestibule')
  .description('Anonymous check-in for venues: kiosks at doors, the gateway behind them, the tracing core behind that.')
  .version(VERSION)
  .showHelpAfterError('(add --help for what there is)');

await reportErrors(async () => {
  const asked = COMMANDS[process.argv[2] ?? ''];
  // Help, and whatever is not a command, wants them all.
  for (const load of asked === undefined ? Object.values(COMMANDS) : [asked]) program.addCommand(await load());
  await program.parseAsync();
});
