/**
 * Clients that are not ours: mosquitto_pub and mosquitto_sub over mutual TLS, and a kiosk in Python that was written from docs/protocol.md
 * alone (kiosk.py), at a gateway as an operator runs it. Where it is root it installs what it needs.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeCertificate } from '../../protocol/certificate.ts';
import { downState, encodeKioskState } from '../../protocol/kiosk-state.ts';
import { systemClock } from '../../protocol/time.ts';
import { topicOf } from '../../protocol/topics.ts';
import { AttackedGateway } from '../attack/attacked-gateway.ts';
import { checkIn, TestKiosk } from '../support/test-kiosk.ts';
import { RealGateway } from './real-gateway.ts';
import { installStrangers, run, scriptAt } from './strangers-tools.ts';

const python = installStrangers();
const root = join(import.meta.dirname, '../..');

/** What the scripts found to be otherwise than the page says, a line each; and their last line, JSON. */
const wrongIn = (out: string) => out.split('\n').filter((line) => /^(\?\?|WRONG) /.test(line));
const lastOf = (out: string) => JSON.parse(out.trimEnd().split('\n').at(-1) ?? '');

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
  const policy = () => run('mosquitto_sub', [...own, '-t', topicOf(kiosk.kiosk, 'policy'), '-C', '1', '-W', '20', '-F', '%t %r']);
  // It may be signed only after the first has subscribed.
  t.match(await policy(), { status: 0, out: new RegExp(`^${topicOf(kiosk.kiosk, 'policy')} [01]\n$`) });
  t.match(await policy(), { status: 0, out: `${topicOf(kiosk.kiosk, 'policy')} 1\n` });
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

t.test('strangers: the kiosk in Python reads and makes every vector, and refuses what is to be refused', async (t) => {
  const ran = await run(python, [scriptAt('checks.py'), 'vectors', join(root, 'test/vectors'), join(root, 'docs/protocol.md')]);
  t.match(ran, { status: 0, err: '' }, 'the script', { found: wrongIn(ran.out) });
  t.match(lastOf(ran.out), { wrong: 0 });
  t.comment(ran.out.trimEnd().split('\n').at(-1));
});

t.test('strangers: the kiosk in Python enrols, and a day at the door arrives whole and once in gateway and core', async (t) => {
  const gateway = await RealGateway.start(t.testdir());
  t.teardown(() => gateway.stop());
  const [code = ''] = await gateway.codes(1);
  const cards = await gateway.cards(20);
  const ran = await run(python, [scriptAt('checks.py'), 'day', join(gateway.data, 'stranger'), code, cards]);
  t.match(ran, { status: 0, err: '' }, 'the script', { found: wrongIn(ran.out) });
  const said = lastOf(ran.out);
  const all = (outcome: string) => [[1, 27, outcome, null]];
  t.match(said, {
    again: true,
    isTimeRight: true,
    policyCame: true,
    posting: { venue: gateway.venue, direction: 'both' },
    queued: 27,
    left: 0,
    receipts: [all('accepted'), all('duplicate'), all('duplicate')],
    hasNewPapers: false,
    seen: [[true, 27]],
  });
  const refused = ['check', 'length', 'check', 'unsigned', 'unknown_issuer', 'forged', 'not_ours'];
  t.match(said, { refused: refused.map((reason) => `code.${reason}`) });
  const status = await gateway.forwarded();
  t.match(status.kiosks, [{ kiosk: said.kiosk, rows: 27, isCloned: false, missingRows: 0, quarantine: { items: 0 } }]);
  t.match(status.sinks, [{ name: 'core', droppedEntries: 0 }]);
  t.match(JSON.parse(await gateway.run('core', 'status', '--json')), { days: 1, undos: 1, setAside: 0, expired: 0, doubted: 0 });
  const { contacts } = JSON.parse(await gateway.overlaps(cards, 6));
  t.equal(contacts.length, 20 - 1 - 1, 'all but the one whose scan was taken back, and the card itself');
});

t.test('strangers: the kiosk in Python sends again what a gateway that was brought back has lost, and nothing else', async (t) => {
  const directory = t.testdir({ first: {}, second: {} });
  const gateway = await RealGateway.start(join(directory, 'first'));
  t.teardown(() => gateway.stop());
  const [code = ''] = await gateway.codes(1);
  const cards = await gateway.cards(12);
  const stranger = join(directory, 'stranger');
  const ask = async (...args: string[]) => {
    const ran = await run(python, [scriptAt('checks.py'), ...args]);
    t.match(ran, { status: 0, err: '' }, 'the script', { found: ran.err });
    return lastOf(ran.out);
  };
  t.match(await ask('scans', stranger, code, cards, '0', '5'), { receipts: [[[1, 5, 'accepted', null]]], left: 0 });
  await gateway.backUp(join(directory, 'backup'));
  t.match(await ask('scans', stranger, '-', cards, '5', '12'), { receipts: [[[6, 12, 'accepted', null]]], left: 0 });
  const back = await gateway.restored(join(directory, 'backup'), join(directory, 'second'));
  t.teardown(() => back.stop());
  t.match(await ask('again', stranger), {
    ...{ came: true, why: null, before: 0, asked: 7, sentAgain: true },
    receipts: [[[6, 12, 'accepted', null]]],
    onceMore: [false, false, 'seal.signature', 0],
  });
  const { kiosks } = await back.forwarded();
  t.match(kiosks, [{ rows: 12, isCloned: false, missingRows: 0, quarantine: { items: 0 } }]);
});

t.test('strangers: what the page says is refused is refused', async (t) => {
  const gateway = await RealGateway.start(t.testdir());
  t.teardown(() => gateway.stop());
  const codes = await gateway.codes(3);
  const ran = await run(python, [scriptAt('checks.py'), 'refusals', join(gateway.data, 'stranger'), ...codes, await gateway.cards(20)]);
  t.match(ran, { status: 0, err: '' }, 'the script', { found: wrongIn(ran.out) });
  t.match(lastOf(ran.out), { wrong: 0 });
  t.comment(ran.out.trimEnd().split('\n').at(-1));
});
