/** Backup and restore, killed at any instant: what has its name is whole, and a directory is restored or as it was. */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeBackupKey, readBackupKey } from '../../cli/backup-key.ts';
import { verifyBackup } from '../../cli/restore-data.ts';
import { inspectGateway } from '../../gateway/backup/inspect.ts';
import { openRegistry } from '../../gateway/status.ts';
import { VestibuleProcess } from '../support/child.ts';
import { seededRandom, suiteSize } from '../support/suite-size.ts';
import { LoadedGateway, pause } from './loaded-gateway.ts';

const { isFull, seed } = suiteSize();
const KILLS = isFull ? 40 : 6;

t.test(`crash: a backup and a restore killed ${KILLS} times each leave something whole or nothing (seed ${seed})`, async (t) => {
  const random = seededRandom(seed + 9);
  const data = t.testdir();
  const loaded = await LoadedGateway.open(data);
  t.teardown(() => loaded.destroy());
  await loaded.start();
  await loaded.drain();
  const keyPath = join(data, 'backup.key');
  const publicHalf = await makeBackupKey(keyPath);
  const whole = join(data, 'whole.backup');
  const startedMs = performance.now();
  await VestibuleProcess.run(['gateway', 'backup', '--to', whole, '--for', publicHalf, '--data', data]);
  const tookMs = performance.now() - startedMs;
  let made = 0;
  let restored = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const place = join(data, `place-${kill}`);
    mkdirSync(place);
    const [file, to] = [join(place, 'a.backup'), join(place, 'data')];
    for (const args of [
      ['backup', '--to', file, '--for', publicHalf, '--data', data],
      ['restore', '--from', whole, '--key', keyPath, '--data', to],
    ]) {
      const process = new VestibuleProcess(['gateway', ...args]);
      await pause(tookMs * (0.3 + random()));
      await process.end('SIGKILL');
    }
    if (existsSync(file)) {
      made += 1;
      await verifyBackup(file, readBackupKey(keyPath));
    }
    if (!existsSync(to)) {
      await VestibuleProcess.run(['gateway', 'restore', '--from', whole, '--key', keyPath, '--data', to]);
      const left = readdirSync(place).filter((name) => name.endsWith('.restoring'));
      t.strictSame(left, [], 'done again, it takes away what the killed one left');
    } else {
      restored += 1;
      t.match(await inspectGateway(join(to, 'gateway')), { kiosks: loaded.senders.length });
      t.ok(existsSync(join(to, 'core', 'core.db')), 'the core is there, too');
      const registry = await openRegistry(join(to, 'gateway'));
      t.type(registry.restoreBook.newest()?.version, 'number', 'it knows that it was restored');
      registry.close();
    }
    const strange = readdirSync(place).filter((name) => !['a.backup', 'data'].includes(name) && !name.startsWith('.'));
    t.strictSame(strange, [], 'what is left over begins with a dot');
  }
  t.comment(`seed ${seed}: ${made} of ${KILLS} backups and ${restored} of ${KILLS} restores were done before the kill`);
});
