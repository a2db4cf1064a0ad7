import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import t from 'tap';
import { askGateway } from '../../kiosk/gateway-api.ts';
import { makeCertificate } from '../../protocol/certificate.ts';
import { generateSigningKey } from '../../protocol/ed25519.ts';
import { ALPN_HTTP } from '../../protocol/enrol.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { outcomeOfPromise } from '../support/wire.ts';

t.test('askGateway: an answer that goes over to another protocol is link.lost, and is not waited for', async (t) => {
  const privateKey = generateSigningKey();
  const certificatePem = await makeCertificate(privateKey, 'gateway');
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
  const server = createServer({ key, cert: certificatePem, ALPNProtocols: [ALPN_HTTP] }, (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const address = { host: '127.0.0.1', port, isGateway: () => true, certificatePem, privateKey };
  const clock = new ManualClock();
  const { signal } = new AbortController();
  t.equal(await outcomeOfPromise(() => askGateway(address, '/', '{}', clock, signal)), 'link.lost');
  t.equal(clock.pending, 0, 'no timer is left');
  server.close();
  await once(server, 'close');
});
