/** What several questions, or several askers, make of the core that one alone could not: differences, floods, waits that are never ended. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { AuditLog } from '../../core/audit.ts';
import { restRoutesOf } from '../../core/rest/routes.ts';
import { openRest } from '../../core/rest/server.ts';
import { SteadyCounts } from '../../core/rest/steady-counts.ts';
import { makeCertificate } from '../../protocol/certificate.ts';
import { encodeCode } from '../../protocol/code.ts';
import { generateSigningKey } from '../../protocol/ed25519.ts';
import { codeOf } from '../../protocol/errors.ts';
import { decodeChallenge, encodeProof, type HolderAction, signProof } from '../../protocol/holder.ts';
import { newKeyCode } from '../../protocol/key-code.ts';
import { silentLog } from '../../protocol/log.ts';
import { NOTICES_PATH } from '../../protocol/notice-news.ts';
import { deriveVisitor, uuidOfPublicKey, type Visitor } from '../../protocol/visitor.ts';
import { DAY, fixture, NOW } from '../core/core-fixture.ts';
import { checkIn, checkOut, DEPLOYMENT, HOUR, KioskStub, MINUTE, newCard } from '../core/kiosk-stub.ts';
import { byName } from '../core/rest/rest-fixture.ts';
import { askRest } from '../support/ask-rest.ts';
import { FarCore } from '../support/far-core.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

async function opened(t: Test) {
  const made = await fixture(t);
  const core = await made.open();
  const audit = new AuditLog(made.dir, made.keys.storeKey);
  t.teardown(() => audit.close());
  const key = generateSigningKey();
  const tls = { keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(), certificatePem: await makeCertificate(key, 'test') };
  const routes = restRoutesOf({ core, audit, version: '0', clock: made.clock });
  const binding = { host: '127.0.0.1', port: 0 };
  const rest = await openRest({ binding, tls, routes, assets: [], ways: [byName], audit, clock: made.clock, log: silentLog });
  t.teardown(() => rest.close());
  const ask = (path: string, token: string, purpose: string, body?: unknown) =>
    askRest({ port: rest.port, path, token, purpose, ...(body === undefined ? {} : { method: 'POST', body }) });
  return { ...made, core, audit, rest, ask };
}

const newVisitor = (): Visitor => deriveVisitor(newKeyCode());
const visit = (card: ReturnType<typeof newCard>, atMs: number) => [
  { happening: checkIn(card), atMs },
  { happening: checkOut(card), atMs: atMs + 30 * MINUTE },
];

t.test(
  'differencing: a count of a day that is over stays as it was told when one more comes in late, or one takes their card back',
  async (t) => {
    const { core, keys, ask } = await opened(t);
    const kiosk = new KioskStub(keys, { region: 'north' });
    const atMs = NOW - DAY;
    const leaver = newVisitor();
    const there = [leaver.card, ...Array.from({ length: 6 }, newCard)];
    await core.accept([
      await kiosk.batch(
        there.flatMap((card) => visit(card, atMs)),
        NOW,
      ),
    ]);
    const told = async (what: string) => {
      const { status, text } = await ask(`/core/1/statistics/${what}?day=2026-11-20`, 'analyst@north', 'statistics');
      t.equal(status, 200);
      return text;
    };
    const [hours, others] = [await told('visits'), await told('contacts')];
    t.match(hours, /\b5\b/, 'seven');
    await core.accept([await kiosk.batch(visit(newCard(), atMs), NOW)]);
    t.equal(await told('visits'), hours, 'eight would be ten');
    t.equal(await told('contacts'), others);
    const revoke = () => core.holder.ask(encodeProof(signProof('revoke', decodeChallenge(core.holder.challenge()), leaver)), 'here');
    await revoke();
    t.equal(await told('visits'), hours);
    t.equal(await told('contacts'), others);
    await core.accept([
      await kiosk.batch(
        Array.from({ length: 6 }, newCard).flatMap((card) => visit(card, atMs)),
        NOW,
      ),
    ]);
    t.match(await told('visits'), /\b15\b/, 'what five and more did is told');
  },
);

t.test('differencing: steady counts follow what has changed by five, cell by cell, and forget what was long not asked about', (t) => {
  const counts = new SteadyCounts(2);
  t.strictSame(counts.steady('a', [7, 0]), [7, 0]);
  t.strictSame(counts.steady('a', [11, 5]), [7, 5]);
  t.strictSame(counts.steady('a', [12, 1]), [12, 5]);
  for (const table of ['b', 'c']) counts.steady(table, [1]);
  t.strictSame(counts.steady('a', [13, 4]), [13, 4]);
  t.end();
});

t.test('differencing: however the minimum is chosen, it does not tell how long somebody met others in another region', async (t) => {
  const { core, keys, ask } = await opened(t);
  const south = new KioskStub(keys, { region: 'south' });
  const card = uuidOfPublicKey(randomBytes(32));
  const atMs = NOW - 5 * HOUR;
  await core.accept([
    await south.batch(
      [card, newCard()].flatMap((one) => visit(one, atMs)),
      NOW,
    ),
  ]);
  const code = encodeCode({ kind: 'unsigned', card });
  for (const minimumMinutes of [1, 15, 29, 31, 1_440])
    t.match(
      await ask('/core/1/overlaps', 'health-officer@north', 'contact-tracing', { code, minimumMinutes }),
      { status: 200, json: { overlaps: [], isElsewhere: true } },
      `${minimumMinutes}`,
    );
});

t.test(
  'revocation: keys are made in a moment, and taking back cards that nobody ever saw is bounded; those that were seen are not',
  async (t) => {
    const { core, keys, clock } = await opened(t);
    const ask = async (visitor: Visitor, action: HolderAction, from: string): Promise<string | undefined> => {
      const proof = encodeProof(signProof(action, decodeChallenge(core.holder.challenge()), visitor));
      return await core.holder.ask(proof, from).then(() => undefined, codeOf);
    };
    const seen = Array.from({ length: 3 }, newVisitor);
    await core.accept([
      await new KioskStub(keys).batch(
        seen.flatMap(({ card }) => visit(card, NOW - HOUR)),
        NOW,
      ),
    ]);
    const made = Array.from({ length: 40 }, newVisitor);
    const codes: (string | undefined)[] = [];
    for (const [at, visitor] of made.entries()) codes.push(await ask(visitor, 'revoke', `address ${at}`));
    t.equal(codes.filter((code) => code === undefined).length, 24);
    t.strictSame([...new Set(codes.slice(24))], ['holder.too_often']);
    for (const visitor of seen) t.equal(await ask(visitor, 'revoke', 'home'), undefined);
    t.equal(await ask(made[0] as Visitor, 'revoke', 'home'), undefined, 'again changes nothing, and costs nothing');
    t.equal(await ask(made[39] as Visitor, 'read', 'home'), undefined, 'looking is not bounded by it');
    await clock.advance(HOUR);
    t.equal(await ask(made[39] as Visitor, 'revoke', 'home'), undefined);
  },
);

t.test('revocation: nobody brings a card that was taken back in again by a case', async (t) => {
  const { core, ask } = await opened(t);
  const visitor = newVisitor();
  await core.holder.ask(encodeProof(signProof('revoke', decodeChallenge(core.holder.challenge()), visitor)), 'here');
  const card = encodeCode({ kind: 'unsigned', card: visitor.card });
  const said = { card, state: 'confirmed', region: 'north', key: 'k1' };
  t.equal((await ask('/core/1/cases', 'health-officer@north', 'case-management', said)).status, 404);
  t.equal((await ask('/core/1/alerts', 'partner@north', 'case-management', said)).status, 404);
  t.strictSame(core.cases.list(0, 9), []);
});

t.test('intake: one address leaves room for the others, however many connections it opens', async (t) => {
  const far = await FarCore.open(join(t.testdir(), 'far'), DEPLOYMENT, new ManualClock(NOW));
  t.teardown(() => far.close());
  const token = readFileSync(far.sink().tokenPath as string, 'utf8').trim();
  let closed = 0;
  const open = new Set<TLSSocket>();
  const sockets = Array.from({ length: 100 }, () => {
    const socket = connect({ host: '127.0.0.1', port: far.port, rejectUnauthorized: false });
    socket.on('error', () => {});
    socket.once('close', () => {
      closed += 1;
      open.delete(socket);
    });
    socket.once('secureConnect', () => open.add(socket));
    return socket;
  });
  await until(() => open.size === 64 && closed === 36);
  t.equal(sockets.slice(0, 36).filter((socket) => open.has(socket)).length, 0, 'the newest are left');
  for (const socket of sockets) socket.destroy();
  await until(() => closed === 100);
  t.equal((await askRest({ port: far.port, path: '/api/1/taken', token })).status, 200);
});

t.test('intake: one gateway that waits two dozen times leaves room for the others', async (t) => {
  const far = await FarCore.open(join(t.testdir(), 'far'), DEPLOYMENT, new ManualClock(NOW));
  t.teardown(() => far.close());
  const token = readFileSync(far.sink().tokenPath as string, 'utf8').trim();
  const first = await askRest({ port: far.port, path: NOTICES_PATH, token });
  const path = `${NOTICES_PATH}?after=${first.json.version}`;
  const waits = Array.from({ length: 24 }, () => askRest({ port: far.port, path, token }));
  const early: number[] = [];
  for (const wait of waits)
    void wait.then(
      ({ status }) => early.push(status),
      () => {},
    );
  await until(() => early.length === 22);
  t.ok(
    early.every((status) => status === 200 || status === 409),
    'all but the latest two are answered',
  );
  t.equal((await askRest({ port: far.port, path: '/api/1/taken', token })).status, 200);
});
