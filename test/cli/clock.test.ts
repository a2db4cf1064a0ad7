import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { VestibuleProcess } from '../support/child.ts';

const { run } = VestibuleProcess;

t.test('clock: confirmed with a reason, which is in the audit log; heard by the gateway that starts next', async (t) => {
  const data = join(t.testdir(), 'data');
  const confirm = ['clock', 'confirm', '--purpose', 'off since May', '--data', data];
  await t.rejects(run(confirm), /neither a gateway nor a core is there.*config\.invalid/s);
  const start = async () => {
    const gateway = new VestibuleProcess(['gateway', 'run', '--data', data, '--tls-port', '0', '--tcp-port', '0', '--web-port', '0']);
    await gateway.line((line) => line.startsWith('gateway ready'));
    await gateway.end('SIGTERM');
  };
  await start();
  await t.rejects(run(['clock', 'confirm', '--data', data]), /--purpose/);
  t.match(await run(confirm), /^20\d\d-\S+Z is taken for right: /);
  t.match(await run(['audit', 'list', '--data', data]), /clock\.confirm off since May/);
  const word = join(data, 'gateway', 'retention-clock.confirmed.json');
  t.ok(existsSync(word));
  await start();
  t.notOk(existsSync(word), 'a word is heard once');
});
