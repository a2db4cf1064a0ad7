/** The operators' listener before anybody is known there. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { Accounts } from '../../gateway/accounts.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { MOST_WAITING_PAGES } from '../../gateway/watching.ts';
import { MOST_OF_ONE } from '../../protocol/web-door.ts';
import { addPerson, PASSWORD, WEB } from '../support/busy-gateway.ts';
import { watchState } from '../support/inbox.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { until } from '../support/until.ts';

/** What one address may open at once. */
const BURST = 400;

/** @returns connections that say nothing. */
async function hold(t: Test, gateway: TestGateway, count: number, localAddress: string): Promise<Socket[]> {
  const port = Number(new URL(gateway.running.webUrl ?? '').port);
  const held: Socket[] = [];
  t.teardown(() => {
    for (const socket of held) socket.destroy();
  });
  while (held.length < count) {
    const socket = connect({ host: '127.0.0.1', port, localAddress }).on('error', () => {});
    held.push(socket);
    await once(socket, 'connect');
  }
  return held;
}

async function logIn(gateway: TestGateway, account = 'ann'): Promise<(path: string) => Promise<Response>> {
  await addPerson(gateway, account, 'read-only');
  const url = gateway.running.webUrl ?? '';
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ account, password: PASSWORD });
  const reply = await fetch(`${url}/api/1/session`, { method: 'POST', headers, body });
  const cookie = reply.headers.get('set-cookie')?.split(';')[0] ?? '';
  return (path) => fetch(`${url}${path}`, { headers: { cookie } });
}

t.test('web door: connections that are held without a word shut no operator out, from wherever they come', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const ask = await logIn(gateway);
  await hold(t, gateway, 300, '127.0.0.2');
  await hold(t, gateway, 300, '127.0.0.3');
  t.equal((await ask('/api/1/overview')).status, 200);
});

t.test('web door: of too many from one address the one that has waited longest goes, and none on which somebody is known', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const ask = await logIn(gateway);
  const page = (await ask('/api/1/live')).body?.getReader();
  await page?.read();
  const first = await hold(t, gateway, BURST - 50, '127.0.0.1');
  await gateway.clock.advance(10_000);
  await hold(t, gateway, MOST_WAITING_PAGES + 1 - first.length, '127.0.0.1');
  await until(() => first[0]?.destroyed === true);
  t.notOk(first.at(-1)?.destroyed);
  t.equal((await ask('/api/1/overview')).status, 200, 'an operator of the same address comes in');
  await gateway.clock.advance(1_000);
  t.equal((await page?.read())?.done, false, 'and the page that was open goes on');
  const { door } = await (await watchState(gateway)).next((state) => state.door.addresses.length > 0);
  t.match(door.addresses, [{ address: '127.0.0.1', code: 'admission.too_many_connections' }]);
  await page?.cancel();
  const overview = (await (await ask('/api/1/overview')).json()) as { gateway: { refused: object[] } };
  t.match(overview.gateway.refused, [{ code: 'admission.too_many_connections' }], 'the page says so, without the address');
  const { storeKey } = await openIdentity(gateway.directory);
  const accounts = new Accounts(gatewayPaths(gateway.directory).accounts, storeKey);
  const token = accounts.addProgram('prometheus', gateway.clock.wall());
  accounts.close();
  const metrics = await fetch(`${gateway.running.webUrl}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  t.match(await metrics.text(), /^vestibule_refused_total\{code="admission\.too_many_connections"\} [1-9]/m, 'and so do the metrics');
});

t.test('web door: an address that comes too often waits, and its handshakes cost nothing', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const held = await hold(t, gateway, BURST + 20, '127.0.0.4');
  await until(() => held.filter(({ destroyed }) => destroyed).length === 20);
  t.equal((await fetch(`${gateway.running.webUrl}/healthz`)).status, 200, 'others come in');
});

t.test('web door: one account that opens pages without end leaves room for the others', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const [bob, ann] = [await logIn(gateway, 'bob'), await logIn(gateway, 'ann')];
  const pages = await Promise.all(Array.from({ length: 70 }, () => bob('/api/1/live')));
  t.equal(pages.filter(({ status }) => status === 200).length, 16);
  const page = await ann('/api/1/live');
  t.equal(page.status, 200);
  await Promise.all([...pages, page].map(({ body }) => body?.cancel()));
});

t.test(
  'web door: one account that keeps connections without end loses those that asked longest ago, and no other account does',
  async (t) => {
    const gateway = await startTestGateway(t, { config: WEB });
    const ann = await logIn(gateway, 'ann');
    const page = (await ann('/api/1/live')).body?.getReader();
    await page?.read();
    const { storeKey } = await openIdentity(gateway.directory);
    const accounts = new Accounts(gatewayPaths(gateway.directory).accounts, storeKey);
    const token = accounts.addProgram('prometheus', gateway.clock.wall());
    accounts.close();
    const { host } = new URL(gateway.running.webUrl ?? '');
    const ask = async (socket: Socket): Promise<void> => {
      const answered = once(socket, 'data');
      socket.write(`GET /api/1/session HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n\r\n`);
      t.match(String(await answered), /^HTTP\/1\.1 200 /);
    };
    const held = await hold(t, gateway, MOST_OF_ONE, '127.0.0.5');
    for (const socket of held) await ask(socket);
    const [first, second] = held as [Socket, Socket];
    await ask(first);
    const [more] = (await hold(t, gateway, 1, '127.0.0.6')) as [Socket];
    await ask(more);
    await until(() => second.destroyed);
    t.equal(held.filter(({ destroyed }) => destroyed).length, 1, 'not the first, which asked again');
    await gateway.clock.advance(1_000);
    t.equal((await ann('/api/1/overview')).status, 200);
    await page?.cancel();
  },
);
