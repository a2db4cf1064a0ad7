/** The operators' listener as a browser, a script and a stranger meet it: real HTTP on the loopback. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Accounts } from '../../gateway/accounts.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { METRICS } from '../../gateway/web/metrics.ts';
import type { Overview } from '../../gateway/web/schema.ts';
import { PAGE_HEADERS } from '../../protocol/page-headers.ts';
import { addPerson, PASSWORD, report, say, WEB } from '../support/busy-gateway.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { checkIn, publishOrClose } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';

interface Client {
  readonly origin: string;
  readonly cookie: string;
  readonly csrf: string;
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
}

const urlOf = (gateway: TestGateway): string => gateway.running.webUrl ?? '';

async function logIn(gateway: TestGateway, account: string, password = PASSWORD): Promise<Client> {
  const origin = urlOf(gateway);
  const reply = await fetch(`${origin}/api/1/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ account, password }),
  });
  const { csrf = '' } = (await reply.json()) as { csrf?: string };
  const cookie = reply.headers.get('set-cookie')?.split(';')[0] ?? '';
  return {
    origin,
    cookie,
    csrf,
    ask: (method, path, body, headers = {}) =>
      fetch(`${origin}${path}`, {
        method,
        headers: { cookie, 'x-vestibule-csrf': csrf, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
  };
}

const audited = (manager: Client): Promise<{ action: string; who: string; about: string; detail: string }[]> =>
  manager.ask('GET', '/api/1/audit').then(async (reply) => ((await reply.json()) as { entries: never[] }).entries);

t.test('web: a stranger gets the page, which holds nothing, and health; all else is refused', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const page = await fetch(urlOf(gateway));
  t.equal(page.status, 200);
  t.match(Object.fromEntries(page.headers), { ...PAGE_HEADERS, 'cache-control': 'no-cache' });
  t.notMatch(await page.text(), /https?:\/\/|style=|<script>|onclick/, 'nothing is loaded from elsewhere, nothing is inline');
  t.strictSame(await (await fetch(`${urlOf(gateway)}/healthz`)).json(), { state: 'up' });
  t.strictSame(await (await fetch(`${urlOf(gateway)}/readyz`)).json(), { state: 'ready' });
  for (const path of [
    '/metrics',
    '/api/1/overview',
    '/api/1/live',
    '/api/1/flags',
    '/api/1/quarantine',
    '/api/1/audit',
    '/api/1/session',
    '/api/1/log-level',
  ]) {
    const reply = await fetch(`${urlOf(gateway)}${path}`);
    t.equal(reply.status, 401, path);
    t.match(await reply.json(), { code: 'admission.wrong_account' }, path);
  }
  for (const path of ['/../../etc/passwd', '/..%2f..%2fpackage.json', '/keys/web.key', '/api/1/nothing', '/app.ts'])
    t.equal((await fetch(`${urlOf(gateway)}${path}`)).status, 404, path);
});

t.test('web: who logs in sees the kiosks, and what was looked at is written down', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  await addPerson(gateway, 'ann', 'manager');
  const kiosk = gateway.admit();
  const client = await kiosk.connect(gateway.running.tlsPort);
  const start = await kiosk.start();
  await publishOrClose(client, kiosk.batchTopic, start.batch([start.seal(checkIn()), start.seal(checkIn())]));
  await say(client, kiosk, report({ queued: 4, devices: [{ name: 'scanner', isUp: false, why: 'device.gone' }] }));
  const ann = await logIn(gateway, 'ann');
  const { gateway: view, kiosks, venues } = (await (await ann.ask('GET', '/api/1/overview')).json()) as Overview;
  t.match(view, { tone: 'act', headline: '1 kiosk needs you', admittedKiosks: 1, connectedKiosks: 1, queued: 4 });
  t.equal(venues[0]?.name, 'Shop');
  t.match(kiosks, [{ kiosk: kiosk.kiosk, tone: 'act', isConnected: true, queued: 4, summary: 'No scanner' }]);
  t.equal(kiosks[0]?.rowsPerMinute.at(-1), 2);
  t.match(kiosks[0]?.troubles[0]?.text, /^Scanner: [A-Z].*\.$/, 'in words');
  t.strictSame(
    (await audited(ann)).map(({ who, action }) => [who, action]),
    [
      ['ann', 'look.audit'],
      ['ann', 'look.overview'],
      ['ann', 'session.open'],
    ],
  );
  client.end(true);
});

t.test('web: a cookie alone changes nothing, nor does a page of another site', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  await addPerson(gateway, 'ann', 'manager');
  const kiosk = gateway.admit();
  const ann = await logIn(gateway, 'ann');
  const path = `/api/1/kiosks/${kiosk.kiosk}/revoke`;
  const body = { confirm: kiosk.kiosk };
  const port = new URL(ann.origin).port;
  const tries: readonly [string, Record<string, string>, number][] = [
    ['without the word of the session', { 'x-vestibule-csrf': '' }, 403],
    ['with another word', { 'x-vestibule-csrf': 'A'.repeat(43) }, 403],
    ['from another site', { origin: 'https://evil.example' }, 403],
    ['from another site, as a browser says', { 'sec-fetch-site': 'cross-site' }, 403],
    ['from another port', { 'sec-fetch-site': 'same-site' }, 403],
    ['as a form', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['as text', { 'content-type': 'text/plain' }, 415],
  ];
  for (const [name, headers, status] of tries) t.equal((await ann.ask('POST', path, body, headers)).status, status, name);
  t.equal(gateway.registry.kiosk(kiosk.kiosk)?.revokedAtMs, undefined, 'it is still admitted');
  t.equal((await ann.ask('GET', '/api/1/overview', undefined, { host: `evil.example:${port}` })).status, 200, 'fetch sets the host itself');
  t.match(
    await rawRequest(
      Number(port),
      `GET /api/1/overview HTTP/1.1\r\nhost: evil.example:${port}\r\ncookie: ${ann.cookie}\r\nconnection: close\r\n\r\n`,
    ),
    /^HTTP\/1\.1 403/,
    'a name that was rebound',
  );
  t.equal((await ann.ask('POST', path, { confirm: gateway.venue })).status, 404, 'the confirmation must name it');
  t.equal((await ann.ask('POST', path, body)).status, 200);
  t.not(gateway.registry.kiosk(kiosk.kiosk)?.revokedAtMs, undefined);
  t.match(await audited(ann), [{}, { action: 'kiosk.revoke', about: kiosk.kiosk, who: 'ann' }, { action: 'kiosk.revoke.failed' }]);
});

t.test('web: a revoked kiosk is cut off at once, and comes no more', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  await addPerson(gateway, 'ann', 'manager');
  const kiosk = gateway.admit();
  const client = await kiosk.connect(gateway.running.tlsPort);
  const isClosed = new Promise<void>((resolve) => client.once('close', () => resolve()));
  const ann = await logIn(gateway, 'ann');
  t.equal((await ann.ask('POST', `/api/1/kiosks/${kiosk.kiosk}/revoke`, { confirm: kiosk.kiosk })).status, 200);
  await isClosed;
  await t.rejects(kiosk.connect(gateway.running.tlsPort));
});

t.test('web: who may only look changes nothing, and the try is written down', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  await addPerson(gateway, 'rita', 'read-only');
  await addPerson(gateway, 'ann', 'manager');
  const kiosk = gateway.admit();
  const rita = await logIn(gateway, 'rita');
  for (const [method, path, body] of [
    ['POST', `/api/1/kiosks/${kiosk.kiosk}/revoke`, { confirm: kiosk.kiosk }],
    ['POST', '/api/1/quarantine/1/replay', {}],
    ['DELETE', '/api/1/quarantine/1', undefined],
    ['PUT', '/api/1/log-level', { level: 'debug' }],
    ['GET', '/api/1/audit', undefined],
  ] as const)
    t.equal((await rita.ask(method, path, body)).status, 403, path);
  t.equal((await rita.ask('GET', '/api/1/overview')).status, 200);
  const deeds = await audited(await logIn(gateway, 'ann'));
  t.equal(deeds.filter(({ who, action }) => who === 'rita' && action.endsWith('.refused')).length, 5);
});

t.test('web: guessing is slowed down, for that address and account alone, and what was typed is not written down', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  await addPerson(gateway, 'ann', 'manager');
  const guess = (account: string): Promise<Response> =>
    fetch(`${urlOf(gateway)}/api/1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ account, password: 'wrong wrong wrong' }),
    });
  for (let n = 0; n < 5; n++) t.equal((await guess('hunter2-in-the-wrong-field')).status, 401);
  const slowed = await guess('hunter2-in-the-wrong-field');
  t.equal(slowed.status, 429);
  t.equal(slowed.headers.get('retry-after'), '2');
  t.match(await slowed.json(), { code: 'admission.too_many_tries' });
  const ann = await logIn(gateway, 'ann');
  t.not(ann.cookie, '', 'another account is not held up');
  await gateway.clock.advance(2_000);
  t.equal((await guess('hunter2-in-the-wrong-field')).status, 401, 'after the wait');
  t.notMatch(JSON.stringify(await audited(ann)), /hunter2/);
});

t.test('web: a session ends at log-out, and its cookie opens nothing any more', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  await addPerson(gateway, 'ann', 'manager');
  const ann = await logIn(gateway, 'ann');
  t.match(await (await ann.ask('GET', '/api/1/session')).json(), { account: 'ann', role: 'manager', csrf: ann.csrf });
  const out = await ann.ask('DELETE', '/api/1/session');
  t.match(out.headers.get('set-cookie') ?? '', /Max-Age=0/);
  t.equal((await ann.ask('GET', '/api/1/overview')).status, 401);
});

/** Told only where there is something to tell of. */
const SELDOM = ['vestibule_refused_total', 'vestibule_disk_days_left', 'vestibule_notice_feed_stale_seconds', 'vestibule_rollout_kiosks'];

t.test('web: Prometheus reads metrics with a token, each of the table, and is no person', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  await addPerson(gateway, 'ann', 'manager');
  const { storeKey } = await openIdentity(gateway.directory);
  const accounts = new Accounts(gatewayPaths(gateway.directory).accounts, storeKey);
  const token = accounts.addProgram('prometheus', gateway.clock.wall());
  accounts.close();
  const kiosk = gateway.admit();
  const client = await kiosk.connect(gateway.running.tlsPort);
  const start = await kiosk.start();
  await publishOrClose(client, kiosk.batchTopic, start.batch([start.seal(checkIn()), start.seal(checkIn())]));
  await say(
    client,
    kiosk,
    report({ queued: 3, oldestQueuedMs: 2_000, scans: { taken: 7, refused: { 'card-refused': 2 }, refusedInARow: 0 } }),
  );
  await gateway.clock.advance(1_000);
  const reply = await fetch(`${urlOf(gateway)}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  t.equal(reply.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  const text = await reply.text();
  t.match(text, /^vestibule_rows_total\{outcome="accepted"\} 2$/m);
  t.match(text, /^vestibule_batches_total\{outcome="taken"\} 1$/m);
  t.match(text, new RegExp(`^vestibule_kiosk_up\\{kiosk="${kiosk.kiosk}",venue="${gateway.venue}"\\} 1$`, 'm'));
  t.match(text, new RegExp(`^vestibule_kiosk_queued_rows\\{kiosk="${kiosk.kiosk}",venue="${gateway.venue}"\\} 3$`, 'm'));
  t.match(text, /^vestibule_ack_seconds_count 1$/m);
  t.match(text, /^vestibule_kiosk_info\{kiosk="\w+",venue="\w+",kiosk_name="",venue_name="Shop",entrance=""\} 1$/m);
  t.match(text, /^vestibule_kiosk_scans\{kiosk="\w+",venue="\w+",outcome="card-refused"\} 2$/m);
  const { queued: _queued, ...unknown } = report({ state: 'down', lastError: 'store.corrupt' });
  await say(client, kiosk, unknown);
  await gateway.clock.advance(1_000);
  const later = await (await fetch(`${urlOf(gateway)}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text();
  t.notMatch(later, /^vestibule_kiosk_(oldest_)?queued_\w+\{/m, 'a count that nobody has is absent');
  for (const [name, { type }] of Object.entries(METRICS)) {
    if (SELDOM.includes(name)) continue;
    t.match(text, new RegExp(`^# TYPE ${name} ${type}$`, 'm'), name);
  }
  for (const line of text.trimEnd().split('\n')) t.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? -?[\d.e+-]+)$/);
  const refused = await fetch(`${urlOf(gateway)}/api/1/kiosks/${kiosk.kiosk}/revoke`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ confirm: kiosk.kiosk }),
  });
  t.equal(refused.status, 403);
  const deeds = await audited(await logIn(gateway, 'ann'));
  t.notOk(deeds.some(({ action }) => action === 'look.metrics'));
  client.end(true);
});

t.test('web: a page hears all at first, then only what changed, and is let go of when its session ends', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  await addPerson(gateway, 'ann', 'manager');
  const [kiosk, still] = [gateway.admit(), gateway.admit()];
  const clients = [await kiosk.connect(gateway.running.tlsPort), await still.connect(gateway.running.tlsPort)];
  const ann = await logIn(gateway, 'ann');
  const told = await listen(ann);
  await until(() => told.length === 1);
  t.match(told[0], { event: 'all', data: { gateway: { connectedKiosks: 2 } } });
  await gateway.clock.advance(1_000);
  await say(clients[0]!, kiosk, report({ queued: 9 }));
  await gateway.clock.advance(1_000);
  await until(() => told.some(({ event }) => event === 'change'));
  const change = told.findLast(({ event }) => event === 'change')?.data as Overview;
  t.match(change.kiosks, [{ kiosk: kiosk.kiosk, queued: 9 }]);
  t.equal(change.kiosks.length, 1, 'the other one is as it was');
  await ann.ask('DELETE', '/api/1/session');
  await gateway.clock.advance(1_000);
  await until(() => told.at(-1)?.event === 'ended');
  for (const client of clients) client.end(true);
});

t.test('web: the log level is changed while the gateway runs, by a manager alone, to a level that there is', async (t) => {
  let level = 'info';
  const process = {
    version: '1.2.3',
    logLevel: {
      get: () => level,
      set: (wanted: string) => {
        level = wanted;
      },
    },
    use: () => ({ residentBytes: 1, cpuS: 1, loopDelayS: 0 }),
  };
  const gateway = await startTestGateway(t, { config: WEB, process });
  await addPerson(gateway, 'ann', 'manager');
  const ann = await logIn(gateway, 'ann');
  t.strictSame(await (await ann.ask('PUT', '/api/1/log-level', { level: 'debug' })).json(), { level: 'debug' });
  t.equal(level, 'debug');
  t.equal((await ann.ask('PUT', '/api/1/log-level', { level: 'loud' })).status, 400);
  t.equal((await ann.ask('PUT', '/api/1/log-level', { level: 'info', more: 1 })).status, 400);
  t.equal(level, 'debug');
});

t.test('web: no body and no number of bytes ends it, and no answer is a stack', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  await addPerson(gateway, 'ann', 'manager');
  const ann = await logIn(gateway, 'ann');
  for (const [body, status] of [
    ['{', 400],
    ['[]', 400],
    ['null', 400],
    [`{"account":"${'a'.repeat(20_000)}"}`, 413],
    ['{"__proto__":{"role":"manager"},"account":"a","password":"b"}', 400],
  ] as const) {
    const reply = await fetch(`${urlOf(gateway)}/api/1/session`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    t.equal(reply.status, status, body.slice(0, 40));
    t.notMatch(await reply.text(), /\bat .*\.ts|node_modules/);
  }
  t.equal((await ann.ask('GET', '/api/1/kiosks/..%2f..')).status, 400);
  t.equal((await ann.ask('POST', '/api/1/quarantine/999/replay')).status, 404);
  t.equal((await ann.ask('GET', '/api/1/overview')).status, 200);
});

t.test('web: a path that can not be read is refused as all else is, and not said again', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  for (const path of ['/%ff', `/api/1/kiosks/${'0'.repeat(200)}`]) {
    const reply = await fetch(`${urlOf(gateway)}${path}`);
    t.equal(reply.status, 400);
    t.match(reply.headers.get('content-type'), 'application/problem+json');
    t.match(Object.fromEntries(reply.headers), PAGE_HEADERS);
    t.strictSame(await reply.json(), { title: 'not a request that is understood here', status: 400 });
  }
  while ((await fetch(`${urlOf(gateway)}/healthz`)).status === 200);
  t.equal((await fetch(`${urlOf(gateway)}/%ff`)).status, 429, 'nor is it free');
});

t.test('web: whoever asks for the head of the live stream holds no place in it', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  await addPerson(gateway, 'ann', 'manager');
  const ann = await logIn(gateway, 'ann');
  t.equal((await ann.ask('HEAD', '/api/1/live')).status, 404);
});

t.test('web: an address that asks without end is told to wait, and is answered again later', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const ask = () => fetch(`${urlOf(gateway)}/healthz`);
  const replies = await Promise.all(Array.from({ length: 400 }, ask));
  const refused = replies.filter(({ status }) => status !== 200);
  t.ok(refused.length > 0);
  t.equal(refused.length, 100, 'a burst of 300 is answered');
  t.equal(refused[0]?.status, 429);
  t.ok(Number(refused[0]?.headers.get('retry-after')) >= 1);
  t.match(await refused[0]?.json(), { code: 'admission.too_often' });
  await gateway.clock.advance(10_000);
  t.equal((await ask()).status, 200);
});

t.test('web: the command line finds it by a file that only its owner reads, which goes with it', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const path = join(gateway.directory, 'control.json');
  const { url, token } = JSON.parse(readFileSync(path, 'utf8')) as { url: string; token: string };
  const reply = await fetch(`${url}/api/1/overview`, { headers: { authorization: `Bearer ${token}`, 'x-vestibule-user': 'root' } });
  t.equal(reply.status, 200);
  await gateway.stop();
  t.throws(() => readFileSync(path), { code: 'ENOENT' });
});

async function listen(client: Client): Promise<{ event: string; data: unknown }[]> {
  const told: { event: string; data: unknown }[] = [];
  const reply = await client.ask('GET', '/api/1/live');
  const reader = reply.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  const read = async (): Promise<void> => {
    for (let { done, value = '' } = await reader.read(); !done; { done, value = '' } = await reader.read()) {
      const parts = (rest + value).split('\n\n');
      rest = parts.pop() ?? '';
      for (const part of parts) {
        const [, event = '', data = ''] = /^event: (\w+)\ndata: (.*)$/.exec(part) ?? [];
        told.push({ event, data: JSON.parse(data) });
      }
    }
  };
  read().catch(() => {});
  return told;
}

async function rawRequest(port: number, request: string): Promise<string> {
  const { connect } = await import('node:net');
  const socket = connect(port, '127.0.0.1');
  socket.end(request);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}
