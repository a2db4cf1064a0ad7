/** `vestibule core gateway` and `audit verify` as processes, beside a core that is served; and what its REST listener answers. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { dataPaths } from '../../cli/data-paths.ts';
import { AuditLog } from '../../core/audit.ts';
import { readCoreKeys } from '../../core/keys.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { generateRecipient } from '../../protocol/hpke.ts';
import { type DeploymentId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { formatTrust } from '../../protocol/trust.ts';
import { askRest } from '../support/ask-rest.ts';
import { VestibuleProcess } from '../support/child.ts';

t.test('core gateway: one is let in beside the running core, listed and taken out; audit verify finds what was changed', async (t) => {
  const directory = t.testdir();
  const trust = join(directory, 'trust.json');
  const { recipient } = await generateRecipient();
  const gateway = { host: '127.0.0.1', port: 1, certificatePem: '-' };
  const receiptKey = rawPublicKey(generateSigningKey());
  const deployment = newPlaceId<DeploymentId>();
  writeFileSync(trust, formatTrust({ deployment, gateway, receiptKey, recipients: [recipient], issuers: [], mayTakeUnsigned: false }));
  const args = ['core', 'serve', '--listen', '127.0.0.1', '--port', '0', '--rest-port', '0', '--data', directory, '--trust', trust];
  const served = new VestibuleProcess(args);
  t.teardown(() => served.end('SIGKILL'));
  const port = Number(/:(\d+)$/.exec(await served.line((line) => line.startsWith('rest: ')))?.[1]);
  const run = async (...more: string[]): Promise<{ code: number | string; written: string }> => {
    const child = new VestibuleProcess([...more, '--data', directory]);
    return { code: await child.ended(), written: child.written };
  };
  const other = newPlaceId<DeploymentId>();
  const added = await run('core', 'gateway', 'add', 'south', '--deployment', other, '--region', 'South');
  t.match(added, { code: 0 }, added.written);
  const token = /^[\w-]{43}$/m.exec(added.written)?.[0] ?? '';
  t.match(added.written, /Shown this once/);
  t.equal(token.length, 43);
  const listed = (await run('core', 'gateway', 'list')).written;
  t.match(listed, /first {2}deployment/);
  t.match(listed, new RegExp(`south {2}deployment ${other} {2}South {2}0 kiosks`));
  t.notMatch(listed, token);
  const venue = newPlaceId<VenueId>();
  t.match(await run('core', 'gateway', 'venue', 'south', venue), { code: 0, written: /one venue is listed for south/ });
  t.match((await run('core', 'gateway', 'list')).written, /0 kiosks, 1 venue,/);
  t.match(await run('core', 'gateway', 'venue', 'nobody', venue), { code: 78 });
  t.match(await askRest({ port, path: '/core/1/status', token, purpose: 'operation' }), { status: 403 }, 'known, and no administrator');
  t.match(await run('core', 'gateway', 'remove', 'south'), { code: 0 });
  t.match(await askRest({ port, path: '/core/1/status', token, purpose: 'operation' }), { status: 401 });
  t.match(readdirSync(join(directory, 'core', 'rest')).sort(), ['tls.crt', 'tls.key']);

  t.match(await run('core', 'policy', 'set', '--overlap-minutes', '10', '--anchor', 'onset'), {
    code: 0,
    written: /version 2: high-hours 48,.*10,.*onset/,
  });
  t.match(await run('core', 'policy', 'set', '--far-hours', '1'), { written: /farWindowMs: shorter than highWindowMs/ });
  t.match((await run('core', 'policy', 'show')).written, /version 2, set 20.*\n.*10.*\nversion 1, what a core begins with\n.*minutes 15,/);

  const whole = await run('audit', 'verify');
  t.match(whole, { code: 0, written: /the core's, whole: \d+ entries/ });
  t.equal(await served.end('SIGTERM'), 0);
  const paths = dataPaths(directory);
  const { storeKey } = await readCoreKeys(paths.coreKeys);
  const audit = new AuditLog(paths.core, storeKey);
  t.strictSame(
    audit
      .entries(20)
      .map(({ action, outcome }) => `${action} ${outcome}`)
      .reverse(),
    [
      'gateway.add done',
      'look.gateways done',
      'gateway.venue done',
      'look.gateways done',
      'gateway.venue done',
      'look.status refused',
      'gateway.remove done',
      'look.status refused',
      'policy.set done',
      'policy.set done',
      'look.policy done',
    ],
  );
  audit.close();
  const head = join(paths.core, 'audit.head');
  writeFileSync(head, readFileSync(head, 'utf8').replace(/^\d+/, '99'));
  const cut = await run('audit', 'verify');
  t.match(cut.written, /store.altered/);
  t.not(cut.code, 0);
});
