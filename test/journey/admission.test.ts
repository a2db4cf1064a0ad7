import t from 'tap';
import { until } from '../support/until.ts';
import { cardOf, promisedBy, Road } from './road.ts';

t.test('journey: a kiosk that nobody admitted serves and says so; once admitted it delivers all', async (t) => {
  const road = await Road.open(t);
  const kiosk = await road.startKiosk('kiosk', { page: { isOn: true, port: 0 } });
  const id = kiosk.ready.kiosk;
  for (let card = 0; card < 4; card++) t.equal(await kiosk.scan(road.textOf(cardOf(card))), 'welcome');
  const { refused } = await road.state((state) => state.refused.length > 0);
  t.match(refused, [{ kiosk: id, code: 'admission.unknown_kiosk' }], 'the gateway says who it refused');
  await until(() => /offline \(link\.unauthorised\)/.test(kiosk.shown.join('')));
  const health = await fetch(`${kiosk.ready.pageUrl}/healthz`);
  t.match(await health.json(), { state: 'degraded', isOnline: false });
  t.ok(kiosk.feedback.every(({ isStoredOffline }) => isStoredOffline));

  await road.admit('kiosk');
  await road.delivered('kiosk');
  t.match(await (await fetch(`${kiosk.ready.pageUrl}/healthz`)).json(), { state: 'up', isOnline: true, queued: 0 });
  await road.state(({ connectedKiosks }) => connectedKiosks === 1);
  const { rows, scans } = await road.audit();
  const names = rows.map(({ name }) => name);
  t.ok(promisedBy(kiosk).every((name) => names.includes(name)));
  t.equal(scans.length, 4);
});

t.test('journey: a kiosk with the id of an admitted one and another key is refused', async (t) => {
  const road = await Road.open(t);
  const id = await road.admit('kiosk');
  road.copy('kiosk', 'thief');
  const thief = await road.startThief('thief', id);
  const { refused } = await road.state((state) => state.refused.length > 0);
  t.match(refused, [{ kiosk: id, code: 'admission.wrong_key' }]);
  await until(() => /offline \(link\.unauthorised\)/.test(thief.shown.join('')));
  await thief.scan(road.textOf(cardOf(1)));
  const { rows } = await road.audit();
  t.strictSame(rows, []);
});
