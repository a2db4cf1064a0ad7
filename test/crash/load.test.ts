/**
 * A gateway under full load, killed again and again at any instant; then on a disk on which every sync takes long. Every acknowledged row is
 * in the ledger and in the core, every row that was sent is there once. `npm run test:crash -- --full --seed N`: a hundred times.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeBackupKey, readBackupKey } from '../../cli/backup-key.ts';
import { restoreData } from '../../cli/restore-data.ts';
import { systemClock } from '../../protocol/time.ts';
import { buildFsyncLibrary, FsyncWatch } from '../bench/fsync-library.ts';
import { auditRoad } from '../support/audit-road.ts';
import { VestibuleProcess } from '../support/child.ts';
import { seededRandom, suiteSize } from '../support/suite-size.ts';
import { LoadedGateway, pause } from './loaded-gateway.ts';

const { isFull, seed } = suiteSize();
const DEATHS = isFull ? 100 : 8;
const BACKUPS = isFull ? 10 : 2;
const SLOW_DEATHS = isFull ? 10 : 2;
/** From the moment at which all kiosks are connected: the threads that open batches and move the logs are begun within the second second. */
const LONGEST_LIFE_MS = 2_500;
const SLOW_LIFE_MS = 5_000;
/** A worn card, or a disk that others use as well. */
const SLOW_SYNC_US = 50_000;

const namesOf = (rows: readonly { readonly name: string }[]): string[] => rows.map(({ name }) => name).toSorted();

async function dieOften(t: Test, loaded: LoadedGateway, deaths: number, lifeMs: number, random: () => number): Promise<void> {
  const readyMs: number[] = [];
  for (let death = 0; death < deaths; death++) {
    readyMs.push(await loaded.start());
    await pause(random() * lifeMs);
    await loaded.kill();
  }
  readyMs.push(await loaded.start());
  await loaded.drain();
  // Beside much else on a machine the logs grow faster than they are moved for a while: that is told, and is no fault of the gateway.
  const faults = loaded.faults.filter(
    (said) => !/^SIGKILL:( checkpoint\.failed \{"code":"store\.log_long","failures":\d+\}\s*)+$/.test(said),
  );
  t.strictSame(faults, [], 'each died by the kill, and said nothing before');
  const longest = Math.round(Math.max(...readyMs));
  t.comment(`seed ${seed}: killed ${deaths} times, ${loaded.acknowledgedRows} rows acknowledged, ready again after at most ${longest} ms`);
}

async function assertCounts(t: Test, loaded: LoadedGateway): Promise<void> {
  const { rows, scans, quarantined } = await auditRoad(loaded.data);
  for (const { kiosk, sentRows } of loaded.senders) {
    const seqs = rows
      .filter(({ name }) => name.startsWith(`${kiosk.kiosk}/`))
      .map(({ name }) => Number(name.slice(name.lastIndexOf('/') + 1)));
    const isWhole = seqs.length === sentRows && seqs.toSorted((a, b) => a - b).every((seq, at) => seq === at + 1);
    t.ok(isWhole, `${seqs.length} of ${sentRows} rows of a kiosk are in the ledger, each once`);
  }
  t.equal(loaded.acknowledgedRows, rows.length, 'as many as were acknowledged');
  t.equal(scans.length, rows.length, 'as many are in the core');
  t.equal(new Set(scans.map(({ name }) => name)).size, scans.length, 'each once');
  t.equal(quarantined, 0);
}

t.test(
  `crash: a gateway killed ${DEATHS} times under full load loses nothing that it acknowledged and counts nothing twice (seed ${seed})`,
  async (t) => {
    const loaded = await LoadedGateway.open(t.testdir());
    t.teardown(() => loaded.destroy());
    await dieOften(t, loaded, DEATHS, LONGEST_LIFE_MS, seededRandom(seed + 7));
    t.ok(loaded.acknowledgedRows > 100 * DEATHS, 'there was something to lose');
    await assertCounts(t, loaded);
  },
);

t.test(
  `crash: so does one whose every sync takes ${SLOW_SYNC_US / 1_000} ms longer, killed ${SLOW_DEATHS} times (seed ${seed})`,
  async (t) => {
    const data = t.testdir();
    const tools = join(data, 'tools');
    mkdirSync(tools);
    const watch = new FsyncWatch(buildFsyncLibrary(tools), join(tools, 'counts'), SLOW_SYNC_US);
    const loaded = await LoadedGateway.open(data, watch.env);
    t.teardown(() => loaded.destroy());
    await dieOften(t, loaded, SLOW_DEATHS, SLOW_LIFE_MS, seededRandom(seed + 8));
    const { main, otherThreads, fdatasyncs } = watch.counts();
    t.ok(main + otherThreads + fdatasyncs > 10 * SLOW_DEATHS, `${main + otherThreads + fdatasyncs} syncs were slow`);
    t.comment(`${otherThreads} of them a thread’s that moves the logs: it is killed in the middle of that, too`);
    await assertCounts(t, loaded);
  },
);

t.test(
  'crash: a backup made under full load is whole: all that was acknowledged before it, each once, the core at one with the ledger',
  async (t) => {
    const data = t.testdir();
    const keyPath = join(data, 'backup.key');
    const publicHalf = await makeBackupKey(keyPath);
    const loaded = await LoadedGateway.open(data);
    t.teardown(() => loaded.destroy());
    await loaded.start();
    const backups: { readonly path: string; readonly acknowledged: readonly number[]; readonly sent: readonly number[] }[] = [];
    for (let backup = 0; backup < BACKUPS; backup++) {
      await pause(500);
      const acknowledged = loaded.senders.map(({ acknowledgedRows }) => acknowledgedRows);
      const path = join(data, `${backup}.backup`);
      // Another process, as an operator would: the load goes on meanwhile.
      await VestibuleProcess.run(['gateway', 'backup', '--to', path, '--for', publicHalf, '--data', data]);
      backups.push({ path, acknowledged, sent: loaded.senders.map(({ sentRows }) => sentRows) });
    }
    await loaded.drain();
    for (const { path, acknowledged, sent } of backups) {
      const restored = `${path}.restored`;
      await restoreData(path, readBackupKey(keyPath), restored, { clock: systemClock });
      const again = LoadedGateway.restarted(restored);
      t.teardown(() => again.destroy());
      await again.start();
      await again.drain();
      const { rows, scans, quarantined } = await auditRoad(restored);
      for (const [at, { kiosk }] of loaded.senders.entries()) {
        const names = namesOf(rows).filter((name) => name.startsWith(`${kiosk.kiosk}/`));
        const [least = 0, most = 0] = [acknowledged[at], sent[at]];
        const isWhole = new Set(names).size === names.length && names.length >= least && names.length <= most;
        t.ok(isWhole, `${names.length} rows, each once, of ${least} acknowledged before and ${most} sent until after it`);
      }
      t.strictSame(namesOf(scans), namesOf(rows), 'the core has what the ledger has');
      t.equal(quarantined, 0);
    }
  },
);
