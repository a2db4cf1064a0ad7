import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { decodeKioskState } from '../../protocol/kiosk-state.ts';
import { topicOf } from '../../protocol/topics.ts';
import { openCuttableLink } from '../support/cuttable-link.ts';
import { until } from '../support/until.ts';
import { cardOf, promisedBy, Road } from './road.ts';

/** A kiosk tells its state each minute, whatever happens (kiosk/announce.ts): what is shown later than that proves nothing. */
const SAID_ANYWAY_MS = 60_000;

t.test('journey: a link that blinks, and a gateway that restarts, leave no kiosk shown as down that is up', async (t) => {
  const road = await Road.open(t);
  const id = await road.admit('kiosk');
  const link = await openCuttableLink(() => road.gateway.tlsPort);
  t.teardown(() => link.close());
  const trust = JSON.parse(readFileSync(road.trustPath, 'utf8'));
  const trustPath = join(road.dirOf('cable'), 'trust.json');
  writeFileSync(trustPath, JSON.stringify({ ...trust, gateway: { ...trust.gateway, port: link.port } }));
  const kiosk = await road.startKiosk('kiosk', { trustPath, uplink: { firstBackoffMs: 10, longestBackoffMs: 100 } });
  t.equal(await kiosk.scan(road.textOf(cardOf(1))), 'welcome');

  const shown: boolean[] = [];
  let policyVersion = 0;
  const watch = async () => {
    const operator = await road.operator();
    operator.on('message', (_topic, payload) => {
      const { isUp, policy } = decodeKioskState(payload);
      shown.push(isUp);
      policyVersion = policy?.version ?? 0;
    });
    await operator.subscribeAsync(topicOf(id, 'state'));
  };
  await watch();
  // Confirmed in a state of its own, which would come between otherwise.
  await until(() => shown.at(-1) === true && policyVersion > 0);
  await road.delivered('kiosk');
  shown.length = 0;
  const blinkedMs = performance.now();
  link.cut();
  link.mend();
  await until(() => shown.includes(false));
  await until(() => shown.at(-1) === true);
  t.strictSame(shown.slice(shown.indexOf(false)), [false, true], 'down by its Will, and up as soon as it is back');

  shown.length = 0;
  await road.stopGateway();
  await road.startGateway();
  await watch();
  await until(() => shown.at(-1) === true);
  t.ok(performance.now() - blinkedMs < SAID_ANYWAY_MS, 'before the kiosk would have told of itself again anyway');
  t.equal(await kiosk.scan(road.textOf(cardOf(2))), 'welcome');
  await road.delivered('kiosk');
  await road.state();
  const { rows } = await road.audit();
  const names = rows.map(({ name }) => name);
  t.ok(promisedBy(kiosk).every((name) => names.includes(name)));
});
