/** What lies in a gateway's directory is its owner's alone, each file by itself. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startTestGateway } from '../support/test-gateway.ts';
import { checkIn, publishOrClose } from '../support/test-kiosk.ts';

/** Public, and carried elsewhere. */
const PUBLIC = /(^|\/)(trust\.json|[a-z-]+\.crt)$/;

t.test('files: nobody but its owner may read or write one, what SQLite makes among them', async (t) => {
  const gateway = await startTestGateway(t);
  const kiosk = gateway.admit();
  const client = await kiosk.connect(gateway.running.tlsPort);
  const start = await kiosk.start();
  await publishOrClose(client, kiosk.batchTopic, start.batch([start.seal(checkIn())]));
  client.end(true);
  const names = readdirSync(gateway.directory, { recursive: true, encoding: 'utf8' }).filter((name) => !PUBLIC.test(name));
  t.ok(names.some((name) => name.endsWith('-wal')) && names.some((name) => name.endsWith('00000001.db')));
  t.strictSame(
    names.filter((name) => (statSync(join(gateway.directory, name)).mode & 0o077) !== 0),
    [],
  );
});
