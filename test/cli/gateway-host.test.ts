import { join } from 'node:path';
import t from 'tap';
import { VestibuleProcess } from '../support/child.ts';

t.test('gateway run: a start that does not say the host tells kiosks the one before; one that says another says so', async (t) => {
  const data = join(t.testdir(), 'data');
  const ports = ['--tls-port', '0', '--tcp-port', '0', '--web-port', '0'];
  const lines = async (host: readonly string[]) => {
    const gateway = new VestibuleProcess(['gateway', 'run', '--data', data, ...ports, ...host]);
    await gateway.line((line) => line.startsWith('kiosks are told'));
    await gateway.end('SIGTERM');
    return gateway.written;
  };
  t.match(await lines(['--host', 'one.example']), /kiosks are told to reach it at one\.example:\d+\n?/);
  t.match(await lines([]), /kiosks are told to reach it at one\.example:\d+/);
  t.match(await lines(['--host', 'two.example']), /told to reach it at two\.example:\d+\nuntil now they were told one\.example:\d+/);
  await t.rejects(
    VestibuleProcess.run(['gateway', 'run', '--data', data, '--host', 'two.example:8883']),
    /publicHost: expected a name or an address.*config\.invalid/s,
  );
});
