import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { cardOf, promisedBy, Road } from './road.ts';

t.test('journey: a kiosk that was told an address that leads nowhere delivers to where its gateway was reached last', async (t) => {
  const road = await Road.open(t);
  await road.admit('kiosk');
  const before = await road.startKiosk('kiosk');
  t.equal(await before.scan(road.textOf(cardOf(1))), 'welcome');
  await road.delivered('kiosk');
  await before.stop();

  const trust = JSON.parse(readFileSync(road.trustPath, 'utf8'));
  const trustPath = join(road.dirOf('carried'), 'trust.json');
  writeFileSync(trustPath, JSON.stringify({ ...trust, gateway: { ...trust.gateway, host: '127.0.0.2' } }));
  const after = await road.startKiosk('kiosk', { trustPath });
  t.equal(await after.scan(road.textOf(cardOf(2))), 'welcome');
  await road.delivered('kiosk');
  const { rows } = await road.audit();
  for (const name of [...promisedBy(before), ...promisedBy(after)]) t.ok(rows.some((row) => row.name === name));
});
