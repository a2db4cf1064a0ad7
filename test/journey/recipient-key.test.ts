/**
 * The key for which kiosks seal is succeeded by another: what was sealed before still arrives, a kiosk that runs seals for the new one without a
 * restart, and the key before it is needed no more after that. Over real TLS.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CERTIFICATE_DAYS } from '../../gateway/authority.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { succeed } from '../../gateway/rotate/secrets.ts';
import { openRegistry } from '../../gateway/status.ts';
import { silentLog } from '../../protocol/log.ts';
import { startWaitingKiosk } from '../kiosk/waiting-kiosk.ts';
import { DAY_MS, giveCode } from '../support/enrolling.ts';
import { until } from '../support/until.ts';
import { cardOf, Road } from './road.ts';

t.test('recipient key: succeeded, it loses nothing that was sealed before, and a kiosk follows without a restart', async (t) => {
  const road = await Road.open(t);
  const registry = await openRegistry(road.gatewayDir);
  registry.putVenue({ id: road.venue, name: 'Shop', timezone: 'UTC' });
  registry.close();
  const events: string[] = [];
  const log = { ...silentLog, info: (event: string) => void events.push(event) };
  const kiosk = startWaitingKiosk(road.dirOf('kiosk'), { clock: road.clock, log });
  t.teardown(() => kiosk.stop());
  kiosk.type((await giveCode(road.gatewayDir, { venue: road.venue }, road.clock.wall())).text);
  await kiosk.ready;
  const scan = async (card: number) => t.equal(await kiosk.scan(road.textOf(cardOf(card))), 'welcome');
  await scan(1);
  await road.delivered('kiosk');
  const [first] = (await openIdentity(road.gatewayDir)).holders;

  await road.stopGateway();
  await scan(2);
  t.strictSame(await succeed(join(road.gatewayDir, 'keys'), 'recipient', road.clock.wall()), ['recipient.key']);
  const identity = await openIdentity(road.gatewayDir);
  t.equal(identity.holders.length, 2);
  t.strictSame(identity.holders[1], first);
  t.notSame(identity.recipient.id, first?.id);
  // So that the kiosk asks for papers at once, and not within a day.
  road.clock.pass(CERTIFICATE_DAYS * DAY_MS);
  await road.startGateway();
  await road.delivered('kiosk');
  await until(() => events.includes('key.renewed'));
  await scan(3);
  await road.delivered('kiosk');

  await road.stopGateway();
  rmSync(join(road.gatewayDir, 'keys/recipient.key'));
  await road.startGateway();
  t.equal((await openIdentity(road.gatewayDir)).holders.length, 1);
  await scan(4);
  await road.delivered('kiosk');
  t.strictSame((await road.state()).kiosks, {}, 'nothing is withheld, nothing in quarantine');
});
