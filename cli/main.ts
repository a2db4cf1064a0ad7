/** The command line of Vestibule. */
import { Command } from 'commander';
import { cardsCommand } from '../cards/command.ts';
import { coreCommand } from './core-command.ts';
import { deploymentIn } from './data-paths.ts';
import { gatewayCommand } from './gateway-command.ts';
import { kioskCommand } from './kiosk-command.ts';
import { VERSION } from './kiosk-doors.ts';
import { startCommand } from './start-command.ts';
import { reportErrors } from './stopping.ts';

const program = new Command('vestibule')
  .description('Anonymous check-in for venues: kiosks at doors, the gateway behind them, the tracing core behind that.')
  .version(VERSION)
  .showHelpAfterError('(add --help for what there is)')
  .addCommand(startCommand())
  .addCommand(kioskCommand())
  .addCommand(gatewayCommand())
  .addCommand(cardsCommand({ out: (line) => process.stdout.write(`${line}\n`), dataDir: './data', deploymentIn }))
  .addCommand(coreCommand());

await reportErrors(async () => {
  await program.parseAsync();
});
