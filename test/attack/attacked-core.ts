/** A real `vestibule core serve` of its own, an issuer that it believes, and machines that were added to it; and what it wrote, afterwards. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { Test } from 'tap';
import { dataPaths } from '../../cli/data-paths.ts';
import { type AuditEntry, AuditLog } from '../../core/audit.ts';
import { readCoreKeys } from '../../core/keys.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { generateRecipient } from '../../protocol/hpke.ts';
import { type DeploymentId, newPlaceId } from '../../protocol/ids.ts';
import { systemClock } from '../../protocol/time.ts';
import { formatTrust } from '../../protocol/trust.ts';
import { askRest, type RestAnswer, type RestQuestion } from '../support/ask-rest.ts';
import { VestibuleProcess } from '../support/child.ts';
import { TestIssuer } from '../support/test-issuer.ts';
import { RawClient } from './raw-client.ts';

export class AttackedCore {
  readonly directory: string;
  readonly issuer: TestIssuer;
  readonly child: VestibuleProcess;
  readonly deployment: DeploymentId;
  port = 0;
  intakePort = 0;
  /** Of the first gateway. */
  token = '';

  private constructor(directory: string, issuer: TestIssuer, child: VestibuleProcess, deployment: DeploymentId) {
    this.directory = directory;
    this.issuer = issuer;
    this.child = child;
    this.deployment = deployment;
  }

  static async start(t: Test): Promise<AttackedCore> {
    const directory = t.testdir();
    const issuer = await TestIssuer.open();
    t.teardown(() => issuer.close());
    const { recipient } = await generateRecipient();
    const gateway = { host: '127.0.0.1', port: 1, certificatePem: '-' };
    const receiptKey = rawPublicKey(generateSigningKey());
    const deployment = newPlaceId<DeploymentId>();
    const [trust, ca, config] = ['trust.json', 'ca.pem', 'core.json'].map((name) => join(directory, name)) as [string, string, string];
    writeFileSync(trust, formatTrust({ deployment, gateway, receiptKey, recipients: [recipient], issuers: [], mayTakeUnsigned: false }));
    writeFileSync(ca, issuer.caPem);
    const { url, audience } = issuer;
    writeFileSync(config, JSON.stringify({ rest: { port: 0, issuers: [{ issuer: url, audience, caPath: ca }] } }));
    const listen = ['--listen', '127.0.0.1', '--port', '0', '--config', config];
    const child = new VestibuleProcess(['core', 'serve', ...listen, '--data', directory, '--trust', trust]);
    t.teardown(() => child.end('SIGKILL'));
    const core = new AttackedCore(directory, issuer, child, deployment);
    core.intakePort = Number(/port (\d+)/.exec(await child.line((line) => line.startsWith('core ready')))?.[1]);
    const { readFileSync } = await import('node:fs');
    core.token = readFileSync((await child.line((line) => line.startsWith('token: '))).slice('token: '.length), 'utf8').trim();
    core.port = Number(/:(\d+)$/.exec(await child.line((line) => line.startsWith('rest: ')))?.[1]);
    return core;
  }

  ask(question: Omit<RestQuestion, 'port'>): Promise<RestAnswer> {
    return askRest({ ...question, port: this.port });
  }

  /** A person of the issuer's. @param regions `*` for all. */
  async person(role: string, regions: string | string[] = '*', more: object = {}): Promise<string> {
    return await this.issuer.token({ vestibule_roles: role, vestibule_regions: regions, sub: `${role}-1`, ...more }, systemClock.wall());
  }

  /** Whatever bytes, over TLS. @returns what came until the other end closed or answered once. */
  async raw(bytes: string | Buffer, port = this.port): Promise<string> {
    const client = new RawClient(connect({ host: '127.0.0.1', port, rejectUnauthorized: false }));
    const answer = (await client.ask(Buffer.from(bytes))).toString('latin1');
    client.end();
    return answer;
  }

  /** Ends the core, and reads its audit log. Newest first. */
  async audited(): Promise<AuditEntry[]> {
    await this.child.end('SIGTERM');
    const paths = dataPaths(this.directory);
    const audit = new AuditLog(paths.core, (await readCoreKeys(paths.coreKeys)).storeKey);
    try {
      return audit.entries(10_000);
    } finally {
      audit.close();
    }
  }
}
