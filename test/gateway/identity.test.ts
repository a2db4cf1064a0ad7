import { chmodSync, existsSync, linkSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { replaceFile, writeOnce } from '../../disk/files.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { rawKeyOfCertificate } from '../../protocol/certificate.ts';
import { rawPublicKey } from '../../protocol/ed25519.ts';

const bytesIn = (directory: string) =>
  new Map(
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path, readFileSync(path, 'hex')]),
  );

t.test('identity: the first start makes every key, the next finds them', async (t) => {
  const directory = join(t.testdir(), 'gateway');
  const first = await openIdentity(directory);
  const files = bytesIn(directory);
  const second = await openIdentity(directory);
  t.strictSame(bytesIn(directory), files);
  t.equal(second.deployment, first.deployment);
  t.strictSame(second.recipient, first.recipient);
  t.strictSame(rawPublicKey(second.receiptKey), rawPublicKey(first.receiptKey));
  t.equal(second.tls.certificatePem, first.tls.certificatePem);
  t.equal(rawKeyOfCertificate(first.tls.certificatePem).length, 32);
  const secrets = [first.storeKey, first.indexPseudonymKey, first.operatorPseudonymKey, first.holders[0]?.privateKey ?? new Uint8Array()];
  t.equal(new Set(secrets.map((key) => Buffer.from(key).toString('hex'))).size, 4, 'no key serves two ends');
});

t.test('identity: two processes that start together are one gateway', async (t) => {
  const directory = join(t.testdir(), 'gateway');
  const [one, two] = await Promise.all([openIdentity(directory), openIdentity(directory)]);
  t.equal(one.deployment, two.deployment);
  t.strictSame(one.storeKey, two.storeKey);
  t.equal(one.tls.certificatePem, two.tls.certificatePem);
});

t.test('identity: only the owner reads it', async (t) => {
  const directory = join(t.testdir(), 'gateway');
  await openIdentity(directory);
  t.equal(statSync(directory).mode & 0o777, 0o700);
  t.equal(statSync(join(directory, 'keys')).mode & 0o777, 0o700);
  for (const path of bytesIn(directory).keys()) t.equal(statSync(path).mode & 0o777, 0o600, path);
  chmodSync(join(directory, 'keys', 'store.key'), 0o640);
  await t.rejects(openIdentity(directory), { code: 'config.invalid', message: /store\.key.*others may read/ });
});

t.test('identity: a start that was cut short at any point is completed, and what is there stays', async (t) => {
  const inOrder = [
    ...['tls.key', 'tls.crt', 'recipient.key', 'receipt.key', 'deployment', 'store.key', 'index-pseudonym.key', 'operator-pseudonym.key'],
    ...['../operator.txt', 'operator.hash'],
  ];
  for (let made = 0; made <= inOrder.length; made++) {
    const directory = join(t.testdir(), `gateway-${made}`);
    await openIdentity(directory);
    t.equal(bytesIn(directory).size, inOrder.length);
    for (const name of inOrder.slice(made)) rmSync(join(directory, 'keys', name));
    const left = bytesIn(directory);
    await openIdentity(directory);
    const whole = bytesIn(directory);
    t.equal(whole.size, inOrder.length);
    for (const [path, bytes] of left) t.equal(whole.get(path), bytes, path);
  }
});

t.test('identity: a key has no other name that a kill left, and one that is written just now is let be', async (t) => {
  const directory = join(t.testdir(), 'gateway');
  await openIdentity(directory);
  const keys = join(directory, 'keys');
  const [left, written] = [join(keys, '.recipient.key.000000000000.draft'), join(keys, '.recipient-1.key.000000000000.draft')];
  linkSync(join(keys, 'recipient.key'), left);
  writeFileSync(written, '', { mode: 0o600 });
  await openIdentity(directory);
  t.strictSame([left, written].map(existsSync), [false, true]);
  t.equal(statSync(join(keys, 'recipient.key')).nlink, 1);
});

t.test('identity: a key that is lost from under stores is a fault, not a reason to make another', async (t) => {
  for (const name of ['recipient.key', 'deployment', 'tls.crt', 'index-pseudonym.key', 'store.key']) {
    const directory = join(t.testdir(), `gateway-of-${name}`);
    await openIdentity(directory);
    writeFileSync(join(directory, 'registry.db'), '');
    rmSync(join(directory, 'keys', name));
    const left = bytesIn(directory);
    await t.rejects(openIdentity(directory), { code: 'config.invalid', message: new RegExp(`${name}: is gone.*backup`) });
    t.strictSame(bytesIn(directory), left);
  }
});

t.test('identity: half a TLS key is a fault that names its file', async (t) => {
  const directory = join(t.testdir(), 'gateway');
  await openIdentity(directory);
  for (const name of ['tls.crt', 'tls.key']) {
    const path = join(directory, 'keys', name);
    const whole = readFileSync(path);
    writeFileSync(path, whole.subarray(0, whole.length / 2));
    await t.rejects(openIdentity(directory), { code: 'config.invalid', message: /tls\.(key|crt)/ });
    writeFileSync(path, whole);
  }
});

t.test('identity: a certificate that is not of the key is a fault', async (t) => {
  const directory = join(t.testdir(), 'gateway');
  await openIdentity(directory);
  rmSync(join(directory, 'keys', 'tls.key'));
  await t.rejects(openIdentity(directory), { code: 'config.invalid', message: /tls\.crt: the certificate is not of the key/ });
});

t.test('identity: a key file of the wrong length is a fault, not a reason to make a key', async (t) => {
  const directory = join(t.testdir(), 'gateway');
  await openIdentity(directory);
  const path = join(directory, 'keys', 'recipient.key');
  writeFileSync(path, 'short');
  await t.rejects(openIdentity(directory), { code: 'config.invalid', message: /recipient\.key: 5 of 32 bytes/ });
  t.equal(readFileSync(path, 'utf8'), 'short');
});

t.test('operator account: the secret is random, opens the account, and is not needed again', async (t) => {
  const directory = join(t.testdir(), 'gateway');
  const { operator } = await openIdentity(directory);
  const text = readFileSync(join(directory, 'operator.txt'), 'utf8');
  const secret = Buffer.from(text.trim());
  t.equal(secret.length, 32);
  t.equal(await operator.isAllowed('operator', secret), true);
  t.equal(await operator.isAllowed('operator', secret.subarray(1)), false);
  t.equal(await operator.isAllowed('operator', undefined), false);
  t.equal(await operator.isAllowed(undefined, secret), false);
  t.equal(await operator.isAllowed('operator', Buffer.alloc(1_000_000)), false);
  t.notMatch(readFileSync(join(directory, 'keys', 'operator.hash'), 'latin1'), secret.toString());
  rmSync(join(directory, 'operator.txt'));
  t.equal(await (await openIdentity(directory)).operator.isAllowed('operator', secret), true);
});

t.test('operator account: guesses wait for each other, not the whole process for them; who hung up is passed over', async (t) => {
  const { operator } = await openIdentity(join(t.testdir(), 'gateway'));
  let answered = 0;
  const guesses = Array.from({ length: 12 }, async (_, guess) => {
    await operator.isAllowed('operator', Buffer.from(`guess ${guess}`));
    answered += 1;
  });
  // On the same few threads as every guess: a kiosk's content key is opened there.
  await crypto.subtle.digest('SHA-256', new Uint8Array(32));
  t.ok(answered < 4, `${answered} guesses came first`);
  const gone = await Promise.all(
    Array.from({ length: 1_000 }, () => operator.isAllowed('operator', Buffer.from('gone'), AbortSignal.abort())),
  );
  t.strictSame(new Set(gone), new Set([false]));
  await Promise.all(guesses);
});

t.test('key files: writeOnce never writes over, replaceFile does, neither leaves a draft', async (t) => {
  const directory = t.testdir();
  const path = join(directory, 'a');
  writeOnce(path, Buffer.from('one'), 0o600);
  writeOnce(path, Buffer.from('two'), 0o600);
  t.equal(readFileSync(path, 'utf8'), 'one');
  replaceFile(path, Buffer.from('three'), 0o600);
  t.equal(readFileSync(path, 'utf8'), 'three');
  t.throws(() => replaceFile(join(directory, 'none', 'a'), Buffer.from('x'), 0o600), { code: 'store.failed' });
  t.strictSame(readdirSync(directory), ['a']);
});
