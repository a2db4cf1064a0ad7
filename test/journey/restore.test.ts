/** A gateway whose disk is lost with a day's events on it: brought back from a backup, it has them again, each once. */
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { dataPaths } from '../../cli/data-paths.ts';
import { makeBackup } from '../../cli/make-backup.ts';
import { restoreData } from '../../cli/restore-data.ts';
import { generateRecipient } from '../../protocol/hpke.ts';
import type { RunningKiosk } from '../kiosk/running-kiosk.ts';
import { cardOf, promisedBy, Road } from './road.ts';

const DAY_MS = 86_400_000;
const { recipient, privateKey } = await generateRecipient();

const namesOf = (rows: readonly { readonly name: string }[]): string[] => rows.map(({ name }) => name).toSorted();

async function scanMany(kiosk: RunningKiosk, road: Road, from: number, to: number): Promise<void> {
  for (let card = from; card < to; card++) await kiosk.scan(road.textOf(cardOf(card)));
}

const backupOf = (road: Road, to: string) =>
  makeBackup(dataPaths(road.data), { to, lockings: [{ kind: 'key', recipient }], nowMs: road.clock.wall() });

/** Gateway and core are gone with their disk, and come back as the backup has them. */
async function loseAndRestore(road: Road, from: string): Promise<void> {
  await road.stopGateway();
  const paths = dataPaths(road.data);
  for (const path of [paths.gateway, paths.core]) rmSync(path, { recursive: true });
  const to = join(road.dirOf('elsewhere'), 'restored');
  await restoreData(from, { kind: 'key', privateKey }, to, road.clock);
  for (const name of ['gateway', 'core']) renameSync(join(to, name), join(road.data, name));
  await road.startGateway();
}

t.test('restore: what came in the day since the backup is sent again by the kiosks, and counts once', async (t) => {
  const road = await Road.open(t);
  for (const name of ['a', 'b']) await road.admit(name);
  const [a, b] = [await road.startKiosk('a'), await road.startKiosk('b')];
  await scanMany(a, road, 0, 20);
  await scanMany(b, road, 100, 110);
  for (const name of ['a', 'b']) await road.delivered(name);
  const backup = join(road.dirOf('elsewhere'), 'day.backup');
  await backupOf(road, backup);
  road.clock.pass(DAY_MS);
  await scanMany(a, road, 20, 60);
  await scanMany(b, road, 110, 130);
  for (const name of ['a', 'b']) await road.delivered(name);
  const before = await road.state();
  t.equal(before.state, 'up');

  await loseAndRestore(road, backup);
  for (const name of ['a', 'b']) {
    await road.askedAgain(name);
    await road.delivered(name);
  }
  await road.state();
  const promised = [...promisedBy(a), ...promisedBy(b)].toSorted();
  const audit = await road.audit();
  t.equal(promised.length, 90);
  const scans = audit.rows.filter(({ event }) => event.type === 'check-in');
  t.strictSame(namesOf(scans), promised, 'all in the ledger, once');
  t.strictSame(namesOf(audit.scans), promised, 'all in the core, once');
  t.equal(audit.quarantined, 0);
});
