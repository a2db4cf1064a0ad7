import { execFile } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { openIssuer } from '../../cards/issuer.ts';
import { rawPublicKey, rawSeed } from '../../protocol/ed25519.ts';
import { type DeploymentId, isPlaceId, newPlaceId } from '../../protocol/ids.ts';

const run = promisify(execFile);

t.test('issuer: the first use makes key and deployment, later ones find them', (t) => {
  const path = join(t.testdir(), 'data', 'issuer');
  const first = openIssuer(path);
  const again = openIssuer(path);
  t.equal(first.isNew, true);
  t.equal(again.isNew, false);
  t.ok(isPlaceId(first.deployment));
  t.equal(again.deployment, first.deployment);
  t.same(again.publicKey, first.publicKey);
  t.same(rawPublicKey(again.privateKey), first.publicKey);
  t.equal(statSync(path).mode & 0o777, 0o700);
  t.equal(statSync(join(path, 'issuer.key')).mode & 0o777, 0o600);
  t.same(readFileSync(join(path, 'issuer.key')), Buffer.from(rawSeed(first.privateKey)));
  t.strictSame(JSON.parse(readFileSync(join(path, 'issuer.json'), 'utf8')), {
    deployment: first.deployment,
    publicKey: Buffer.from(first.publicKey).toString('base64url'),
  });
  t.strictSame(readdirSync(join(path, '..')), ['issuer'], 'no draft is left');
  t.end();
});

t.test('issuer: an existing deployment is taken, and another one refused', (t) => {
  const path = join(t.testdir(), 'issuer');
  const deployment = newPlaceId<DeploymentId>();
  t.equal(openIssuer(path, { deployment }).deployment, deployment);
  t.equal(openIssuer(path).deployment, deployment);
  t.throws(() => openIssuer(path, { deployment: newPlaceId<DeploymentId>() }), { code: 'config.invalid', message: /are for deployment/ });
  t.end();
});

t.test('issuer: an empty directory is filled, one with other files left alone', (t) => {
  const dir = t.testdir({ empty: {}, full: { 'notes.txt': 'x' } });
  t.ok(openIssuer(join(dir, 'empty')).isNew);
  t.throws(() => openIssuer(join(dir, 'full')), { code: 'config.invalid', message: /other files and no issuer/ });
  t.strictSame(readdirSync(join(dir, 'full')), ['notes.txt']);
  t.strictSame(readdirSync(dir).sort(), ['empty', 'full']);
  t.end();
});

t.test('issuer: what is half there, damaged or open to others is refused, never made anew', (t) => {
  const damage: Record<string, { harm: (path: string) => void; message: RegExp }> = {
    'key gone': { harm: (path) => rmSync(join(path, 'issuer.key')), message: /issuer\.key: missing/ },
    'public part gone': { harm: (path) => rmSync(join(path, 'issuer.json')), message: /issuer\.json: missing/ },
    'key cut': { harm: (path) => writeFileSync(join(path, 'issuer.key'), new Uint8Array(31)), message: /31 of 32 bytes/ },
    'another key': { harm: (path) => writeFileSync(join(path, 'issuer.key'), new Uint8Array(32)), message: /do not belong together/ },
    'not JSON': { harm: (path) => writeFileSync(join(path, 'issuer.json'), '{'), message: /issuer\.json/ },
    'no deployment': {
      harm: (path) => writeFileSync(join(path, 'issuer.json'), '{"deployment":"X","publicKey":""}'),
      message: /deployment/,
    },
    'readable by the group': { harm: (path) => chmodSync(join(path, 'issuer.key'), 0o640), message: /mode 640 of at most 600/ },
  };
  for (const [name, { harm, message }] of Object.entries(damage)) {
    const path = join(t.testdir(), 'issuer');
    const { privateKey } = openIssuer(path);
    harm(path);
    const files = readdirSync(path);
    let told = '';
    t.throws(
      () => {
        try {
          openIssuer(path);
        } catch (error) {
          told = String(error);
          throw error;
        }
      },
      { code: 'config.invalid', message },
      name,
    );
    const seed = Buffer.from(rawSeed(privateKey));
    t.notOk(
      [seed.toString('hex'), seed.toString('base64url')].some((secret) => told.includes(secret)),
      'the key is not told',
    );
    t.strictSame(readdirSync(path), files, 'nothing is made');
    rmSync(path, { recursive: true });
  }
  t.end();
});

t.test('issuer: several processes that start at once end with one and the same', async (t) => {
  const path = join(t.testdir(), 'issuer');
  const script = `
    const { openIssuer } = await import(process.argv[1]);
    const issuer = openIssuer(process.argv[2]);
    console.log(issuer.isNew, issuer.deployment, Buffer.from(issuer.publicKey).toString('hex'));
  `;
  const module = new URL('../../cards/issuer.ts', import.meta.url).href;
  const told = await Promise.all(
    Array.from({ length: 4 }, async () => (await run(process.execPath, ['--input-type=module', '-e', script, module, path])).stdout.trim()),
  );
  t.equal(told.filter((line) => line.startsWith('true')).length, 1, 'one of them made it');
  t.equal(new Set(told.map((line) => line.replace(/^\w+ /, ''))).size, 1);
  t.strictSame(readdirSync(join(path, '..')), ['issuer'], 'the drafts of the others are gone');
});
