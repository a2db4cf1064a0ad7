/** The core's own endpoints over a real core: what an officer, an analyst, an auditor and an administrator are told, by region, and what not. */
import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import t, { type Test } from 'tap';
import { z } from 'zod';
import { AuditLog } from '../../../core/audit.ts';
import { machinesOf } from '../../../core/rest/machines.ts';
import { route } from '../../../core/rest/route.ts';
import { restRoutesOf } from '../../../core/rest/routes.ts';
import { openRest } from '../../../core/rest/server.ts';
import { tell } from '../../../core/rest/small-counts.ts';
import { visitsByOthers } from '../../../core/statistics.ts';
import type { VisitColumns, VisitStore } from '../../../core/store.ts';
import { makeCertificate } from '../../../protocol/certificate.ts';
import { encodeCode } from '../../../protocol/code.ts';
import { generateSigningKey } from '../../../protocol/ed25519.ts';
import type { DeploymentId, VenueId } from '../../../protocol/ids.ts';
import { silentLog } from '../../../protocol/log.ts';
import { uuidOfPublicKey } from '../../../protocol/visitor.ts';
import { askRest } from '../../support/ask-rest.ts';
import fc from '../../support/properties.ts';
import { DAY, fixture, NOW } from '../core-fixture.ts';
import { checkIn, checkOut, HOUR, KioskStub, MINUTE, newCard } from '../kiosk-stub.ts';
import { byName } from './rest-fixture.ts';

const YESTERDAY = NOW - DAY;

async function opened(t: Test) {
  const made = await fixture(t);
  const core = await made.open();
  const audit = new AuditLog(made.dir, made.keys.storeKey);
  t.teardown(() => audit.close());
  const key = generateSigningKey();
  const tls = { keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(), certificatePem: await makeCertificate(key, 'test') };
  const routes = [
    ...restRoutesOf({ core, audit, version: '0', clock: made.clock }),
    route({
      method: 'GET',
      path: '/core/1/me',
      summary: 'For machines',
      roles: ['gateway', 'partner'],
      purposes: [],
      answer: z.object({ name: z.string() }),
      audit: { action: 'look.me' },
      handle: ({ caller }) => ({ name: `${caller.subject} ${caller.machine} ${caller.regions}` }),
    }),
  ];
  const binding = { host: '127.0.0.1', port: 0 };
  const ways = [machinesOf(core.gateways), byName];
  const rest = await openRest({ binding, tls, routes, assets: [], ways, audit, clock: made.clock, log: silentLog });
  t.teardown(() => rest.close());
  const ask = (path: string, token: string, purpose: string, body?: unknown) =>
    askRest({ port: rest.port, path, token, purpose, ...(body === undefined ? {} : { method: 'POST', body }) });
  return { ...made, core, audit, rest, ask };
}

/** `count` cards at a kiosk for half an hour, from a time on. */
async function visits(kiosk: KioskStub, count: number, atMs: number) {
  const told = Array.from({ length: count }, () => newCard()).flatMap((card) => [
    { happening: checkIn(card), atMs },
    { happening: checkOut(card), atMs: atMs + 30 * MINUTE },
  ]);
  return await kiosk.batch(told, NOW);
}

t.test('rest routes: an officer is told of overlaps in their own regions, and that there are others', async (t) => {
  const { core, keys, ask, audit } = await opened(t);
  const [north, south] = [new KioskStub(keys, { region: 'north' }), new KioskStub(keys, { region: 'south' })];
  const card = uuidOfPublicKey(Buffer.from('somebody'));
  for (const [kiosk, atMs] of [
    [north, NOW - 8 * HOUR],
    [south, NOW - 3 * HOUR],
  ] as const) {
    await core.accept([
      await kiosk.batch(
        [
          { happening: checkIn(card), atMs },
          { happening: checkIn(newCard()), atMs },
        ],
        NOW,
      ),
    ]);
  }
  const code = encodeCode({ kind: 'unsigned', card });
  const of = (where: string, body: object = { code }) => ask('/core/1/overlaps', `health-officer@${where}`, 'contact-tracing', body);
  t.match(await of('north'), { status: 200, json: { overlaps: [{ venue: north.placement.venue, order: 1 }], isElsewhere: true } });
  t.match((await of('south')).json.overlaps, [{ venue: south.placement.venue, order: 1 }]);
  t.match(await of('west'), { json: { overlaps: [], isElsewhere: true } });
  t.equal(((await of('*')).json.overlaps as unknown[]).length, 2);
  t.match((await of('north', { code: 'nonsense' })).status, 400);
  t.match(
    audit.entries(9).map(({ rows, about }) => [rows, about]),
    [
      [0, ''],
      [2, ''],
      [0, ''],
      [1, ''],
      [1, ''],
    ],
  );
  t.notMatch(JSON.stringify(audit.entries(99)), code);
  t.match((await ask('/core/1/venues', 'health-officer@north', 'contact-tracing')).json, {
    venues: [{ venue: north.placement.venue, gateway: 'first', region: 'north' }],
  });
  t.equal(((await ask('/core/1/venues', 'administrator', 'operation')).json.venues as unknown[]).length, 2);
});

t.test('rest routes: long answers come a page at a time, each row once', async (t) => {
  const { core, keys, ask } = await opened(t);
  for (let i = 0; i < 5; i++) await core.accept([await visits(new KioskStub(keys, { region: 'north' }), 1, YESTERDAY)]);
  const seen: unknown[] = [];
  let cursor = '';
  do {
    const { json } = await ask(`/core/1/venues?limit=2${cursor}`, 'analyst@north', 'statistics');
    seen.push(...(json.venues as { venue: string }[]).map(({ venue }) => venue));
    cursor = json.next === undefined ? '' : `&cursor=${json.next}`;
  } while (cursor !== '');
  t.equal(new Set(seen).size, 5);
  t.equal(seen.length, 5);
  t.equal((await ask('/core/1/venues?limit=501', 'analyst@north', 'statistics')).status, 400);
});

t.test('rest routes: an analyst is told no count under five, and none that another could be made of', async (t) => {
  const { core, keys, ask } = await opened(t);
  const kiosk = new KioskStub(keys, { region: 'north' });
  await core.accept([
    await visits(kiosk, 13, YESTERDAY),
    await visits(kiosk, 4, YESTERDAY + HOUR),
    await visits(kiosk, 30, YESTERDAY + 3 * HOUR),
    await visits(kiosk, 30, YESTERDAY + 3 * HOUR),
  ]);
  const path = '/core/1/statistics/visits?day=2026-11-20';
  const { json } = await ask(path, 'analyst@north', 'statistics');
  const [venue] = json.venues as { venue: string; visits: unknown[] }[];
  t.equal(venue?.venue, kiosk.placement.venue);
  t.strictSame(venue?.visits.slice(8, 14), ['fewer than 5', 15, 'fewer than 5', 'fewer than 5', 60, 'fewer than 5']);
  t.match((await ask('/core/1/statistics/contacts?day=2026-11-20', 'analyst@north', 'statistics')).json, {
    others: ['0', '1-4', '5-9', '10-19', '20-49', '50+'],
    venues: [{ visits: ['fewer than 5', 'fewer than 5', 'fewer than 5', 15, 'fewer than 5', 60] }],
  });
  t.strictSame((await ask(path, 'analyst@south', 'statistics')).json.venues, []);
  t.match(await ask('/core/1/statistics/visits?day=2026-11-21', 'analyst@*', 'statistics'), { status: 400, json: { title: /over/ } });
});

t.test('small counts: nobody can tell none from four, and what is told is never under five', async (t) => {
  t.strictSame([0, 1, 4, 5, 7, 8, 12, 13].map(tell), [...Array(3).fill('fewer than 5'), 5, 5, 10, 10, 15]);
});

t.test('statistics: how many others, as counting each pair of visits says', async (t) => {
  const span = fc.tuple(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 60 }));
  fc.assert(
    fc.property(fc.array(span, { maxLength: 40 }), fc.integer({ min: 1, max: 30 }), (spans, minimum) => {
      const all = spans.map(([from, length]) => [from, from + length] as const);
      const columns = {
        count: all.length,
        baseMs: 0,
        fromMs: all.map(([from]) => from),
        toMs: all.map(([, to]) => to),
        certainFromMs: [],
        certainToMs: [],
      } as unknown as VisitColumns;
      const store = { visitsAt: () => [{ columns, isElsewhere: () => false }] } as unknown as VisitStore;
      const classOf = (others: number) => [0, 4, 9, 19, 49, Number.POSITIVE_INFINITY].findIndex((most) => others <= most);
      const expected = [0, 0, 0, 0, 0, 0];
      for (const [i, a] of all.entries()) {
        const others = all.filter((b, j) => i !== j && Math.min(a[1], b[1]) - Math.max(a[0], b[0]) >= minimum).length;
        expected[classOf(others)]! += 1;
      }
      t.strictSame(visitsByOthers(store, 'x' as VenueId, '1970-01-01' as never, minimum), expected);
    }),
  );
});

t.test('rest routes: an auditor reads the log and is told whether it is whole', async (t) => {
  const { ask, audit } = await opened(t);
  await ask('/core/1/status', 'administrator', 'operation');
  const { json } = await ask('/core/1/audit', 'auditor', 'oversight');
  t.match(json.entries, [{ entry: 1, who: 'person-administrator', action: 'look.status', purpose: 'operation' }]);
  t.match(await ask('/core/1/audit/verification', 'auditor', 'oversight'), { json: { finding: 'whole', head: /^2:/ } });
  const head = `2:${'0'.repeat(64)}`;
  t.match(await ask(`/core/1/audit/verification?head=${head}`, 'auditor', 'oversight'), { json: { finding: 'broken', at: 2 } });
  t.equal(audit.head().entries, 4, 'looking at it is a look');
});

t.test('rest routes: a machine is known by its token or its key, until it is taken out', async (t) => {
  const { core, rest, ask } = await opened(t);
  const token = core.gateways.add({ name: 'lab', role: 'partner', regions: ['north'] }, NOW) ?? '';
  const key = generateSigningKey();
  const keyPin = createHash('sha256')
    .update(createPublicKey(key).export({ type: 'spki', format: 'der' }))
    .digest();
  core.gateways.add({ name: 'south', role: 'gateway', deployment: '0000000000000000' as DeploymentId, regions: 'all', keyPin }, NOW);
  t.match(await ask('/core/1/me', token, ''), { json: { name: 'partner-lab lab north' } });
  const certificate = { key: key.export({ type: 'pkcs8', format: 'pem' }).toString(), cert: await makeCertificate(key, 'any') };
  t.ok(new X509Certificate(certificate.cert));
  const me = { port: rest.port, path: '/core/1/me' };
  t.match(await askRest({ ...me, client: certificate }), { json: { name: 'gateway-south south all' } });
  const stranger = generateSigningKey();
  const other = { key: stranger.export({ type: 'pkcs8', format: 'pem' }).toString(), cert: await makeCertificate(stranger, 'any') };
  t.equal((await askRest({ ...me, client: other })).status, 401);
  t.match(await ask('/core/1/gateways', 'administrator', 'operation'), {
    json: { machines: [{ name: 'first' }, { name: 'lab' }, { name: 'south', regions: 'all' }] },
  });
  core.gateways.remove('lab');
  core.gateways.remove('south');
  t.equal((await ask('/core/1/me', token, '')).status, 401);
  t.equal((await askRest({ ...me, client: certificate })).status, 401);
});
