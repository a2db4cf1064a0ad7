/** `vestibule core` on a terminal of its own. */
import { join, resolve } from 'node:path';
import { spawn } from '@lydell/node-pty';
import t from 'tap';
import { dataPaths } from '../../cli/data-paths.ts';
import { openCore } from '../../core/core.ts';
import { makeCoreKeys } from '../../core/keys.ts';
import { encodeCode } from '../../protocol/code.ts';
import { type DeploymentId, newPlaceId } from '../../protocol/ids.ts';
import { silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import { uuidOfPublicKey } from '../../protocol/visitor.ts';

const root = resolve(import.meta.dirname, '../..');

t.test('core: a card that is scanned into a terminal is not shown on it', async (t) => {
  const data = t.testdir();
  const paths = dataPaths(data);
  const keys = await makeCoreKeys(paths.coreKeys);
  (await openCore({ dir: paths.core, deployment: newPlaceId<DeploymentId>(), keys, clock: systemClock, log: silentLog })).close();
  const code = encodeCode({ kind: 'unsigned', card: uuidOfPublicKey(Buffer.from('somebody')) });
  const args = [join(root, 'cli/main.ts'), 'core', 'overlaps', '--purpose', 'a test', '--data', data];
  const terminal = spawn(join(root, 'node_modules/.bin/node'), args, { cols: 200, rows: 24 });
  let shown = '';
  const ended = new Promise<number>((end) => terminal.onExit(({ exitCode }) => end(exitCode)));
  terminal.onData((text) => {
    shown += text;
    if (shown.endsWith('Scan the card: ')) terminal.write(`${code}\r`);
  });
  t.equal(await ended, 0, shown);
  t.match(shown, /No overlaps/);
  t.notMatch(shown, code);
});
