/** The succession of the gateway's TLS key where the command line does it: after a restore, and against who would be left behind. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { retireAuthority } from '../../gateway/authority.ts';
import { RevocationLog, readChanges } from '../../gateway/backup/revocation-log.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { rotateTlsKey, strandedBy, succeedAfterRestore } from '../../gateway/rotate/rotate-tls.ts';
import { succeed } from '../../gateway/rotate/secrets.ts';
import { makeSuccessor, readSuccessor } from '../../gateway/rotate/tls-key.ts';
import { systemClock } from '../../protocol/time.ts';
import { VestibuleProcess } from '../support/child.ts';
import { giveCode } from '../support/enrolling.ts';
import { startTestGateway } from '../support/test-gateway.ts';

const changesIn = async (directory: string) => {
  const { storeKey } = await openIdentity(directory);
  const log = new RevocationLog(directory, storeKey);
  try {
    return readChanges(log.lines(), storeKey);
  } finally {
    log.close();
  }
};

t.test('rotate: a restored gateway makes a key beyond every one that it had since its backup, and none where it had none', async (t) => {
  const { directory, clock } = await startTestGateway(t);
  const keys = join(directory, 'keys');
  t.equal(await succeedAfterRestore(directory, [], clock.wall()), false);
  t.equal(readSuccessor(keys), undefined);
  await rotateTlsKey(directory, clock.wall());
  const before = readSuccessor(keys)?.generation ?? 0;
  t.equal(await succeedAfterRestore(directory, [before], clock.wall()), false, 'it is the one of the backup');
  const since = before + 1_000_000;
  t.equal(await succeedAfterRestore(directory, [before, since, before + 5], clock.wall()), true);
  const after = readSuccessor(keys);
  t.ok((after?.generation ?? 0) > since, 'kiosks that followed to the last one follow to this');
  t.match((await changesIn(directory)).at(-1), { kind: 'gateway-key', generation: after?.generation }, 'the next restore knows of it');
  t.equal(await succeedAfterRestore(directory, [since], clock.wall()), false, 'again it changes nothing');
});

t.test('rotate: the command names who would be left behind, and --force does it all the same and writes down whom', async (t) => {
  const gateway = await startTestGateway(t);
  const { directory, registry, venue, clock } = gateway;
  const data = dirname(directory);
  const [never, said] = [gateway.admit().kiosk, gateway.admit().kiosk];
  registry.pinBook.put([[said, 0]]);
  const { number } = await giveCode(directory, { venue }, systemClock.wall());
  t.strictSame(await strandedBy(directory, systemClock.wall()), { kiosks: [never], codes: [number] });
  const rotate = (...more: string[]) => VestibuleProcess.run(['gateway', 'rotate', 'tls', '--data', data, ...more]);
  await t.rejects(rotate(), new RegExp(`${never}.*enrol withdraw ${number}.*--force`, 's'));
  t.strictSame(
    readdirSync(join(directory, 'keys')).filter((name) => /^tls-/.test(name)),
    [],
    'nothing was made',
  );
  t.match(await rotate('--force'), /another key is made.*tls\.key/s);
  t.equal(readdirSync(join(directory, 'keys')).filter((name) => /^tls-/.test(name)).length, 1);
  const audit = await VestibuleProcess.run(['audit', 'list', '--data', data]);
  t.match(audit, /key\.rotate\s+tls\s+leaves 1 kiosk, 1 code behind/);
  // Those that stood in the way have gone.
  registry.revoke(never, clock.wall());
  await VestibuleProcess.run(['enrol', 'withdraw', String(number), '--data', data]);
  t.match(await rotate(), /another key is made/);
});

t.test('rotate: both keys one after the other, before one restart; the authority not twice', async (t) => {
  const { directory } = await startTestGateway(t);
  const rotate = (what: string) => VestibuleProcess.run(['gateway', 'rotate', what, '--data', dirname(directory)]);
  const said = await rotate('authority');
  const [, erased = ''] = /then erase (\S+)/.exec(said) ?? [];
  t.equal(erased, join(directory, 'keys', 'ca-1.key'), 'the key is named, not the certificate');
  t.ok(existsSync(erased), 'and lies there');
  t.match(await rotate('tls'), /another key is made/);
  await t.rejects(rotate('authority'), /put aside already; restart/);
});

t.test(
  'rotate: secrets that are succeeded are gone by from the next start on; a damaged one is named; the first may go when another is there',
  async (t) => {
    const { directory, clock } = await startTestGateway(t);
    const keys = join(directory, 'keys');
    const before = await openIdentity(directory);
    const nowMs = clock.wall();
    t.strictSame(await succeed(keys, 'names', nowMs), ['index-pseudonym.key', 'operator-pseudonym.key']);
    t.strictSame(await succeed(keys, 'recipient', nowMs), ['recipient.key']);
    const [second] = (await openIdentity(directory)).holders;
    // In the same second.
    t.equal((await succeed(keys, 'recipient', nowMs)).length, 2);
    const after = await openIdentity(directory);
    t.strictSame(after.holders.slice(1), [second, before.holders[0]], 'newest first');
    t.notSame(after.indexPseudonymKey, before.indexPseudonymKey);
    t.notSame(after.operatorPseudonymKey, before.operatorPseudonymKey);
    t.strictSame(after.storeKey, before.storeKey);
    for (const name of ['recipient.key', 'index-pseudonym.key', 'operator-pseudonym.key']) rmSync(join(keys, name));
    const left = await openIdentity(directory);
    t.strictSame(left.holders, after.holders.slice(0, 2));
    t.strictSame(left.indexPseudonymKey, after.indexPseudonymKey);
    const [newest = ''] = readdirSync(keys)
      .filter((name) => /^recipient-/.test(name))
      .toSorted()
      .reverse();
    writeFileSync(join(keys, newest), 'short');
    await t.rejects(openIdentity(directory), { code: 'config.invalid', message: new RegExp(`${newest}: 5 of 32 bytes`) });
  },
);

t.test('rotate: the commands for recipient and names say what is to be done, and are in the audit log', async (t) => {
  const { directory } = await startTestGateway(t);
  const data = dirname(directory);
  const rotate = (what: string) => VestibuleProcess.run(['gateway', 'rotate', what, '--data', data]);
  t.match(await rotate('recipient'), /Make a backup now.*restart the gateway.*keep \S+recipient\.key/s);
  t.match(await rotate('names'), /restart the gateway, then erase \S+index-pseudonym\.key, \S+operator-pseudonym\.key/);
  t.match(await VestibuleProcess.run(['audit', 'list', '--data', data]), /key\.rotate\s+recipient[\s\S]*key\.rotate\s+names/);
});

t.test('rotate: an authority that is put aside takes no other’s name, and what was cut short is finished', async (t) => {
  const keys = t.testdir({ 'ca.key': 'first', 'ca.crt': 'of first' });
  const content = (name: string) => readFileSync(join(keys, name), 'utf8');
  t.equal(retireAuthority(keys), 'ca-1.crt');
  rmSync(join(keys, 'ca-1.key'));
  for (const name of ['ca.key', 'ca.crt']) writeFileSync(join(keys, name), `second ${name}`);
  t.equal(retireAuthority(keys), 'ca-2.crt');
  t.strictSame(['ca-1.crt', 'ca-2.key', 'ca-2.crt'].map(content), ['of first', 'second ca.key', 'second ca.crt']);
  writeFileSync(join(keys, 'ca-3.key'), 'third');
  writeFileSync(join(keys, 'ca.crt'), 'of third');
  t.equal(retireAuthority(keys), 'ca-3.crt');
  t.equal(content('ca-3.crt'), 'of third');
});

t.test('rotate: a disk that refuses is a StoreError, not a fault of the program', async (t) => {
  const { directory, clock } = await startTestGateway(t);
  const identity = await openIdentity(directory);
  const none = join(t.testdir(), 'none');
  await t.rejects(succeed(none, 'recipient', clock.wall()), { code: 'store.failed' });
  await t.rejects(
    makeSuccessor(none, identity, clock.wall(), () => {}),
    { code: 'store.failed' },
  );
  t.throws(() => retireAuthority(none), { code: 'store.failed' });
});
