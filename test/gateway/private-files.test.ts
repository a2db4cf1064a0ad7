/** What lies in a gateway's directory is its owner's alone, each file by itself. */
import { chmodSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openEncrypted } from '../../core/sqlite.ts';
import { openDatabase } from '../../gateway/database.ts';
import { openSqlite } from '../../kiosk/sqlite.ts';
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

t.test('files: databases that an earlier release made readable for all are closed to others when they are opened', async (t) => {
  const key = new Uint8Array(32).fill(7);
  const opens = {
    gateway: (path: string) => openDatabase({ path, key, steps: ['CREATE TABLE t (a)'] }),
    core: (path: string) =>
      openEncrypted(path, { subject: 'test', key, schema: ['CREATE TABLE t (a)'], mode: 'write', ifUnreadable: 'store.corrupt' }),
    kiosk: (path: string) => openSqlite(path, { synchronous: 'FULL', maxPages: 1_000 }),
  };
  for (const [room, open] of Object.entries(opens)) {
    const path = join(t.testdir(), `${room}.db`);
    const first = open(path);
    first.prepare('CREATE TABLE more (a)').run();
    const files = [path, `${path}-wal`, `${path}-shm`];
    // As they lie there while another process has them open, too.
    for (const file of files) chmodSync(file, 0o644);
    open(path).close();
    t.strictSame(
      files.map((file) => statSync(file).mode & 0o777),
      [0o600, 0o600, 0o600],
      room,
    );
    first.close();
  }
});
