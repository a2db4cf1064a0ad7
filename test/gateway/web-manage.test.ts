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
