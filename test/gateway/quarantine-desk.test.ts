/** Quarantine with a person at it: looked at over the API, tried again once the reason is mended, thrown away. */
import t from 'tap';
import { readControl } from '../../gateway/control-file.ts';
import { openDatabase } from '../../gateway/database.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { LEDGER_STEPS } from '../../gateway/ledger-schema.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { REGISTRY_STEPS } from '../../gateway/registry-schema.ts';
import type { QuarantineView, ReplayAnswer } from '../../gateway/web/schema.ts';
import { WEB } from '../support/busy-gateway.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { checkIn, newCard, publishOrClose, TestKiosk } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';

/** As the command line asks. */
async function ask<T>(gateway: TestGateway, method: string, path: string): Promise<T> {
  const control = readControl(gatewayPaths(gateway.directory).control);
  const reply = await fetch(`${control?.url}${path}`, { method, headers: { authorization: `Bearer ${control?.token}` } });
  return { ...((await reply.json()) as T), status: reply.status };
}

const itemsOf = async (gateway: TestGateway, query = ''): Promise<QuarantineView[]> =>
  (await ask<{ items: QuarantineView[] }>(gateway, 'GET', `/api/1/quarantine${query}`)).items;

t.test('quarantine: an item says whose it is, why, and what to do, and goes when it is thrown away', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const kiosk = gateway.admit();
  const client = await kiosk.connect(gateway.running.tlsPort);
  await publishOrClose(client, kiosk.batchTopic, Buffer.from('not a batch'));
  const [item] = await itemsOf(gateway);
  t.match(item, { kiosk: kiosk.kiosk, code: /^decode\./, sizeBytes: 11, mayReplay: true });
  t.match(item?.meaning, /\.$/);
  t.match(item?.advice, /\w/);
  t.strictSame(await itemsOf(gateway, `?kiosk=${gateway.admit().kiosk}`), []);
  t.match(await ask<ReplayAnswer>(gateway, 'POST', `/api/1/quarantine/${item?.no}/replay`), { outcome: 'quarantined', code: item?.code });
  const [again] = await itemsOf(gateway);
  t.match(again, { kiosk: kiosk.kiosk, code: item?.code });
  t.match(await ask(gateway, 'DELETE', `/api/1/quarantine/${again?.no}`), { status: 200 });
  t.strictSame(await itemsOf(gateway), []);
  t.match(await ask(gateway, 'DELETE', `/api/1/quarantine/${again?.no}`), { status: 404 });
  client.end(true);
});

t.test('quarantine: what stays after a try keeps the number by which it is asked for', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const kiosk = gateway.admit();
  const client = await kiosk.connect(gateway.running.tlsPort);
  for (const message of ['not a batch', 'nor this']) await publishOrClose(client, kiosk.batchTopic, Buffer.from(message));
  client.end(true);
  const before = (await itemsOf(gateway)).map(({ no, sizeBytes }) => [no, sizeBytes]);
  t.equal(before.length, 2);
  for (const [no] of before) t.match(await ask(gateway, 'POST', `/api/1/quarantine/${no}/replay`), { outcome: 'quarantined' });
  t.strictSame(
    (await itemsOf(gateway)).map(({ no, sizeBytes }) => [no, sizeBytes]),
    before,
  );
});

t.test('quarantine: what was refused for its kiosk is taken once that is mended, once, and goes to the core', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  // Signed with a key that the registry does not know under this kiosk: as after a swap that nobody told of.
  const kiosk = gateway.admit();
  const other = new TestKiosk(gateway.running.trust, gateway.clock, kiosk.kiosk);
  const client = await kiosk.connect(gateway.running.tlsPort);
  const start = await other.start();
  const message = start.batch([start.seal(checkIn()), start.seal(checkIn())]);
  await publishOrClose(client, kiosk.batchTopic, message);
  const [item] = await itemsOf(gateway);
  t.equal(item?.code, 'seal.signature');
  client.end(true);

  const { storeKey } = await openIdentity(gateway.directory);
  const db = openDatabase({ path: gatewayPaths(gateway.directory).registry, key: storeKey, steps: REGISTRY_STEPS });
  db.prepare('UPDATE kiosks SET public_key = ? WHERE kiosk = ?').run(other.publicKey, kiosk.kiosk);
  db.close();
  const offers = gateway.intake.entries.length;
  t.match(await ask<ReplayAnswer>(gateway, 'POST', `/api/1/quarantine/${item?.no}/replay`), { outcome: 'taken', acceptedRows: 2 });
  t.strictSame(await itemsOf(gateway), []);
  await until(() => gateway.intake.entries.length === offers + 1);
  t.match(gateway.intake.entries.at(-1), { kind: 'batch', kiosk: kiosk.kiosk });
  t.match(await ask(gateway, 'POST', `/api/1/quarantine/${item?.no}/replay`), { status: 404 }, 'it is gone');
  const again = await other.connect(gateway.running.tlsPort);
  await publishOrClose(again, kiosk.batchTopic, message);
  t.equal(gateway.intake.entries.length, offers + 1, 'sent again by the kiosk, it is a duplicate');
  again.end(true);
});

t.test('quarantine: a copy of a row is not tried again, and nothing of it counts', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const kiosk = gateway.admit();
  const client = await kiosk.connect(gateway.running.tlsPort);
  const start = await kiosk.start();
  await publishOrClose(client, kiosk.batchTopic, start.batch([start.seal(checkIn(newCard()), 1)]));
  await publishOrClose(client, kiosk.batchTopic, start.batch([start.seal(checkIn(newCard()), 1)]));
  const [item] = await itemsOf(gateway);
  t.match(item, { code: 'ingest.conflict', seq: 1, mayReplay: false });
  t.match(await ask<ReplayAnswer>(gateway, 'POST', `/api/1/quarantine/${item?.no}/replay`), {
    outcome: 'quarantined',
    code: 'ingest.conflict',
  });
  t.equal((await itemsOf(gateway)).length, 1);
  client.end(true);
});

t.test('quarantine: what is past retention is not taken any more, whatever was mended', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const kiosk = gateway.admit();
  const other = new TestKiosk(gateway.running.trust, gateway.clock, kiosk.kiosk);
  const client = await kiosk.connect(gateway.running.tlsPort);
  const start = await other.start();
  await publishOrClose(client, kiosk.batchTopic, start.batch([start.seal(checkIn())]));
  client.end(true);
  const { storeKey } = await openIdentity(gateway.directory);
  const registry = openDatabase({ path: gatewayPaths(gateway.directory).registry, key: storeKey, steps: REGISTRY_STEPS });
  registry.prepare('UPDATE kiosks SET public_key = ? WHERE kiosk = ?').run(other.publicKey, kiosk.kiosk);
  registry.close();
  // As it lies there in the hour before retention takes it.
  const ledger = openDatabase({ path: gatewayPaths(gateway.directory).ledger, key: storeKey, steps: LEDGER_STEPS });
  ledger.prepare('UPDATE quarantine SET received_at_ms = ?').run(gateway.clock.wall() - 21 * 86_400_000);
  const [item] = await itemsOf(gateway);
  const refused = { outcome: 'quarantined', code: 'ingest.past_retention' };
  t.match(await ask<ReplayAnswer>(gateway, 'POST', `/api/1/quarantine/${item?.no}/replay`), refused);
  t.match(await itemsOf(gateway), [{ no: item?.no, code: 'ingest.past_retention', mayReplay: false }]);
  ledger.prepare('UPDATE quarantine SET received_at_ms = ?').run(gateway.clock.wall() - 21 * 86_400_000 + 60_000);
  ledger.close();
  t.match(await ask<ReplayAnswer>(gateway, 'POST', `/api/1/quarantine/${item?.no}/replay`), { outcome: 'taken', acceptedRows: 1 });
});
