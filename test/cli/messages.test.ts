/** What a command says when a person got something wrong: where, and what to do. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { dataPaths, readJsonFile } from '../../cli/data-paths.ts';
import { gatewayFinding } from '../../cli/doctor-road.ts';
import { firstOperatorHint } from '../../cli/first-operator.ts';
import { lockCore } from '../../core/lock.ts';
import { Accounts } from '../../gateway/accounts.ts';
import { parseGatewayConfig } from '../../gateway/config.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import type { EpochMillis } from '../../protocol/units.ts';

t.test('messages: a file that is no JSON is told with line and column, and nothing of what is in it', async (t) => {
  const path = join(t.testdir(), 'gateway.json');
  writeFileSync(path, '{\n  "publicHost": "secret",\n}\n');
  t.throws(() => readJsonFile(path), { code: 'config.invalid', message: `${path}: not JSON at line 3 column 1` });
});

t.test('messages: a second process on one directory is told which', async (t) => {
  const dir = t.testdir();
  const release = lockCore(dir);
  t.throws(() => lockCore(dir), { code: 'config.locked', message: new RegExp(`^${dir}: another process`) });
  release();
});

t.test('messages: a start says that nobody can log in, until somebody can', async (t) => {
  const paths = dataPaths(t.testdir());
  const { storeKey } = await openIdentity(paths.gateway);
  t.match(await firstOperatorHint(paths), /^nobody has a password yet: npx vestibule operator add/);
  const accounts = new Accounts(gatewayPaths(paths.gateway).accounts, storeKey);
  accounts.addProgram('prometheus', 0 as EpochMillis);
  t.type(await firstOperatorHint(paths), 'string', 'a program is nobody');
  await accounts.add('ann', 'manager', 'correct horse battery', 0 as EpochMillis);
  accounts.close();
  t.equal(await firstOperatorHint(paths), undefined);
});

t.test('messages: the doctor sends a revoked kiosk to the operator, and does not have it wait', async (t) => {
  const now = { isOnline: false, linkWhy: 'admission.revoked' } as Parameters<typeof gatewayFinding>[0];
  t.match(gatewayFinding(now), { state: 'wrong', says: /shut this kiosk out/, fix: [/waiting does not help/] });
});

t.test('messages: a setting that is almost one that there is says which', async (t) => {
  const settings = { directory: '/x', publicHost: 'gateway.example' };
  t.throws(() => parseGatewayConfig({ ...settings, limit: {} }), { code: 'config.invalid', message: /"limit".*did you mean "limits"\?/ });
  t.throws(() => parseGatewayConfig({ ...settings, colour: 1 }), { message: /"colour"$/ });
});
