/** A gateway whose disk is lost with a day's events on it: brought back from a backup, it has them again, each once. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { dataPaths } from '../../cli/data-paths.ts';
import { makeBackup } from '../../cli/make-backup.ts';
import { restoreData } from '../../cli/restore-data.ts';
import { Accounts } from '../../gateway/accounts.ts';
import { copyRevocations, setSecondPlace } from '../../gateway/backup/revocation-file.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import type { Registry } from '../../gateway/registry.ts';
import { openRegistry } from '../../gateway/status.ts';
import { generateRecipient } from '../../protocol/hpke.ts';
import type { RunningKiosk } from '../kiosk/running-kiosk.ts';
import { Candidate, DAY_MS, enrolmentCodeOf, giveCode } from '../support/enrolling.ts';
import { cardOf, promisedBy, Road } from './road.ts';

const { recipient, privateKey } = await generateRecipient();

const namesOf = (rows: readonly { readonly name: string }[]): string[] => rows.map(({ name }) => name).toSorted();

async function scanMany(kiosk: RunningKiosk, road: Road, from: number, to: number): Promise<void> {
  for (let card = from; card < to; card++) await kiosk.scan(road.textOf(cardOf(card)));
}

const backupOf = (road: Road, to: string) =>
  makeBackup(dataPaths(road.data), { to, lockings: [{ kind: 'key', recipient }], nowMs: road.clock.wall() });

/** Gateway and core are gone with their disk, and come back as the backup has them. */
async function loseAndRestore(road: Road, from: string, revocations?: string) {
  await road.stopGateway();
  const paths = dataPaths(road.data);
  for (const path of [paths.gateway, paths.core]) rmSync(path, { recursive: true });
  const to = join(road.dirOf('elsewhere'), 'restored');
  const restored = await restoreData(from, { kind: 'key', privateKey }, to, { clock: road.clock, ...(revocations && { revocations }) });
  for (const name of ['gateway', 'core']) renameSync(join(to, name), join(road.data, name));
  await road.startGateway();
  return restored;
}

t.test('restore: what came in the day since the backup is sent again by the kiosks, and counts once', async (t) => {
  const road = await Road.open(t);
  for (const name of ['a', 'b']) await road.admit(name);
  const [a, b] = [await road.startKiosk('a'), await road.startKiosk('b')];
  await scanMany(a, road, 0, 20);
  await scanMany(b, road, 100, 110);
  for (const name of ['a', 'b']) await road.delivered(name);
  const backup = join(road.dirOf('elsewhere'), 'day.backup');
  await backupOf(road, backup);
  road.clock.pass(DAY_MS);
  await scanMany(a, road, 20, 60);
  await scanMany(b, road, 110, 130);
  for (const name of ['a', 'b']) await road.delivered(name);
  const before = await road.state();
  t.equal(before.state, 'up');

  await loseAndRestore(road, backup);
  for (const name of ['a', 'b']) {
    await road.askedAgain(name);
    await road.delivered(name);
  }
  await road.state();
  const promised = [...promisedBy(a), ...promisedBy(b)].toSorted();
  const audit = await road.audit();
  t.equal(promised.length, 90);
  const scans = audit.rows.filter(({ event }) => event.type === 'check-in');
  t.strictSame(namesOf(scans), promised, 'all in the ledger, once');
  t.strictSame(namesOf(audit.scans), promised, 'all in the core, once');
  t.equal(audit.quarantined, 0);
});

async function inRegistry<T>(road: Road, use: (registry: Registry) => T): Promise<T> {
  const registry = await openRegistry(road.gatewayDir);
  try {
    return use(registry);
  } finally {
    registry.close();
  }
}

/** Of a backup that is a day old: a kiosk revoked, one admitted, a code used, a card lost, an account taken away since. */
async function dayOfChanges(road: Road) {
  const elsewhere = road.dirOf('elsewhere');
  const { storeKey } = await openIdentity(road.gatewayDir);
  const accounts = new Accounts(gatewayPaths(road.gatewayDir).accounts, storeKey);
  await accounts.add('ann', 'manager', 'correct horse battery', road.clock.wall());
  await accounts.add('ben', 'manager', 'correct horse battery', road.clock.wall());
  for (const name of ['a', 'b']) await road.admit(name);
  const [a, b] = [await road.startKiosk('a'), await road.startKiosk('b')];
  await scanMany(a, road, 0, 5);
  await road.delivered('a');
  const [code, open] = [
    await giveCode(road.gatewayDir, road, road.clock.wall(), 2 * DAY_MS),
    await giveCode(road.gatewayDir, road, road.clock.wall(), 2 * DAY_MS),
  ];
  setSecondPlace(road.gatewayDir, join(elsewhere, 'second'));
  const backup = join(elsewhere, 'day.backup');
  await backupOf(road, backup);
  road.clock.pass(DAY_MS);
  const enrolled = new Candidate();
  await enrolled.enrol(enrolmentCodeOf(code));
  await road.admit('c');
  const c = await road.startKiosk('c');
  await scanMany(c, road, 5, 10);
  await road.delivered('c');
  await inRegistry(road, (registry) => {
    registry.revoke(b.ready.kiosk, road.clock.wall());
    registry.lostList.add([cardOf(77)], road.clock.wall());
  });
  accounts.remove('ben', road.clock.wall());
  await accounts.add('ann', 'read-only', 'another horse battery', road.clock.wall());
  const sessionOfAnn = accounts.openSession('ann', road.clock.wall());
  accounts.close();
  const revocations = await copyRevocations(road.gatewayDir, storeKey);
  return {
    a,
    b,
    c,
    enrolled,
    code: enrolmentCodeOf(code),
    open: enrolmentCodeOf(open),
    backup,
    revocations: revocations ?? '',
    sessionOfAnn,
  };
}

t.test('restore: what was revoked, lost, used and taken away since the backup stays so, and who came since may come', async (t) => {
  const road = await Road.open(t);
  const { a, b, c, enrolled, code, open, backup, revocations } = await dayOfChanges(road);
  await loseAndRestore(road, backup, revocations);
  await road.askedAgain('c');
  await road.delivered('c');
  await inRegistry(road, (registry) => {
    t.type(registry.kiosk(b.ready.kiosk)?.revokedAtMs, 'number', 'the revoked kiosk stays revoked');
    t.equal(registry.kiosk(c.ready.kiosk)?.revokedAtMs, undefined, 'one that was admitted since is admitted');
    t.ok(registry.kiosk(enrolled.kiosk), 'one that enrolled since is, too');
    t.ok(registry.lostList.has(cardOf(77)), 'the card is still lost');
  });
  await t.rejects(new Candidate().enrol(code), { code: 'enrol.used' }, 'a used code makes no second kiosk');
  t.equal((await enrolled.enrol(code)).kiosk, enrolled.kiosk, 'and gives the first its papers again');
  t.ok(await new Candidate().enrol(open), 'a code that nobody used is good');
  const { storeKey } = await openIdentity(road.gatewayDir);
  const accounts = new Accounts(gatewayPaths(road.gatewayDir).accounts, storeKey);
  t.strictSame(
    accounts.list().map(({ name, role }) => `${name} ${role}`),
    ['ann read-only'],
  );
  t.equal(await accounts.personOf('ann', 'correct horse battery'), undefined, 'the password of before is none');
  t.ok(await accounts.personOf('ann', 'another horse battery'));
  accounts.close();
  const promised = [...promisedBy(a), ...promisedBy(c)].toSorted();
  const audit = await road.audit();
  t.strictSame(namesOf(audit.rows.filter(({ event }) => event.type === 'check-in')), promised);
});

t.test('restore: without the log of revocations no code of before is good any more, and it says so', async (t) => {
  const road = await Road.open(t);
  const { code, open, backup } = await dayOfChanges(road);
  const { replayed } = await loseAndRestore(road, backup);
  t.match(replayed, { changes: undefined, withdrawnCodes: 2 });
  for (const one of [code, open]) await t.rejects(new Candidate().enrol(one), { code: 'enrol.withdrawn' });
});

t.test(
  'restore: a log of revocations that was altered, cut short of the backup, or is of another gateway is refused, and nothing restored',
  async (t) => {
    const road = await Road.open(t);
    await road.admit('a');
    const { storeKey } = await openIdentity(road.gatewayDir);
    setSecondPlace(road.gatewayDir, road.dirOf('second'));
    const path = (await copyRevocations(road.gatewayDir, storeKey)) ?? '';
    const backup = join(road.dirOf('elsewhere'), 'day.backup');
    await backupOf(road, backup);
    await inRegistry(road, (registry) => registry.lostList.add([cardOf(1), cardOf(2), cardOf(3)], road.clock.wall()));
    await copyRevocations(road.gatewayDir, storeKey);
    const lines = readFileSync(path, 'latin1').split('\n');
    t.equal(lines.length, 5);
    const to = join(road.dirOf('elsewhere'), 'restored');
    const altered = join(road.dirOf('elsewhere'), 'altered');
    const restore = (text: string) => {
      writeFileSync(altered, text);
      return restoreData(backup, { kind: 'key', privateKey }, to, { clock: road.clock, revocations: altered });
    };
    const [first = '', second = '', third = '', fourth = ''] = lines;
    const flipped = `${second.slice(0, 40)}${second[40] === 'A' ? 'B' : 'A'}${second.slice(41)}`;
    for (const text of [
      [first, flipped, third, ''],
      [first, third, second, ''],
      [first, third, fourth, ''],
      [second, third, ''],
      [''],
      ['not a log', ''],
    ])
      await t.rejects(restore(text.join('\n')), { code: 'backup.altered' }, `${text.length} lines`);
    t.notOk(existsSync(to));
    t.match(
      await restore([first, second, third.slice(0, 30)].join('\n')),
      { replayed: { changes: 1 } },
      'a line that was being written is none',
    );
  },
);
