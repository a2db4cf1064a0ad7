/**
 * What takes days, over processes: who is next scanned on day 9 is told then, still 47 hours later, and no more 49 hours after it was shown. The
 * processes are started anew with a clock that is so much later.
 */
import { join } from 'node:path';
import t from 'tap';
import { decodeCode, encodeCode } from '../../protocol/code.ts';
import type { VisitorUuid } from '../../protocol/ids.ts';
import { countUnsent } from '../support/count-unsent.ts';
import { telling } from '../support/until.ts';
import { type Answer, type KioskProcess, NoticeRoad } from './notice-road.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const cardIn = (text: string): VisitorUuid => {
  const code = decodeCode(text);
  if (code.kind !== 'visitor') throw new Error('not a visitor card');
  return code.card;
};
const isTold = ({ hasNotice }: Answer): boolean => hasNotice === true;

t.test('notices: a card next scanned on day 9 gets its notice; 49 hours after it was shown it does not, over processes', async (t) => {
  const road = new NoticeRoad(t.testdir());
  t.teardown(() => road.close());
  await road.ownCore('north');
  for (const name of ['Clinic', 'Shop', 'Library']) await road.command('north', 'venue', 'add', '--name', name);
  const { cards, stickers } = await road.print('north', 3, 1);
  const [sick = '', met = '', met2 = ''] = cards;
  const [sticker = ''] = stickers;
  const clinician = (await road.command('north', 'clinician', 'add', '--venue', 'Clinic', '--label', 'Desk')).split('\n').at(-1) ?? '';
  await road.startGateway('north');
  await road.enrol('desk', 'north', 'Clinic', '--role', 'clinic');
  await road.enrol('shop', 'north', 'Shop');
  await road.enrol('library', 'north', 'Library');
  await road.scannedBefore('shop', [
    { card: cardIn(sick), minutesAgo: 400 },
    { card: cardIn(met), minutesAgo: 390 },
    { card: cardIn(met2), minutesAgo: 380 },
  ]);
  const unsent = (name: string): number => countUnsent(join(road.dirOf(name), 'kiosk', 'outbox.db'));
  /** Waits until a kiosk's rows are with the gateway, and stops it. */
  const delivered = async (name: string, kiosk: KioskProcess): Promise<void> => {
    for (const told = telling(`what ${name} holds is delivered`); unsent(name) > 0; told())
      await new Promise((resolve) => setTimeout(resolve, 20));
    await kiosk.stop();
  };
  await delivered('shop', await road.startKiosk('shop'));
  const desk = await road.startKiosk('desk');
  t.match(await desk.scan(sticker), { kind: 'scan-card-now' });
  t.match(await desk.scan(sick), { kind: 'sticker-linked' });
  await desk.scanUntil(clinician, ({ kind }) => kind === 'scan-test-sticker');
  await desk.scan(sticker);
  t.match(await desk.scan(encodeCode({ kind: 'result', result: 'positive' })), { kind: 'result-recorded' });
  await delivered('desk', desk);
  await road.stopGateway('north');

  /** Starts gateway, core and library so much later. */
  const at = async (laterMs: number): Promise<KioskProcess> => {
    road.laterMs = laterMs;
    await road.startGateway('north');
    return await road.startKiosk('library');
  };
  const day9 = await at(9 * DAY_MS);
  t.ok(isTold(await day9.scanUntil(met, isTold)), 'on day 9');
  t.notOk(isTold(await day9.scan(sick)), 'nobody else');
  await delivered('library', day9);
  const said = await road.command('north', 'core', 'venue-notices', '--venue', 'Shop');
  t.match(said, /^Shop {2}\d{4}-\d\d-\d\dT\d\d:00:00.000Z to .* visitors: fewer than 5$/m, 'what the shop is told');
  t.match(await road.command('north', 'core', 'venue-notices', '--venue', 'Library'), /^Library: nothing/);
  await road.stopGateway('north');

  const later = await at(9 * DAY_MS + 47 * HOUR_MS);
  t.ok(isTold(await later.scanUntil(met, isTold)), '47 hours after it was shown');
  await delivered('library', later);
  await road.stopGateway('north');

  const past = await at(9 * DAY_MS + 49 * HOUR_MS);
  t.ok(isTold(await past.scanUntil(met2, isTold)), 'another, who was not seen since, is told: the kiosk knows of notices');
  t.notOk(isTold(await past.scan(met)), '49 hours after it was shown');
});
