import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Accounts } from '../../gateway/accounts.ts';
import type { EpochMillis } from '../../protocol/units.ts';

const KEY = new Uint8Array(32).fill(9);
const PASSWORD = 'correct horse battery';
const HOUR_MS = 3_600_000;
const at = (ms: number): EpochMillis => ms as EpochMillis;

t.test('accounts: there is none until one is added, and a password opens only its own', async (t) => {
  const accounts = new Accounts(join(t.testdir(), 'accounts.db'), KEY);
  t.strictSame(accounts.list(), []);
  t.equal(await accounts.personOf('ann', PASSWORD), undefined, 'nothing has a default password');
  await accounts.add('ann', 'manager', PASSWORD, at(1));
  await accounts.add('bob', 'read-only', 'another long password', at(2));
  t.match(await accounts.personOf('ann', PASSWORD), { name: 'ann', role: 'manager', kind: 'person' });
  t.equal(await accounts.personOf('bob', PASSWORD), undefined);
  t.equal(await accounts.personOf('ann', `${PASSWORD} `), undefined);
  t.equal(await accounts.personOf('ann', ''), undefined);
  t.equal(await accounts.personOf("ann' OR 1=1 --", PASSWORD), undefined);
  t.equal(accounts.waitingGuesses, 0, 'every guess was answered');
  accounts.close();
});

t.test('accounts: unfit names and passwords are refused with a word that tells why', async (t) => {
  const accounts = new Accounts(join(t.testdir(), 'accounts.db'), KEY);
  for (const name of ['', 'Ann', '1ann', 'a'.repeat(33), 'a b', '../x'])
    await t.rejects(accounts.add(name, 'manager', PASSWORD, at(1)), { code: 'config.invalid' });
  for (const password of ['short', 'eleven char', 'x'.repeat(257), 'my-name-is-ann'])
    await t.rejects(accounts.add('ann', 'manager', password, at(1)), { code: 'config.invalid' });
  accounts.close();
});

t.test('accounts: neither password nor token nor cookie lies in the file', async (t) => {
  const path = join(t.testdir(), 'accounts.db');
  const accounts = new Accounts(path, KEY);
  await accounts.add('ann', 'manager', PASSWORD, at(1));
  const token = accounts.addProgram('prometheus', at(1));
  const cookie = accounts.openSession('ann', at(1));
  accounts.close();
  const bytes = readFileSync(path).toString('latin1');
  for (const secret of [PASSWORD, token, cookie, 'ann', 'prometheus']) t.notOk(bytes.includes(secret));
});

t.test('accounts: a session ends after 12 hours without use, after 7 days, with its account, and when it is closed', async (t) => {
  const accounts = new Accounts(join(t.testdir(), 'accounts.db'), KEY);
  await accounts.add('ann', 'manager', PASSWORD, at(0));
  const idle = accounts.openSession('ann', at(0));
  t.ok(accounts.session(idle, at(12 * HOUR_MS)));
  t.equal(accounts.session(idle, at(25 * HOUR_MS)), undefined, 'idle');
  const used = accounts.openSession('ann', at(0));
  for (let hours = 0; hours <= 168; hours += 6) t.ok(accounts.session(used, at(hours * HOUR_MS)));
  t.equal(accounts.session(used, at(169 * HOUR_MS)), undefined, 'too old');
  const ahead = accounts.openSession('ann', at(365 * 24 * HOUR_MS));
  t.equal(accounts.session(ahead, at(0)), undefined, 'opened while the clock was a year ahead');
  const seenAhead = accounts.openSession('ann', at(0));
  t.ok(accounts.session(seenAhead, at(11 * HOUR_MS)));
  t.ok(accounts.session(seenAhead, at(0)), 'a clock that is set back');
  t.equal(accounts.session(seenAhead, at(13 * HOUR_MS)), undefined, 'is gone by from then on');
  const closed = accounts.openSession('ann', at(0));
  const other = accounts.openSession('ann', at(0));
  accounts.closeSession(closed);
  t.equal(accounts.session(closed, at(1)), undefined);
  t.not(accounts.session(other, at(1))?.csrf, undefined);
  t.ok(accounts.remove('ann', at(2)));
  t.equal(accounts.session(other, at(1)), undefined, 'gone with its account');
  t.notOk(accounts.remove('ann', at(2)));
  accounts.close();
});

t.test('accounts: another password ends the sessions that the old one opened', async (t) => {
  const accounts = new Accounts(join(t.testdir(), 'accounts.db'), KEY);
  await accounts.add('ann', 'manager', PASSWORD, at(0));
  const cookie = accounts.openSession('ann', at(0));
  await accounts.add('ann', 'read-only', 'another long password', at(1));
  t.equal(accounts.session(cookie, at(1)), undefined);
  t.equal(await accounts.personOf('ann', PASSWORD), undefined);
  t.match(await accounts.personOf('ann', 'another long password'), { role: 'read-only' });
  accounts.close();
});

t.test('accounts: of one account sixteen sessions are open at most', async (t) => {
  const accounts = new Accounts(join(t.testdir(), 'accounts.db'), KEY);
  await accounts.add('ann', 'manager', PASSWORD, at(0));
  const cookies = Array.from({ length: 17 }, (_, n) => accounts.openSession('ann', at(n)));
  t.equal(accounts.session(cookies[0]!, at(20)), undefined);
  t.ok(accounts.session(cookies[1]!, at(20)));
  accounts.close();
});

t.test('accounts: a program has a token and no password, and is read only', async (t) => {
  const accounts = new Accounts(join(t.testdir(), 'accounts.db'), KEY);
  const token = accounts.addProgram('prometheus', at(0));
  t.match(accounts.programOf(token), { name: 'prometheus', role: 'read-only', kind: 'program' });
  t.equal(accounts.programOf(`${token}x`), undefined);
  t.equal(await accounts.personOf('prometheus', token), undefined);
  accounts.addProgram('prometheus', at(1));
  t.equal(accounts.programOf(token), undefined, 'a new token takes the place of the old');
  accounts.close();
});
