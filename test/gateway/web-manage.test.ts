/** Setting up over the API: a code for a new kiosk, a venue's rules. As the page asks, by a manager. */
import t from 'tap';
import { readControl } from '../../gateway/control-file.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { symbolRows } from '../../gateway/web/code-symbol.ts';
import { decodeCode } from '../../protocol/code.ts';
import { WEB } from '../support/busy-gateway.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';

async function ask(
  gateway: TestGateway,
  method: string,
  path: string,
  body: unknown,
): Promise<{ status: number; answer: Record<string, unknown> }> {
  const control = readControl(gatewayPaths(gateway.directory).control);
  const headers = { authorization: `Bearer ${control?.token}`, 'content-type': 'application/json' };
  const reply = await fetch(`${control?.url}${path}`, { method, headers, body: JSON.stringify(body) });
  return { status: reply.status, answer: (await reply.json()) as Record<string, unknown> };
}

async function look(gateway: TestGateway, path: string): Promise<unknown> {
  const control = readControl(gatewayPaths(gateway.directory).control);
  return await (await fetch(`${control?.url}${path}`, { headers: { authorization: `Bearer ${control?.token}` } })).json();
}

t.test('manage: a code is one that a kiosk can enrol with, and its secret is nowhere but in the answer', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const { status, answer } = await ask(gateway, 'POST', '/api/1/codes', { venue: gateway.venue, direction: 'in' });
  t.equal(status, 200);
  t.match(answer, { number: 1, venueName: 'Shop' });
  const text = String(answer.text);
  t.match(decodeCode(text), { kind: 'enrolment', host: '127.0.0.1', port: gateway.running.tlsPort });
  t.strictSame(answer.symbol, symbolRows(text));
  t.notMatch(gateway.log.text, new RegExp(text));
  t.equal((await ask(gateway, 'POST', '/api/1/codes', {})).status, 400, 'for nowhere');
  t.equal((await ask(gateway, 'POST', '/api/1/codes', { venue: 'a'.repeat(16) })).status, 400, 'for a venue that is not there');
  t.equal((await ask(gateway, 'POST', '/api/1/codes', { venue: gateway.venue, lifeMs: 1 })).status, 400);
  const kiosk = gateway.admit();
  const elsewhere = (await ask(gateway, 'POST', '/api/1/venues', { name: 'Elsewhere', timezone: 'UTC' })).answer.id;
  const { entrance } = gateway.registry.kiosk(kiosk.kiosk)!.placement;
  t.equal((await ask(gateway, 'POST', '/api/1/codes', { venue: elsewhere, entrance })).status, 400, 'for another venue’s door');
  t.equal((await ask(gateway, 'POST', '/api/1/codes', { replaces: kiosk.kiosk })).status, 200);
});

t.test('manage: a venue is added and changed by what is named, and what is unfit is refused', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const { answer } = await ask(gateway, 'POST', '/api/1/venues', { name: 'Library', timezone: 'Europe/Berlin' });
  const path = `/api/1/venues/${String(answer.id)}`;
  t.equal((await ask(gateway, 'PUT', path, { thresholdCelsius: 37.8, lingeringMs: 600_000 })).status, 200);
  t.equal((await ask(gateway, 'PUT', `${path}/entrances`, { name: 'North door', direction: 'in' })).status, 200);
  const venue = gateway.registry.venues().find(({ id }) => id === answer.id);
  t.match(venue, {
    name: 'Library',
    threshold: 3_780,
    lingeringMs: 600_000,
    dwellMs: 7_200_000,
    entrances: [{ name: 'North door', direction: 'in' }],
  });
  t.equal((await ask(gateway, 'PUT', path, { thresholdCelsius: null })).status, 200);
  t.equal(gateway.registry.venues().find(({ id }) => id === answer.id)?.threshold, undefined);
  for (const change of [{ timezone: 'Nowhere' }, { thresholdCelsius: 20 }, { dwellMs: -1 }, { colour: 'red' }, { name: '' }])
    t.equal((await ask(gateway, 'PUT', path, change)).status, 400, JSON.stringify(change));
  t.equal((await ask(gateway, 'POST', '/api/1/venues', { name: 'No zone' })).status, 400);
  t.equal((await ask(gateway, 'PUT', `/api/1/venues/${'a'.repeat(16)}`, { name: 'x' })).status, 400);
});

t.test('manage: codes are listed without their text, and one that nobody has used is taken back', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const { answer } = await ask(gateway, 'POST', '/api/1/codes', { venue: gateway.venue, direction: 'in' });
  const listed = await look(gateway, '/api/1/codes');
  t.match(listed, { codes: [{ number: 1, state: 'open', venue: gateway.venue, direction: 'in' }] });
  t.notMatch(JSON.stringify(listed), new RegExp(String(answer.text).slice(2, 34)), 'no secret');
  t.equal((await ask(gateway, 'DELETE', '/api/1/codes/1', {})).status, 200);
  t.match(await look(gateway, '/api/1/codes'), { codes: [{ number: 1, state: 'withdrawn' }] });
  t.equal((await ask(gateway, 'DELETE', '/api/1/codes/1', {})).status, 404, 'twice');
  t.equal((await ask(gateway, 'DELETE', '/api/1/codes/2', {})).status, 404, 'never given');
});

t.test('manage: an entrance is renamed without being told its way, and one where nobody hangs is removed', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const kiosk = gateway.admit();
  const { entrance } = gateway.registry.kiosk(kiosk.kiosk)!.placement;
  const path = `/api/1/venues/${gateway.venue}/entrances`;
  const entrances = () => gateway.registry.venueBook.venue(gateway.venue).entrances;
  const isTold = entrances().find(({ id }) => id === entrance)?.isTold;
  t.equal((await ask(gateway, 'PUT', path, { name: entrance, rename: 'North door' })).status, 200);
  t.match(
    entrances().find(({ id }) => id === entrance),
    { name: 'North door', isTold },
  );
  t.equal((await ask(gateway, 'PUT', path, { name: 'Side door', direction: 'out' })).status, 200);
  t.equal((await ask(gateway, 'PUT', path, { name: 'Side door', rename: 'North door' })).status, 400, 'of another');
  t.equal((await ask(gateway, 'PUT', path, { name: 'Side door' })).status, 400, 'nothing to change');
  t.equal((await ask(gateway, 'PUT', path, { name: 'No door', rename: 'x' })).status, 400);
  const side = entrances().find(({ name }) => name === 'Side door')!;
  t.equal((await ask(gateway, 'DELETE', `${path}/${entrance}`, {})).status, 400, 'a kiosk was admitted there');
  t.equal((await ask(gateway, 'DELETE', `${path}/${side.id}`, {})).status, 200);
  t.notOk(entrances().some(({ name }) => name === 'Side door'));
});

t.test('manage: a revoked kiosk is admitted again where it hung, and no other', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const kiosk = gateway.admit();
  const { venue, entrance } = gateway.registry.kiosk(kiosk.kiosk)!.placement;
  const path = `/api/1/kiosks/${kiosk.kiosk}/admit`;
  t.equal((await ask(gateway, 'POST', path, { confirm: kiosk.kiosk })).status, 404, 'not revoked');
  gateway.registry.revoke(kiosk.kiosk, gateway.clock.wall());
  t.equal((await ask(gateway, 'POST', path, { confirm: 'a'.repeat(16) })).status, 404, 'another one was confirmed');
  t.equal((await ask(gateway, 'POST', path, { confirm: kiosk.kiosk })).status, 200);
  t.match(gateway.registry.kiosk(kiosk.kiosk), { revokedAtMs: undefined, placement: { venue, entrance } });
  const other = 'a'.repeat(16);
  t.equal((await ask(gateway, 'POST', `/api/1/kiosks/${other}/admit`, { confirm: other })).status, 404, 'never admitted');
});

t.test('manage: a kiosk is given a name with its code, and another afterwards; it is told wherever the kiosk is', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const kiosk = gateway.admit();
  const other = gateway.admit();
  const path = `/api/1/kiosks/${kiosk.kiosk}/name`;
  t.equal((await ask(gateway, 'PUT', path, { name: ' Till 3 ' })).status, 200);
  t.match(await look(gateway, `/api/1/kiosks/${kiosk.kiosk}`), { kiosk: kiosk.kiosk, name: 'Till 3' });
  for (const name of ['a\u0007b', 'x'.repeat(61), kiosk.kiosk, 3])
    t.equal((await ask(gateway, 'PUT', path, { name })).status, 400, String(name));
  t.equal((await ask(gateway, 'PUT', `/api/1/kiosks/${other.kiosk}/name`, { name: 'Till 3' })).status, 400, 'another one has it');
  t.equal((await ask(gateway, 'PUT', `/api/1/kiosks/${'a'.repeat(16)}/name`, { name: 'x' })).status, 404);
  t.equal((await ask(gateway, 'POST', '/api/1/codes', { venue: gateway.venue, name: 'Till 3' })).status, 400, 'nor may a new one');
  t.equal((await ask(gateway, 'POST', '/api/1/codes', { venue: gateway.venue, name: 'Till 4' })).status, 200);
  t.match(await look(gateway, '/api/1/codes'), { codes: [{ name: 'Till 4' }] });
  const control = readControl(gatewayPaths(gateway.directory).control);
  const metrics = await (await fetch(`${control?.url}/metrics`, { headers: { authorization: `Bearer ${control?.token}` } })).text();
  t.match(metrics, `kiosk="${kiosk.kiosk}",venue="${gateway.venue}",kiosk_name="Till 3"`);
  t.match(metrics, /vestibule_kiosk_up\{kiosk="[0-9a-z]{16}",venue="[0-9a-z]{16}"\}/, 'all others have the id alone');
  t.equal((await ask(gateway, 'PUT', path, { name: '' })).status, 200);
  t.equal(gateway.registry.kiosk(kiosk.kiosk)?.name, undefined);
  t.notMatch(gateway.log.text, /Till 3/);
});
