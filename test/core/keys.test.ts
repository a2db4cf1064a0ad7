import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeCoreKeys, readCoreKeys } from '../../core/keys.ts';
import { recipientOf } from '../../protocol/hpke.ts';

const NAMES = ['core.key', 'pseudonym.key', 'recipient.key'];

t.test('keys: the first start makes them, for their owner only, and later starts read the same', async (t) => {
  const dir = join(t.testdir(), 'made/here');
  const keys = await makeCoreKeys(dir);
  t.equal(statSync(dir).mode & 0o777, 0o700);
  t.strictSame(readdirSync(dir).sort(), NAMES, 'and nothing is left beside them');
  for (const name of NAMES) {
    t.equal(statSync(join(dir, name)).mode & 0o777, 0o600, name);
    t.equal(statSync(join(dir, name)).size, 32, name);
  }
  t.strictSame(await makeCoreKeys(dir), keys);
  t.strictSame(await readCoreKeys(dir), keys);
  t.strictSame(keys.recipient, await recipientOf(keys.recipientPrivateKey));
  const distinct = new Set(NAMES.map((name) => readFileSync(join(dir, name), 'hex')));
  t.equal(distinct.size, 3);
});

t.test('keys: a start that was cut short is completed, and what is there stays', async (t) => {
  for (const kept of NAMES) {
    const dir = join(t.testdir(), kept);
    mkdirSync(dir);
    const bytes = Buffer.alloc(32, 0x42);
    writeFileSync(join(dir, kept), bytes);
    writeFileSync(join(dir, `${kept}.0badcafe.partial`), 'half');
    await makeCoreKeys(dir);
    t.strictSame(readdirSync(dir).sort(), NAMES);
    t.strictSame(readFileSync(join(dir, kept)), bytes);
  }
});

t.test('keys: one of another length is refused and stays as it is', async (t) => {
  const dir = t.testdir({ 'pseudonym.key': 'short' });
  await t.rejects(makeCoreKeys(dir), { name: 'ConfigError', code: 'config.invalid', message: 'core key pseudonym.key: 5 of 32 bytes' });
  t.equal(readFileSync(join(dir, 'pseudonym.key'), 'utf8'), 'short');
});

t.test('keys: reading makes none', async (t) => {
  const dir = t.testdir();
  await t.rejects(readCoreKeys(dir), { code: 'config.invalid', message: /recipient\.key.*started here/ });
  t.strictSame(readdirSync(dir), []);
});

t.test('keys: a directory that was open to others is closed', async (t) => {
  const dir = t.testdir();
  chmodSync(dir, 0o755);
  await makeCoreKeys(dir);
  t.equal(statSync(dir).mode & 0o777, 0o700);
});

t.test('keys: a lost one is made anew only where it was lost', async (t) => {
  const dir = t.testdir();
  const keys = await makeCoreKeys(dir);
  rmSync(join(dir, 'recipient.key'));
  const again = await makeCoreKeys(dir);
  t.strictSame([again.storeKey, again.pseudonymKey], [keys.storeKey, keys.pseudonymKey]);
  t.notSame(again.recipient, keys.recipient);
});
