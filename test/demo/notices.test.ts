/**
 * From a result to the notice, with a core, two gateways and five kiosks as processes of their own, over TLS and enrolment: under two seconds
 * from the scan of the result, or from the request over REST, to the first scan that is told at a kiosk of another venue, and of another gateway.
 * What takes days is in test/journey/notices.test.ts, where the time is the test's.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { decodeCode, encodeCode } from '../../protocol/code.ts';
import type { VisitorUuid } from '../../protocol/ids.ts';
import { askRest } from '../support/ask-rest.ts';
import { TestIssuer } from '../support/test-issuer.ts';
import { type Answer, type KioskProcess, NoticeRoad } from './notice-road.ts';

const WITHIN_MS = 2_000;

const cardIn = (text: string): VisitorUuid => {
  const code = decodeCode(text);
  if (code.kind !== 'visitor') throw new Error('not a visitor card');
  return code.card;
};
/** As a gateway of another deployment takes it, where its venue does. */
const unsigned = (text: string): string => encodeCode({ kind: 'unsigned', card: cardIn(text) });
const isTold = ({ hasNotice }: Answer): boolean => hasNotice === true;

t.test('notices: a result is told at other venues and by other gateways in under 2 s, over processes', async (t) => {
  const road = new NoticeRoad(t.testdir());
  const issuer = await TestIssuer.open();
  t.teardown(async () => {
    await road.close();
    await issuer.close();
  });
  const caPath = join(road.dirOf('issuer-of-tokens'), 'ca.pem');
  writeFileSync(caPath, issuer.caPem);
  const people = { issuer: issuer.url, audience: issuer.audience, caPath, roles: { lab: 'clinician', staff: 'administrator' } };
  await road.openCore('north', { rest: { issuers: [people] } });
  await road.addGateway('south');
  await Promise.all([
    road.command('north', 'venue', 'add', '--name', 'Clinic', '--region', 'town'),
    road.command('south', 'venue', 'add', '--name', 'Museum', '--unsigned', 'taken'),
  ]);
  await road.command('north', 'venue', 'add', '--name', 'Shop');
  await road.command('north', 'venue', 'add', '--name', 'Library');
  const { cards, stickers } = await road.print('north', 4, 2);
  const [sick = '', met = '', other = '', met2 = ''] = cards;
  const [sticker = '', sticker2 = ''] = stickers;
  const clinician = (await road.command('north', 'clinician', 'add', '--venue', 'Clinic', '--label', 'Desk')).split('\n').at(-1) ?? '';
  await Promise.all([road.startGateway('north'), road.startGateway('south')]);
  await Promise.all([
    road.enrol('desk', 'north', 'Clinic', '--role', 'clinic'),
    road.enrol('museum', 'south', 'Museum'),
    road.enrol('shop', 'north', 'Shop'),
    road.enrol('library', 'north', 'Library'),
  ]);
  await road.scannedBefore('shop', [
    { card: cardIn(sick), minutesAgo: 400 },
    { card: cardIn(met), minutesAgo: 390 },
    { card: cardIn(other), minutesAgo: 110 },
    { card: cardIn(met2), minutesAgo: 100 },
  ]);
  const [desk, museum, library] = await Promise.all(['desk', 'museum', 'library', 'shop'].map((name) => road.startKiosk(name)));
  if (desk === undefined || museum === undefined || library === undefined) throw new Error('no kiosks');

  /** @returns how long it takes until both have told the card, each. */
  const told = async (text: string, fromMs: number): Promise<readonly number[]> => {
    const first = async (kiosk: KioskProcess, as: string) => (await kiosk.scanUntil(as, isTold)).atMs - fromMs;
    return await Promise.all([first(library, text), first(museum, unsigned(text))]);
  };

  for (const [of, card] of [
    [sticker, sick],
    [sticker2, other],
  ] as const) {
    t.match(await desk.scan(of), { kind: 'scan-card-now' });
    t.match(await desk.scan(card), { kind: 'sticker-linked' });
  }
  // What the shop's kiosk kept, handed over.
  await road.coreHolds(4, await issuer.token({ vestibule_roles: ['staff'] }, Date.now()));
  t.notOk(isTold(await library.scan(met)), 'nothing is known yet');
  t.notOk(isTold(await museum.scan(unsigned(met))), 'nor anywhere else');

  await desk.scanUntil(clinician, ({ kind }) => kind === 'scan-test-sticker');
  t.match(await desk.scan(sticker), { kind: 'choose-result' });
  const scannedMs = performance.now();
  const [recorded, [here = 0, there = 0]] = await Promise.all([
    desk.scan(encodeCode({ kind: 'result', result: 'positive' })),
    told(met, scannedMs),
  ]);
  t.match(recorded, { kind: 'result-recorded' });
  t.ok(here < WITHIN_MS, `by sticker and clinician's code, at another venue: ${Math.round(here)} ms`);
  t.ok(there < WITHIN_MS, `the same, by another gateway: ${Math.round(there)} ms`);
  t.notOk(isTold(await library.scan(met2)), 'who met nobody of it');
  t.notOk(isTold(await library.scan(sick)), 'nor the case itself');

  const token = await issuer.token({ vestibule_roles: ['lab'], vestibule_regions: ['town'] }, Date.now());
  const body = { sticker: sticker2, result: 'positive', key: 'one' };
  const askedMs = performance.now();
  const asked = askRest({ port: road.restPort, path: '/core/1/results', method: 'POST', token, purpose: 'case-management', body });
  const [answer, [hereByRest = 0, thereByRest = 0]] = await Promise.all([asked, told(met2, askedMs)]);
  t.match(answer, { status: 200, json: { state: 'positive' } });
  t.ok(hereByRest < WITHIN_MS, `over REST, at another venue: ${Math.round(hereByRest)} ms`);
  t.ok(thereByRest < WITHIN_MS, `the same, by another gateway: ${Math.round(thereByRest)} ms`);

  await road.stopGateway('north');
  t.ok(isTold(await library.scan(met2)), 'offline too');
  const secrets = [...cards, ...stickers, clinician, unsigned(met)];
  t.notOk(
    secrets.some((secret) => road.written.includes(secret)),
    'and nothing that was scanned is in what any of them wrote',
  );
});
