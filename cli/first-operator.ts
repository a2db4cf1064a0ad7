/** Whether anybody can log in yet: said at each start until somebody can, for nothing has a default password. */
import { Accounts } from '../gateway/accounts.ts';
import { gatewayPaths } from '../gateway/paths.ts';
import { type DataPaths, dataPaths, gatewayIdentity } from './data-paths.ts';
import { COMMAND } from './version.ts';

/** @returns what to say; `undefined` where a person has an account. @throws ConfigError, StoreError as openIdentity and openDatabase do. */
export async function firstOperatorHint(paths: DataPaths): Promise<string | undefined> {
  const { storeKey } = await gatewayIdentity(paths);
  const accounts = new Accounts(gatewayPaths(paths.gateway).accounts, storeKey);
  try {
    if (accounts.list().some(({ kind }) => kind === 'person')) return undefined;
  } finally {
    accounts.close();
  }
  const where = paths.root === dataPaths('./data').root ? '' : ` --data '${paths.root}'`;
  return `nobody has a password yet: ${COMMAND} operator add ann --role manager${where}`;
}
