import type { MqttClient } from 'mqtt';
import t, { type Test } from 'tap';
import { storedTroubleOf } from '../../gateway/stored-trouble.ts';
import { publicKeyFromRaw } from '../../protocol/ed25519.ts';
import { openReceipt, type Receipt } from '../../protocol/receipt.ts';
import { digestOf } from '../../protocol/row.ts';
import { topicOf } from '../../protocol/topics.ts';
import { Inbox } from '../support/inbox.ts';
import { rowsIn } from '../support/read-ledger.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { checkIn, type TestKiosk } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';

/** Resolves at PUBACK. */
const send = (client: MqttClient, kiosk: TestKiosk, message: Uint8Array) =>
  client.publishAsync(kiosk.batchTopic, Buffer.from(message), { qos: 1 });

/** What the intake was given, as sequence numbers in order. */
const forwarded = (gateway: TestGateway): number[] =>
  gateway.intake.entries.flatMap((entry) => (entry.kind === 'batch' ? entry.rows.map((row) => row.length) : []));

async function connected(t: Test) {
  const gateway = await startTestGateway(t);
  const kiosk = gateway.admit();
  const client = await kiosk.connect(gateway.running.tlsPort);
  t.teardown(() => client.end(true));
  return { gateway, kiosk, client, start: await kiosk.start() };
}

t.test('delivery: a batch is in the ledger when its PUBACK arrives, and goes to the intake as it came', async (t) => {
  const { gateway, kiosk, client, start } = await connected(t);
  const rows = [start.seal(checkIn()), start.seal(checkIn())];
  const message = start.batch(rows);
  await send(client, kiosk, message);
  t.equal(rowsIn(gateway), 2);
  await until(() => gateway.intake.entries.length > 0);
  t.match(gateway.intake.entries, [
    {
      kind: 'batch',
      position: 1,
      kiosk: kiosk.kiosk,
      kioskPublicKey: kiosk.publicKey,
      placement: { venue: gateway.venue, direction: 'both', dwellMs: 3_600_000 },
      topic: kiosk.batchTopic,
      keyRecord: start.keyRecord,
      rows: rows.map(({ row }) => row),
      receivedAtMs: gateway.clock.wall(),
    },
  ]);
});

t.test('delivery: a batch sent again, by whatever message, is acknowledged and counted once', async (t) => {
  const { gateway, kiosk, client, start } = await connected(t);
  const rows = [start.seal(checkIn()), start.seal(checkIn()), start.seal(checkIn())];
  const message = start.batch(rows.slice(0, 2));
  await send(client, kiosk, message);
  await send(client, kiosk, message);
  await send(client, kiosk, start.batch(rows.slice(1)));
  t.equal(rowsIn(gateway), 3);
  await until(() => forwarded(gateway).length === 3);
  t.match(gateway.intake.entries, [{ rows: [{}, {}] }, { rows: [{}] }]);
});

t.test('delivery: rows that come out of order are no gap once all are there', async (t) => {
  const { gateway, kiosk, client, start } = await connected(t);
  const [a, b, c, d] = [1, 2, 3, 4].map(() => start.seal(checkIn())) as [never, never, never, never];
  await send(client, kiosk, start.batch([d]));
  t.equal(storedTroubleOf(gateway.ledger, kiosk.kiosk).missingRows, 3);
  await send(client, kiosk, start.batch([b]));
  await send(client, kiosk, start.batch([a]));
  t.equal(storedTroubleOf(gateway.ledger, kiosk.kiosk).missingRows, 1);
  await send(client, kiosk, start.batch([c]));
  t.equal(storedTroubleOf(gateway.ledger, kiosk.kiosk).missingRows, 0);
  t.equal(gateway.ledger.prepare('SELECT count(*) FROM spans').pluck().get(), 1);
});

t.test('delivery: the rows of one batch can have different fates, and the receipt tells each', async (t) => {
  const { gateway, kiosk, client, start } = await connected(t);
  const inbox = new Inbox(client);
  const receiptTopic = topicOf(kiosk.kiosk, 'receipt');
  await client.subscribeAsync(receiptTopic, { qos: 1 });
  const first = start.seal(checkIn());
  await send(client, kiosk, start.batch([first]));
  const other = start.seal(checkIn(), 2);
  await send(client, kiosk, start.batch([other]));
  const illegible = { seq: 3 as typeof first.seq, row: start.seal(checkIn(), 99).row };
  const conflicting = start.seal(checkIn(), 2);
  const fresh = [start.seal(checkIn(), 4), start.seal(checkIn(), 5)];
  const message = start.batch([first, conflicting, illegible, ...fresh]);
  await send(client, kiosk, message);

  const openOf = (payload: Buffer): Receipt =>
    openReceipt(payload, { deployment: gateway.running.trust.deployment, kiosk: kiosk.kiosk, publicKey: receiptKey });
  const receiptKey = publicKeyFromRaw(gateway.running.trust.receiptKey);
  const digest = Buffer.from(digestOf(message));
  const { payload } = await inbox.next((m) => digest.equals(openOf(m.payload).batchDigest));
  t.strictSame(openOf(payload).ranges, [
    { from: 1, to: 1, outcome: 'duplicate', reason: undefined },
    { from: 2, to: 2, outcome: 'conflict', reason: 'ingest.conflict' },
    { from: 3, to: 3, outcome: 'quarantined', reason: 'seal.open' },
    { from: 4, to: 5, outcome: 'accepted', reason: undefined },
  ]);
  t.equal(rowsIn(gateway), 4);
  t.match(storedTroubleOf(gateway.ledger, kiosk.kiosk), {
    isCloned: false,
    clonedRows: 0,
    missingRows: 0,
    quarantine: { items: 2, reasons: { 'ingest.conflict': 1, 'seal.open': 1 } },
  });
});

t.test('delivery: the first batch of a connection has a receipt, and each of which something was not accepted', async (t) => {
  const { gateway, kiosk, client, start } = await connected(t);
  const receiptTopic = topicOf(kiosk.kiosk, 'receipt');
  const inbox = new Inbox(client);
  await client.subscribeAsync(receiptTopic, { qos: 1 });
  const outcomesOf = (payload: Buffer): string[] =>
    openReceipt(payload, {
      deployment: gateway.running.trust.deployment,
      kiosk: kiosk.kiosk,
      publicKey: publicKeyFromRaw(gateway.running.trust.receiptKey),
    }).ranges.map(({ outcome }) => outcome);
  const first = start.batch([start.seal(checkIn())]);
  await send(client, kiosk, first);
  t.strictSame(outcomesOf((await inbox.next((m) => m.topic === receiptTopic)).payload), ['accepted']);
  await send(client, kiosk, start.batch([start.seal(checkIn())]));
  await send(client, kiosk, first);
  t.strictSame(outcomesOf((await inbox.next((m) => m.topic === receiptTopic)).payload), ['duplicate']);
  client.end(true);
  const back = await kiosk.connect(gateway.running.tlsPort);
  t.teardown(() => back.end(true));
  const again = new Inbox(back);
  await back.subscribeAsync(receiptTopic, { qos: 1 });
  await send(back, kiosk, start.batch([start.seal(checkIn())]));
  t.strictSame(outcomesOf((await again.next((m) => m.topic === receiptTopic)).payload), ['accepted']);
});

t.test('delivery: two live copies of one kiosk lose nothing, and are shown', async (t) => {
  const { gateway, kiosk, client, start } = await connected(t);
  await send(client, kiosk, start.batch([start.seal(checkIn()), start.seal(checkIn()), start.seal(checkIn())]));
  t.equal(storedTroubleOf(gateway.ledger, kiosk.kiosk).isCloned, false);
  kiosk.rewind(2);
  const restored = await kiosk.start();
  await send(client, kiosk, restored.batch([restored.seal(checkIn()), restored.seal(checkIn()), restored.seal(checkIn())]));
  t.equal(rowsIn(gateway), 6);
  t.match(storedTroubleOf(gateway.ledger, kiosk.kiosk), { isCloned: true, clonedRows: 2, missingRows: 0, quarantine: { items: 0 } });
  await until(() => forwarded(gateway).length === 6);
});

t.test('delivery: an intake that fails for a while gets everything later, once and in order', async (t) => {
  const { gateway, kiosk, client, start } = await connected(t);
  gateway.intake.isFailing = true;
  for (let i = 0; i < 5; i++) await send(client, kiosk, start.batch([start.seal(checkIn())]));
  await until(() => gateway.log.of('forward.failed').length > 0);
  t.match(gateway.log.of('forward.failed'), [{ level: 'error', fields: { sink: 'core', code: 'store.busy' } }]);
  await gateway.clock.advance(120_000);
  t.ok(gateway.intake.offers < 20, 'backs off');
  t.strictSame(gateway.intake.entries, []);
  gateway.intake.isFailing = false;
  await gateway.clock.advance(60_000);
  await until(() => gateway.intake.entries.length === 5);
  t.strictSame(
    gateway.intake.entries.map(({ position }) => position),
    [1, 2, 3, 4, 5],
  );
  await until(() => gateway.log.of('forward.recovered').length === 1);
});

t.test('delivery: a core brought back from a backup is offered again what it had taken since', async (t) => {
  const { gateway, kiosk, client, start } = await connected(t);
  for (let i = 0; i < 5; i++) await send(client, kiosk, start.batch([start.seal(checkIn())]));
  await until(() => gateway.intake.entries.length === 5);
  await gateway.stop();
  gateway.intake.entries.length = 2;
  const again = await startTestGateway(t, { after: gateway });
  await until(() => again.intake.entries.length === 5);
  t.strictSame(
    again.intake.entries.map(({ position }) => position),
    [1, 2, 3, 4, 5],
  );
});

t.test('delivery: a gateway that restarts goes on at its cursor and remembers what it has', async (t) => {
  const { gateway, kiosk, client, start } = await connected(t);
  const message = start.batch([start.seal(checkIn())]);
  await send(client, kiosk, message);
  await until(() => gateway.intake.entries.length === 1);
  gateway.intake.isFailing = true;
  const second = start.batch([start.seal(checkIn())]);
  await send(client, kiosk, second);
  await until(() => gateway.log.of('forward.failed').length === 1);
  await gateway.stop();

  gateway.intake.isFailing = false;
  const offersBefore = gateway.intake.offers;
  const again = await startTestGateway(t, { after: gateway });
  t.equal(again.running.trust.deployment, gateway.running.trust.deployment);
  t.equal(again.running.trust.gateway.certificatePem, gateway.running.trust.gateway.certificatePem);
  await until(() => again.intake.entries.length === 2);
  t.equal(again.intake.offers, offersBefore + 1, 'what was taken is not offered again');
  const back = await kiosk.connect(again.running.tlsPort);
  t.teardown(() => back.end(true));
  await send(back, kiosk, message);
  await send(back, kiosk, second);
  t.equal(rowsIn(again), 2);
});

t.test('delivery: many kiosks that send at once share transactions', async (t) => {
  const gateway = await startTestGateway(t);
  const kiosks = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const kiosk = gateway.admit();
      const client = await kiosk.connect(gateway.running.tlsPort);
      t.teardown(() => client.end(true));
      return { kiosk, client, start: await kiosk.start() };
    }),
  );
  await Promise.all(
    kiosks.flatMap(({ kiosk, client, start }) =>
      Array.from({ length: 20 }, () => send(client, kiosk, start.batch([start.seal(checkIn())]))),
    ),
  );
  t.equal(rowsIn(gateway), 160);
  await until(() => forwarded(gateway).length === 160);
});
