/** `$SYS` as an operator's tools read it: every topic that the operator's guide lists, and what each says. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import t from 'tap';
import { Inbox } from '../support/inbox.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { checkIn, publishOrClose } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';

const guide = readFileSync(resolve(import.meta.dirname, '../../docs/operator.md'), 'utf8');
const [, table = ''] = /^\| `\$SYS\/broker\/…` \|.*\n((?:\|.*\n)+)/m.exec(guide) ?? [];
const documented = table.split('\n').flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name));

/** @returns the retained values, by the name behind `$SYS/broker/`, to an operator who comes late. */
async function told(gateway: TestGateway): Promise<Record<string, string>> {
  const operator = await gateway.operator();
  const { messages } = new Inbox(operator);
  await operator.subscribeAsync('$SYS/#');
  // aedes would tell of the subscription there, too: what it said of the first is out before the second is answered.
  await operator.subscribeAsync('$SYS/broker/version');
  await until(() => new Set(messages.map(({ topic }) => topic)).size >= documented.length);
  return Object.fromEntries(messages.map(({ topic, payload }) => [topic.replace('$SYS/broker/', ''), payload.toString()]));
}

t.test('$SYS: tells operators each count that is documented, and no other, every ten seconds', async (t) => {
  const gateway = await startTestGateway(t);
  const kiosk = gateway.admit();
  const silent = gateway.admit();
  const revoked = gateway.admit();
  gateway.registry.revoke(revoked.kiosk, gateway.clock.wall());
  await gateway.clock.advance(1_000);
  const client = await kiosk.connect(gateway.running.tlsPort);
  const other = await silent.connect(gateway.running.tlsPort);
  other.end(true);
  const start = await kiosk.start();
  const rows = [start.seal(checkIn()), start.seal(checkIn()), start.seal(checkIn())];
  const batches = [start.batch(rows), start.batch(rows.slice(1)), new Uint8Array([0x83, 1])];
  for (const batch of batches) await publishOrClose(client, kiosk.batchTopic, batch);
  await until(() => gateway.log.of('kiosk.disconnected').length > 0);
  // As NTP does to a gateway that began before it knew the time.
  gateway.clock.stepWall(86_400_000);
  await gateway.clock.advance(20_000);
  const bytes = batches.reduce((sum, { length }) => sum + length, 0);
  const values = await told(gateway);
  t.ok(documented.length >= 8, `${documented.length} in the guide`);
  t.strictSame(Object.keys(values).toSorted(), documented.toSorted());
  t.strictSame(values, {
    version: 'vestibule 0',
    uptime: values.uptime,
    'clients/connected': '1',
    'clients/total': '2',
    'messages/received': '3',
    'bytes/received': String(bytes),
    'vestibule/rows/accepted': '3',
    'vestibule/rows/duplicate': '2',
  });
  const uptime = Number(/^(\d+) seconds$/.exec(values.uptime ?? '')?.[1]);
  t.ok(uptime >= 11 && uptime <= 21, `${values.uptime}: by the running clock`);
  client.end(true);
  await until(() => gateway.log.of('kiosk.disconnected').length > 1);
  await gateway.clock.advance(10_000);
  const later = await told(gateway);
  t.equal(later['clients/connected'], '0');
  t.equal(Number.parseInt(later.uptime ?? '', 10) - uptime, 10);
});

t.test('$SYS: is told to no kiosk', async (t) => {
  const gateway = await startTestGateway(t);
  const kiosk = gateway.admit();
  const client = await kiosk.connect(gateway.running.tlsPort);
  const { messages } = new Inbox(client);
  for (const filter of ['$SYS/#', '$SYS/broker/uptime', '#']) await t.rejects(client.subscribeAsync(filter), filter);
  await gateway.clock.advance(20_000);
  await client.subscribeAsync(`vestibule/1/kiosk/${kiosk.kiosk}/receipt`, { qos: 1 });
  t.strictSame(
    messages.filter(({ topic }) => topic.startsWith('$')),
    [],
  );
  client.end(true);
});
