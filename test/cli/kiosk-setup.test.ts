/** Set-up at a terminal, where the kiosk itself can not start. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { VestibuleProcess } from '../support/child.ts';

t.test('kiosk setup: ends with what is wrong, when another program has the port of its page', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.teardown(() => other.close());
  await once(other, 'listening');
  const address = other.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  // Its standard input stays open, as a terminal does.
  const setup = new VestibuleProcess(['kiosk', 'setup', '--data', join(t.testdir(), 'data'), '--page-port', `${port}`]);
  t.teardown(() => setup.end('SIGKILL'));
  t.equal(await setup.ended(), 78);
  t.match(setup.written, /another program has it .*--page-port names another port\) \[config\.invalid\]/);
});
