/** The core's REST listener on the loopback over a real audit log; who asks is said by the token itself, where a test is not about tokens. */
import type { Test } from 'tap';
import { AuditLog } from '../../../core/audit.ts';
import type { Identify } from '../../../core/rest/callers.ts';
import type { Regions, Role } from '../../../core/rest/roles.ts';
import type { Route } from '../../../core/rest/route.ts';
import { openRest, type RestOptions } from '../../../core/rest/server.ts';
import { makeCertificate } from '../../../protocol/certificate.ts';
import { generateSigningKey } from '../../../protocol/ed25519.ts';
import { askRest, type RestQuestion } from '../../support/ask-rest.ts';
import { LogRecorder } from '../../support/log-recorder.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { NOW } from '../core-fixture.ts';

export const STORE_KEY = new Uint8Array(32).fill(7);

/** What `byName` takes: `health-officer@north`, `analyst@*`, `administrator`. */
export const byName: Identify = ({ token }) => {
  const [, role, where] = /^([a-z-]+)(?:@(.+))?$/.exec(token ?? '') ?? [];
  if (role === undefined) return undefined;
  const regions: Regions = where === '*' ? 'all' : where === undefined ? [] : where.split('+');
  return { roles: [role as Role], subject: `person-${role}`, regions };
};

export async function openTestRest(
  t: Test,
  routes: readonly Route[],
  { dir = t.testdir(), ...more }: Partial<RestOptions> & { readonly dir?: string } = {},
) {
  const clock = new ManualClock(NOW);
  const log = new LogRecorder();
  const audit = new AuditLog(dir, STORE_KEY);
  t.teardown(() => audit.close());
  const key = generateSigningKey();
  const tls = { keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(), certificatePem: await makeCertificate(key, 'test') };
  const binding = { host: '127.0.0.1', port: 0 };
  const rest = await openRest({ binding, tls, routes, assets: [], ways: [byName], audit, clock, log, ...more });
  t.teardown(() => rest.close());
  const ask = (question: Omit<RestQuestion, 'port'>) => askRest({ ...question, port: rest.port });
  return { rest, audit, clock, log, dir, ask };
}
