/** `vestibule operator`: who may look at the gateway, and who may act on it. Also while it runs. */
import { Command, Option } from 'commander';
import { type Account, Accounts, ROLES, type Role } from '../gateway/accounts.ts';
import { gatewayPaths } from '../gateway/paths.ts';
import { ConfigError } from '../protocol/errors.ts';
import { systemClock } from '../protocol/time.ts';
import { doDeed } from './audit-desk.ts';
import { dataPaths, gatewayIdentity, refuseNoGateway } from './data-paths.ts';
import { readNewPassword } from './password.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const data = ['--data <dir>', 'data directory of the gateway', './data'] as const;

const ADD_HELP = `
A password is asked for and not shown; from another program it is read from standard input, one line. 12 characters or more.
A program (Prometheus, a script) gets a token instead, shown once:
  vestibule operator add prometheus --program`;

interface AddOptions {
  readonly role?: Role;
  readonly program?: true;
  readonly changePassword?: true;
  readonly data: string;
}

/** An account that is there is changed by nobody who meant another one. @throws ConfigError `config.invalid`. */
function refuseMixedUp(name: string, known: Account | undefined, { program, changePassword, role }: AddOptions): void {
  const refuse = (why: string) => new ConfigError('config.invalid', `account ${name}: ${why}`);
  if (known === undefined) {
    if (changePassword) throw refuse('there is none');
    return;
  }
  if (!changePassword) throw refuse(`is there already (--change-password, or vestibule operator remove ${name})`);
  if (program && known.kind === 'person') throw refuse('is a person (vestibule operator remove takes it away)');
  if (role === 'manager' && known.kind === 'program') throw refuse('is a program; programs are read only');
}

export function operatorCommand(): Command {
  const operator = new Command('operator').description('who may look at the gateway, and who may act on it');

  operator
    .command('add')
    .argument('<name>', 'a-z, 0-9, ".", "_" and "-"')
    .description('add a person or a program; or change one that is there')
    .addOption(new Option('--role <role>', 'read-only looks; manager acts, too; read-only unless said').choices(ROLES))
    .option('--program', 'a program: read only, with a token in place of a password')
    .option('--change-password', 'of one that is there: a new password, or token; its role stays unless --role is given')
    .option(...data)
    .addHelpText('after', ADD_HELP)
    .action(async (name: string, options: AddOptions) => {
      if (options.program && options.role === 'manager') throw new ConfigError('config.invalid', '--program: programs are read only');
      await withAccounts(options.data, async (accounts) => {
        const nowMs = systemClock.wall();
        const known = accounts.list().find((account) => account.name === name);
        refuseMixedUp(name, known, options);
        if (options.program || known?.kind === 'program') {
          const deed = { action: 'operator.add', about: name, detail: 'program' };
          say(await doDeed(options.data, deed, async () => accounts.addProgram(name, nowMs)));
          return;
        }
        const role = options.role ?? known?.role ?? 'read-only';
        const password = await readNewPassword(`Password for ${name}: `);
        await doDeed(options.data, { action: 'operator.add', about: name, detail: role }, () => accounts.add(name, role, password, nowMs));
        say(known === undefined ? `${name} may log in (${role})` : `${name} has a new password (${role})`);
      });
    });

  operator
    .command('remove')
    .argument('<name>')
    .description('take an account away; its sessions end at once')
    .option(...data)
    .action(async (name: string, options: { data: string }) => {
      await withAccounts(options.data, async (accounts) => {
        await doDeed(options.data, { action: 'operator.remove', about: name, detail: '' }, async () => {
          if (!accounts.remove(name, systemClock.wall())) throw new ConfigError('config.invalid', `account ${name}: there is none`);
        });
        say(`removed ${name}`);
      });
    });

  operator
    .command('list')
    .description('show the accounts')
    .option(...data)
    .action(async (options: { data: string }) => {
      await withAccounts(options.data, async (accounts) => {
        const all = accounts.list();
        if (all.length === 0) say('nobody may log in yet');
        for (const { name, role, kind } of all) say(`${name}  ${role}${kind === 'program' ? '  program' : ''}`);
      });
    });

  return operator;
}

async function withAccounts(directory: string, use: (accounts: Accounts) => Promise<void>): Promise<void> {
  const paths = dataPaths(directory);
  refuseNoGateway(paths);
  const { storeKey } = await gatewayIdentity(paths);
  const accounts = new Accounts(gatewayPaths(paths.gateway).accounts, storeKey);
  try {
    await use(accounts);
  } finally {
    accounts.close();
  }
}
