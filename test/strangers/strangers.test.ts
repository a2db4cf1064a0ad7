/**
 * Clients that are not ours: mosquitto_pub and mosquitto_sub over mutual TLS, and a kiosk in Python that was written from docs/protocol.md
 * alone (kiosk.py). Needs mosquitto-clients, python3 and its package cryptography 42 or later.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeCertificate } from '../../protocol/certificate.ts';
import { downState, encodeKioskState } from '../../protocol/kiosk-state.ts';
import { systemClock } from '../../protocol/time.ts';
import { topicOf } from '../../protocol/topics.ts';
import { formatTrust } from '../../protocol/trust.ts';
import { AttackedGateway } from '../attack/attacked-gateway.ts';
import { checkIn, TestKiosk } from '../support/test-kiosk.ts';

async function run(program: string, args: readonly string[]): Promise<{ status: number | null; out: string; err: string }> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (bytes: Buffer) => {
    out += bytes.toString();
  });
  child.stderr.on('data', (bytes: Buffer) => {
    err += bytes.toString();
  });
  await once(child, 'close');
  return { status: child.exitCode, out, err };
}

t.test('strangers: mosquitto_pub and mosquitto_sub do over mutual TLS what a kiosk may do, and no more', async (t) => {
  const gateway = await AttackedGateway.start(t.testdir());
  const kiosk = await gateway.admit();
  const directory = join(gateway.directory, '..');
  const file = (name: string, content: string | Uint8Array): string => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  };
  const options = (own: TestKiosk, cert: string): string[] => [
    ...['-h', '127.0.0.1', '-p', String(gateway.tlsPort), '-i', own.kiosk, '-q', '1', '--insecure'],
    ...['--cafile', file('gateway.pem', gateway.trust.gateway.certificatePem)],
    ...['--cert', file('cert.pem', cert), '--key', file('key.pem', own.signingKey.export({ type: 'pkcs8', format: 'pem' }))],
  ];
  const own = options(kiosk, await makeCertificate(kiosk.signingKey, kiosk.kiosk));
  const start = await kiosk.start();
  const batch = file('batch.bin', start.batch([start.seal(checkIn()), start.seal(checkIn())]));
  t.match(await run('mosquitto_pub', [...own, '-t', kiosk.batchTopic, '-f', batch]), { status: 0, err: '' });
  const state = file('state.json', encodeKioskState({ ...downState('mosquitto'), isUp: true, state: 'up' }));
  t.match(await run('mosquitto_pub', [...own, '-r', '-t', topicOf(kiosk.kiosk, 'state'), '-f', state]), { status: 0, err: '' });
  const policy = await run('mosquitto_sub', [...own, '-t', topicOf(kiosk.kiosk, 'policy'), '-C', '1', '-W', '20', '-F', '%t %r']);
  t.match(policy, { status: 0, out: `${topicOf(kiosk.kiosk, 'policy')} 1\n` });
  t.match(await run('mosquitto_sub', [...own, '-t', 'vestibule/1/kiosk/+/batch', '-C', '1', '-W', '20']), { err: /denied/ });
  const events = await run('mosquitto_sub', [
    ...['-h', '127.0.0.1', '-p', String(gateway.tcpPort), '-u', 'operator', '-P', gateway.secret],
    ...['-t', 'vestibule/1/kiosk/+/state', '-C', '1', '-W', '20'],
  ]);
  t.match(JSON.parse(events.out), { version: 'mosquitto' });
  const stranger = new TestKiosk(gateway.trust, systemClock, kiosk.kiosk);
  const forged = await run('mosquitto_pub', [
    ...options(stranger, await makeCertificate(stranger.signingKey, kiosk.kiosk)),
    ...['-t', kiosk.batchTopic, '-f', batch],
  ]);
  t.not(forged.status, 0, 'another key');
  t.equal((await gateway.tell()).rows[kiosk.kiosk], 2);
  await gateway.stop();
});

t.test('strangers: a kiosk in Python, written from the page alone, gets its events accepted, and accepted once', async (t) => {
  const gateway = await AttackedGateway.start(t.testdir());
  const directory = join(gateway.directory, '..', 'kiosk');
  mkdirSync(directory);
  const script = join(import.meta.dirname, 'kiosk.py');
  const { out } = await run('python3', [script, 'key', directory]);
  const { kiosk, publicKey } = JSON.parse(out) as { kiosk: string; publicKey: string };
  await gateway.admitKey(kiosk, publicKey);
  const trust = join(directory, 'trust.json');
  writeFileSync(trust, formatTrust(gateway.trust));
  for (const [from, to] of [
    [1, 3],
    [4, 6],
  ]) {
    const ran = await run('python3', [script, 'run', directory, trust]);
    t.equal(ran.err, '');
    const receipt = `vestibule/1/kiosk/${kiosk}/receipt`;
    t.equal(
      ran.out,
      `${receipt} [[${from}, ${to}, 0, None]]\n${receipt} [[${from}, ${to}, 1, None]]\n`,
      'accepted; the same again: duplicate',
    );
  }
  t.match(await gateway.tell(), { rows: { [kiosk]: 6 }, twice: 0 });
  await gateway.stop();
});
