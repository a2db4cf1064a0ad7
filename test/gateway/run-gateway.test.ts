import t from 'tap';
import { startTestGateway } from '../support/test-gateway.ts';
import { checkIn } from '../support/test-kiosk.ts';

t.test('gateway: a batch is in the ledger when its PUBACK arrives', async (t) => {
  const gateway = await startTestGateway(t);
  const kiosk = gateway.admit();
  const client = await kiosk.connect(gateway.running.tlsPort);
  const start = await kiosk.start();
  const rows = [start.seal(checkIn()), start.seal(checkIn())];
  await client.publishAsync(kiosk.batchTopic, Buffer.from(start.batch(rows)), { qos: 1 });
  t.equal(gateway.ledger.prepare('SELECT count(*) FROM rows').pluck().get(), 2);
  await gateway.clock.advance(10);
  t.match(gateway.intake.entries, [{ kind: 'batch', kiosk: kiosk.kiosk, rows: [{}, {}] }]);
  client.end(true);
});
