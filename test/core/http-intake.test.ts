/** The core's intake over HTTPS, asked by a plain client: who is let in, what is refused and how, and what the core then holds. */
import { request } from 'node:https';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeCertificate } from '../../protocol/certificate.ts';
import { generateSigningKey } from '../../protocol/ed25519.ts';
import { BATCH_TYPE, encodeEvents, idempotencyKeyOf, LONGEST_EVENTS_BYTES } from '../../protocol/entry-event.ts';
import { StoreError } from '../../protocol/errors.ts';
import type { DeploymentId } from '../../protocol/ids.ts';
import type { LedgerEntry } from '../../protocol/ledger-entry.ts';
import { FarCore, pinOfKey } from '../support/far-core.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { NOW } from './core-fixture.ts';
import { checkIn, DEPLOYMENT, KioskStub, newCard } from './kiosk-stub.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly json: Readonly<Record<string, unknown>>;
}
interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly key?: string;
  readonly cert?: string;
}

async function opened(t: Test) {
  const clock = new ManualClock(NOW);
  const far = await FarCore.open(join(t.testdir(), 'far'), DEPLOYMENT, clock);
  t.teardown(() => far.close());
  const kiosk = new KioskStub(far.keys);
  const { readFileSync } = await import('node:fs');
  const token = readFileSync(far.sink().tokenPath as string, 'utf8').trim();
  const ask = ({ method = 'GET', path = '/api/1/taken', headers = {}, body, key, cert }: Asked): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const sent = request(
        {
          host: '127.0.0.1',
          port: far.port,
          method,
          path,
          rejectUnauthorized: false,
          agent: false,
          headers: { authorization: `Bearer ${token}`, ...headers },
          ...(key && cert ? { key, cert } : {}),
        },
        (reply) => {
          const chunks: Buffer[] = [];
          reply.on('data', (chunk: Buffer) => chunks.push(chunk));
          reply.on('end', () =>
            resolve({
              status: reply.statusCode ?? 0,
              headers: reply.headers,
              json: JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}'),
            }),
          );
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  const offer = (
    entries: readonly LedgerEntry[],
    headers: Readonly<Record<string, string>> = {},
    body = encodeEvents(DEPLOYMENT, entries),
  ) =>
    ask({
      method: 'POST',
      path: '/api/1/entries',
      headers: { 'content-type': BATCH_TYPE, 'idempotency-key': idempotencyKeyOf(DEPLOYMENT, entries, body), ...headers },
      body,
    });
  const batch = (rows = 1) =>
    kiosk.batch(
      Array.from({ length: rows }, () => ({ happening: checkIn(newCard()), atMs: NOW - 60_000 })),
      NOW,
    );
  return { far, kiosk, ask, offer, batch, clock };
}

t.test('http intake: entries are taken, and the same again changes nothing', async (t) => {
  const { far, ask, offer, batch } = await opened(t);
  const entries = [await batch(2), await batch(1)];
  const last = entries[1]!.position;
  t.match(await offer(entries), { status: 200, json: { deployment: DEPLOYMENT, taken: last } });
  t.equal(far.core.counts().checkIns, 3);
  t.match(await offer(entries), { status: 200, json: { taken: last } });
  t.equal(far.offered.length, 1, 'the answer to the same key is remembered');
  await far.stopServing();
  await far.serve();
  t.match(await offer(entries), { status: 200, json: { taken: last } });
  t.equal(far.offered.length, 2, 'and where it is not, the core tells the rows');
  t.equal(far.core.counts().checkIns, 3);
  t.match(await ask({}), { status: 200, json: { deployment: DEPLOYMENT, taken: last } });
});

t.test('http intake: nobody is let in but with the token or a known certificate, before a byte of the body is read', async (t) => {
  const { far, ask } = await opened(t);
  for (const authorization of ['', 'Bearer', 'Bearer wrong', 'Bearer  ', 'Basic dXNlcjpwYXNz', `Bearer ${'x'.repeat(600)}`]) {
    const answer = await ask({ headers: { authorization } });
    t.match(
      answer,
      { status: 401, json: { code: 'admission.wrong_account' }, headers: { 'www-authenticate': 'Bearer', connection: 'close' } },
      authorization.slice(0, 20),
    );
    t.equal((await ask({ method: 'POST', path: '/api/1/entries', headers: { authorization }, body: Buffer.from('[]') })).status, 401);
  }
  t.equal((await ask({ headers: { authorization: '' }, path: '/healthz' })).status, 200);
  t.equal((await ask({ headers: { authorization: '' }, path: '/elsewhere' })).status, 401, 'not even what is there');
  t.equal((await ask({ path: '/elsewhere' })).status, 404);
  const keys = [generateSigningKey(), generateSigningKey()];
  const shown = await Promise.all(
    keys.map(async (key) => ({
      key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
      cert: await makeCertificate(key, 'gateway'),
    })),
  );
  await far.stopServing();
  await far.serve([pinOfKey(keys[0]!)]);
  const byCertificate = (own: (typeof shown)[number]) => ask({ headers: { authorization: '' }, ...own });
  t.equal((await byCertificate(shown[0]!)).status, 200);
  t.equal((await byCertificate(shown[1]!)).status, 401);
  t.notMatch(far.log.text, /Bearer|dXNlc|xxxx/, 'what was shown is in no log');
  t.strictSame(
    far.log.lines.filter(({ level }) => level !== 'debug'),
    [],
    'and strangers fill none',
  );
});

t.test('http intake: what is no batch is refused, and each refusal has its code', async (t) => {
  const { far, ask, offer, batch } = await opened(t);
  const entry = await batch();
  const post = (headers: Readonly<Record<string, string>>, body: Uint8Array) =>
    ask({ method: 'POST', path: '/api/1/entries', headers, body });
  const whole = encodeEvents(DEPLOYMENT, [entry]);
  t.equal((await post({ 'content-type': 'application/json' }, whole)).status, 415);
  t.equal((await post({}, whole)).status, 415);
  t.match(await offer([entry], {}, Buffer.from('{')), { status: 400, json: { code: 'decode.malformed' } });
  t.match(await post({ 'content-type': BATCH_TYPE }, whole), { status: 400, json: { code: 'decode.malformed' } }, 'no key');
  t.match(await offer([entry], { 'idempotency-key': '"another"' }), { status: 422, json: { code: 'decode.checksum' } });
  t.match(await offer([entry], { 'vestibule-after': '-1' }), { status: 400, json: { code: 'decode.malformed' } });
  t.equal((await offer([entry], {}, Buffer.alloc(LONGEST_EVENTS_BYTES + 1))).status, 413);
  const other = encodeEvents('aaaaaaaaaaaaaaaa' as DeploymentId, [entry]);
  t.match(await offer([entry], {}, other), { status: 403, json: { code: 'sink.other_ledger' } });
  t.strictSame(far.offered, [], 'none of it came to the core');
  t.equal((await ask({ method: 'PUT', path: '/api/1/entries' })).status, 404);
});

t.test('http intake: one entry that is wrong in itself is named, and nothing of its batch is taken', async (t) => {
  const { far, offer, batch } = await opened(t);
  const entries = [await batch(), await batch(), await batch()];
  const list = JSON.parse(Buffer.from(encodeEvents(DEPLOYMENT, entries)).toString('utf8'));
  list[1].type = 'vestibule.ledger.wish';
  const body = Buffer.from(JSON.stringify(list));
  const answer = await offer(entries, {}, body);
  t.match(answer, { status: 422, json: { code: 'decode.unsupported', position: entries[1]!.position } });
  t.equal(far.core.counts().checkIns, 0);
});

t.test('http intake: a sender that goes by more than is here is told so, and is taken once it goes back', async (t) => {
  const { far, offer, batch } = await opened(t);
  const first = await batch();
  const second = await batch();
  t.equal((await offer([first], { 'vestibule-after': '0' })).status, 200);
  await far.restore('restored');
  t.match(await offer([second], { 'vestibule-after': String(first.position) }), { status: 409, json: { code: 'sink.gap' } });
  t.equal((await offer([first, second], { 'vestibule-after': '0' })).status, 200);
  t.equal(far.core.counts().checkIns, 2);
});

t.test('http intake: what is replayed comes out of order and moves nothing', async (t) => {
  const { far, ask, offer, batch } = await opened(t);
  const early = await batch();
  const late = await batch();
  await offer([late]);
  t.match(await offer([early], { 'vestibule-replay': '?1', 'vestibule-after': '999999' }), { status: 200, json: { taken: late.position } });
  t.match(await ask({}), { json: { taken: late.position } });
  t.equal(far.core.counts().checkIns, 2);
});

t.test('http intake: a store that fails is 503 and says when to come again; a bug is 500 and says nothing of itself', async (t) => {
  const { far, offer, batch } = await opened(t);
  const entry = await batch();
  far.before = () => {
    throw new StoreError('store.disk_full', 'core.db: SQLITE_FULL');
  };
  t.match(await offer([entry]), { status: 503, headers: { 'retry-after': '5' }, json: { code: 'store.disk_full' } });
  far.before = () => {
    throw new TypeError('secret detail');
  };
  const answer = await offer([entry]);
  t.equal(answer.status, 500);
  t.notMatch(JSON.stringify(answer.json), /secret/);
  far.before = () => {};
  t.equal((await offer([entry])).status, 200);
});

t.test('http intake: the same entries while they are being taken are put off; others wait their turn', async (t) => {
  const { far, offer, batch } = await opened(t);
  const [one, two] = [await batch(), await batch()];
  const gate = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  far.before = () => {
    reached.resolve();
    return gate.promise;
  };
  const first = offer([one]);
  await reached.promise;
  t.match(await offer([one]), { status: 409, json: { code: 'sink.unavailable' } });
  const second = offer([two]);
  gate.resolve();
  t.match(await Promise.all([first, second]), [{ status: 200 }, { status: 200 }]);
  t.strictSame(far.offered, [[one.position], [two.position]]);
});
