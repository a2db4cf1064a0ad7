import t, { type Test } from 'tap';
import type { RoadAudit } from '../support/audit-road.ts';
import { cardOf, hexOf, promisedBy, Road } from './road.ts';

const SETTINGS = { uplink: { firstBackoffMs: 20, longestBackoffMs: 200, ackTimeoutMs: 2_000 } };

/** Every card in ledger and core once, and every promise in the ledger. */
function everyCardOnce(t: Test, { rows, scans, quarantined }: RoadAudit, cards: number, promised: readonly string[]): void {
  const checkIns = rows.filter(({ event }) => event.type === 'check-in');
  const seen = checkIns.map(({ event }) => (event.type === 'check-in' ? hexOf(event.card) : '')).toSorted();
  t.strictSame(seen, Array.from({ length: cards }, (_, card) => hexOf(cardOf(card))).toSorted(), 'every card is in the ledger, once');
  const names = new Set(rows.map(({ name }) => name));
  t.equal(names.size, rows.length, 'no row twice');
  t.strictSame(
    promised.filter((name) => !names.has(name)),
    [],
    'what was promised is there',
  );
  t.strictSame(scans.map(({ name }) => name).toSorted(), checkIns.map(({ name }) => name).toSorted(), 'the core has them all, once');
  t.equal(quarantined, 0);
}

t.test('journey: two live copies of one kiosk take over from each other; both get everything through, and it is shown', async (t) => {
  const road = await Road.open(t);
  const id = await road.admit('kiosk');
  const original = await road.startKiosk('kiosk', SETTINGS);
  await original.scan(road.textOf(cardOf(0)));
  await road.delivered('kiosk');
  await original.stop();
  road.copy('kiosk', 'copy');

  const [one, other] = await Promise.all([road.startKiosk('kiosk', SETTINGS), road.startKiosk('copy', SETTINGS)]);
  for (let turn = 0; turn < 20; turn++) {
    t.equal(await one.scan(road.textOf(cardOf(1 + 2 * turn))), 'welcome');
    t.equal(await other.scan(road.textOf(cardOf(2 + 2 * turn))), 'welcome');
  }
  const seqsOf = ({ feedback }: typeof one): (number | undefined)[] => feedback.map(({ seq }) => seq);
  t.strictSame(seqsOf(one), seqsOf(other), 'both use the same sequence numbers');
  await Promise.all([road.delivered('kiosk'), road.delivered('copy')]);
  const state = await road.state(({ kiosks }) => (kiosks[id]?.clonedRows ?? 0) >= 20);
  const shown = state.kiosks[id];
  t.match(shown, { isCloned: true, missingRows: 0, quarantine: { items: 0 } });
  t.ok((shown?.takeovers ?? 0) > 0, 'that one connection takes the place of another is shown, too');
  t.equal(state.state, 'up', 'nothing stands still because of it');
  t.comment(`${shown?.takeovers} takeovers, ${shown?.clonedRows} cloned rows`);
  const promised = [original, one, other].flatMap(promisedBy);
  everyCardOnce(t, await road.audit(), 41, promised);
});

t.test('journey: a kiosk restored from an older image loses nothing that either wrote, and is shown as cloned', async (t) => {
  const road = await Road.open(t);
  const id = await road.admit('kiosk');
  const first = await road.startKiosk('kiosk', SETTINGS);
  for (let card = 0; card < 3; card++) await first.scan(road.textOf(cardOf(card)));
  await road.delivered('kiosk');
  await first.stop();
  road.copy('kiosk', 'image');
  const later = await road.startKiosk('kiosk', SETTINGS);
  for (let card = 3; card < 10; card++) await later.scan(road.textOf(cardOf(card)));
  await road.delivered('kiosk');
  await later.stop();

  const restored = await road.startKiosk('image', SETTINGS);
  for (let card = 10; card < 15; card++) t.equal(await restored.scan(road.textOf(cardOf(card))), 'welcome');
  await road.delivered('image');
  const { kiosks } = await road.state((state) => state.kiosks[id]?.isCloned === true);
  t.match(kiosks[id], { isCloned: true, takeovers: 0, quarantine: { items: 0 } });
  const promised = [first, later, restored].flatMap(promisedBy);
  everyCardOnce(t, await road.audit(), 15, promised);
});
