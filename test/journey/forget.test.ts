/** Nothing of a card is left after retention, nor after its holder took it back: in no store, in no backup's copy that comes back, by one search. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import t, { type Test } from 'tap';
import { dataPaths } from '../../cli/data-paths.ts';
import { makeBackup } from '../../cli/make-backup.ts';
import { restoreData } from '../../cli/restore-data.ts';
import { backupName, pruneBackups } from '../../gateway/backup/old-backups.ts';
import { copyRevocations, setSecondPlace } from '../../gateway/backup/revocation-file.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { openIdentity as openKioskIdentity } from '../../kiosk/kiosk-identity.ts';
import { decodeChallenge, encodeProof, signProof } from '../../protocol/holder.ts';
import { generateRecipient } from '../../protocol/hpke.ts';
import { newKeyCode } from '../../protocol/key-code.ts';
import { deriveVisitor, type Visitor } from '../../protocol/visitor.ts';
import { CardSearch } from '../support/card-search.ts';
import { checkIn, publishOrClose, TestKiosk } from '../support/test-kiosk.ts';
import { telling } from '../support/until.ts';
import { Road } from './road.ts';

const { recipient, privateKey } = await generateRecipient();
const OPENING = { kind: 'key', privateKey } as const;
const DAY_MS = 86_400_000;

interface House {
  readonly road: Road;
  readonly backups: string;
  readonly anna: Visitor;
  readonly search: CardSearch;
}

/** A card was at a door, lies in quarantine too, and all of it has arrived. */
async function openHouse(t: Test): Promise<House> {
  const dir = t.testdir({ house: {}, backups: {} });
  const road = await Road.open(t, { directory: join(dir, 'house') });
  const anna = deriveVisitor(newKeyCode());
  await road.admit('door');
  const kiosk = await road.startKiosk('door', { direction: 'both' });
  t.equal(await kiosk.scan(road.textOf(anna.card)), 'welcome');
  t.equal(await kiosk.scan(road.textOf(deriveVisitor(newKeyCode()).card)), 'welcome');
  await road.delivered('door');
  await road.state();
  await kiosk.stop();
  await quarantine(road, anna);
  return { road, backups: join(dir, 'backups'), anna, search: new CardSearch(anna, OPENING) };
}

/** The door's kiosk says two things under one number, as a damaged or restored card does, and sends a batch that was signed for elsewhere. */
async function quarantine(road: Road, { card }: Visitor): Promise<void> {
  const { kiosk, privateKey } = openKioskIdentity(road.dirOf('door'));
  const forger = new TestKiosk(road.gateway.trust, road.clock, kiosk, privateKey);
  const start = await forger.start();
  const client = await forger.connect(road.gateway.tlsPort);
  const [one, other, alone] = [start.seal(checkIn(card), 900), start.seal(checkIn(card), 900), start.seal(checkIn(card), 901)];
  const batches = [start.batch([one]), start.batch([other]), start.batch([alone], 'vestibule/1/kiosk/else/batch')];
  for (const batch of batches) await publishOrClose(client, forger.batchTopic, batch);
  await client.endAsync();
}

/** @returns where it lies. */
async function backUp({ road, backups }: House): Promise<string> {
  const nowMs = road.clock.wall();
  const to = join(backups, backupName(nowMs));
  await makeBackup(dataPaths(road.data), { to, lockings: [{ kind: 'key', recipient }], nowMs });
  return to;
}

const revoke = async ({ road, anna }: House): Promise<void> => {
  const { holder } = road.core;
  await holder.ask(encodeProof(signProof('revoke', decodeChallenge(holder.challenge()), anna)), `page ${randomUUID()}`);
};

/** Waits until the search says so. */
async function untilFound({ road, search }: House, isIt: (found: readonly string[]) => boolean): Promise<string[]> {
  const told = telling(`the search to say: ${isIt}`);
  for (; ; told()) {
    const found = await search.find(road.data);
    if (isIt(found)) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const ROWS = [
  /^core\/days\/.*: the core's name$/,
  /^door\/outbox\.db: an opened row$/,
  /^gateway\/ledger\/.*: an opened row$/,
  /^gateway\/gateway\.db quarantine: an opened row$/,
];

/** Gateway and core are gone with their disk, and come back as a backup has them. */
async function comeBack({ road }: House, from: string, revocations?: string): Promise<void> {
  await road.stopGateway();
  const paths = dataPaths(road.data);
  for (const path of [paths.gateway, paths.core]) rmSync(path, { recursive: true });
  const to = join(road.data, 'restored');
  await restoreData(from, OPENING, to, { clock: road.clock, ...(revocations === undefined ? {} : { revocations }) });
  for (const name of ['gateway', 'core']) renameSync(join(to, name), join(road.data, name));
  rmSync(to, { recursive: true });
  await road.startGateway();
}

t.test(
  'forgotten: past retention a card is in no store and no backup, and an old backup that comes back brings nothing of it',
  async (t) => {
    const house = await openHouse(t);
    const { road, backups, search } = house;
    await backUp(house);
    const before = await search.find(road.data);
    for (const form of ROWS)
      t.ok(
        before.some((line) => form.test(line)),
        `${form} before, among ${before.length}`,
      );
    const inBackup = await search.find(backups);
    for (const form of [/core\/days/, /gateway\/ledger/, /gateway\.db quarantine/])
      t.ok(
        inBackup.some((line) => form.test(line)),
        `${form} in the backup`,
      );

    // A kiosk counts the time that it runs.
    const kiosk = await road.startKiosk('door', { direction: 'both' });
    road.clock.pass(23 * DAY_MS);
    await road.stopGateway();
    await road.startGateway();
    await untilFound(house, (found) => found.every((line) => line.startsWith('door/') && !line.includes('opened')));
    // What was dropped goes out of a log within the hour.
    road.clock.pass(3_600_000);
    t.strictSame(
      await untilFound(house, (found) => found.length === 0),
      [],
      'nothing in any store, the running kiosk and its log among them',
    );
    await kiosk.stop();
    t.strictSame(await search.find(road.data), []);
    await backUp(house);
    t.equal(pruneBackups(backups, 21, road.clock.wall()), 1);
    t.strictSame(await search.find(backups), [], 'the new one has nothing of it, and the old one is gone');
  },
);

t.test('forgotten: an old backup that lies elsewhere brings nothing back that is past retention', async (t) => {
  const house = await openHouse(t);
  const { road, backups, search } = house;
  const old = await backUp(house);
  road.clock.pass(23 * DAY_MS);
  rmSync(join(road.data, 'door'), { recursive: true });
  await comeBack(house, old);
  t.strictSame(await untilFound(house, (found) => found.length === 0), []);
  mkdirSync(join(road.data, 'door'));
  t.ok((await search.find(backups)).length > 0, 'the file itself is for whoever keeps it to take away');
});

t.test(
  'forgotten: a card that was taken back is in no later backup, and a restore of gateway and core from an earlier one does not bring it back',
  async (t) => {
    const house = await openHouse(t);
    const { road, backups, search, anna } = house;
    const second = join(backups, 'second');
    mkdirSync(second);
    setSecondPlace(road.gatewayDir, second);
    const earlier = await backUp(house);
    t.ok((await search.find(road.data)).length >= 3, 'a planted card is found before');
    await revoke(house);
    const kiosk = await road.startKiosk('door', { direction: 'both' });
    t.strictSame(await untilFound(house, (found) => found.length === 0), [], 'and in no store after');
    road.clock.pass(60_000);
    const later = basename(await backUp(house));
    const lines = await search.find(backups);
    t.ok(lines.length > 0 && lines.every((line) => !line.startsWith(later)), 'the earlier backup has it, a later one has not');

    const { storeKey } = await openIdentity(road.gatewayDir);
    const revocations = await copyRevocations(road.gatewayDir, storeKey);
    await kiosk.stop();
    await comeBack(house, earlier, revocations);
    t.strictSame(await untilFound(house, (found) => found.length === 0), []);
    const again = await road.startKiosk('door', { direction: 'both' });
    const told = telling('the card to be refused');
    while ((await again.scan(road.textOf(anna.card))) !== 'card-withdrawn') {
      told();
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  },
);
