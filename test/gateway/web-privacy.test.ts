/** Nothing that the operators' listener says names a card or tells a temperature; the search finds a planted one. */
import t from 'tap';
import { readControl } from '../../gateway/control-file.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { WEB } from '../support/busy-gateway.ts';
import { bytesSecret, searchBytes, temperatureSecret } from '../support/leak-search.ts';
import { startTestGateway } from '../support/test-gateway.ts';
import { checkIn, newCard, publishOrClose, temperature } from '../support/test-kiosk.ts';

t.test('web: a card that was flagged, tried and quarantined is named nowhere, nor how warm it was', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const kiosk = gateway.admit();
  const client = await kiosk.connect(gateway.running.tlsPort);
  const start = await kiosk.start();
  const card = newCard();
  const scan = start.seal(checkIn(card));
  const readings = [1, 2].map((attempt) => start.seal(temperature(card, start.ref(scan), attempt as 1 | 2, 38.47)));
  await publishOrClose(client, kiosk.batchTopic, start.batch([scan, ...readings]));
  await publishOrClose(client, kiosk.batchTopic, start.batch([start.seal(checkIn(card), scan.seq)]));
  await gateway.clock.advance(1_000);
  const { url, token } = readControl(gatewayPaths(gateway.directory).control) ?? { url: '', token: '' };
  const secrets = [bytesSecret('card', card), temperatureSecret('temperature', 3_847), bytesSecret('key', kiosk.publicKey)];
  const paths = ['overview', `kiosks/${kiosk.kiosk}`, 'flags', 'quarantine', 'audit', 'log-level'].map((name) => `/api/1/${name}`);
  for (const path of [...paths, '/metrics', '/healthz', '/readyz']) {
    const reply = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
    t.equal(reply.status, 200, path);
    const text = Buffer.from(await reply.text());
    t.strictSame(searchBytes(path, text, secrets), [], path);
    if (path.endsWith('flags')) t.match(text.toString(), /"state":"confirmed"/, 'there is something to be found');
    if (path.endsWith('quarantine')) t.match(text.toString(), /ingest\.conflict/);
    t.equal(
      searchBytes(path, Buffer.concat([text, Buffer.from(` ${Buffer.from(card).toString('hex')} 38.47`)]), secrets).length,
      2,
      'a planted one is found',
    );
  }
  t.strictSame(searchBytes('log', Buffer.from(gateway.log.text), secrets), []);
  client.end(true);
});
