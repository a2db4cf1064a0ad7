/**
 * From a sticker to a case, over the whole road: a clinic's kiosk links it, a clinician records its result there, and the core has a case.
 * Real gateway, real kiosks, a real core, real files.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { Registry } from '../../gateway/registry.ts';
import type { FeedbackKind } from '../../kiosk/feedback.ts';
import { encodeCode } from '../../protocol/code.ts';
import { startWaitingKiosk, type WaitingKiosk } from '../kiosk/waiting-kiosk.ts';
import { giveCode } from '../support/enrolling.ts';
import { telling, until } from '../support/until.ts';
import { cardOf, Road } from './road.ts';

async function withRegistry<T>(road: Road, use: (registry: Registry) => T): Promise<T> {
  const { storeKey } = await openIdentity(road.gatewayDir);
  const registry = new Registry(gatewayPaths(road.gatewayDir).registry, storeKey);
  try {
    return use(registry);
  } finally {
    registry.close();
  }
}

/** What runs, to be stopped before the test's directory goes, in the opposite order. */
const stops: (() => Promise<void>)[] = [];

function journey(title: string, run: (t: Test, road: Road) => Promise<void>): void {
  t.test(title, async (t) => {
    try {
      const road = await Road.open(t);
      stops.push(() => road.close());
      await withRegistry(road, (registry) => registry.putVenue({ id: road.venue, name: 'Clinic', timezone: 'UTC' }));
      await run(t, road);
    } finally {
      for (const stop of stops.splice(0).reverse()) await stop();
    }
  });
}

async function enrolled(road: Road, name: string, role: 'kiosk' | 'clinic'): Promise<WaitingKiosk> {
  const kiosk = startWaitingKiosk(road.dirOf(name), { clock: road.clock });
  stops.push(() => kiosk.stop());
  kiosk.type((await giveCode(road.gatewayDir, { venue: road.venue, direction: 'both', role }, road.clock.wall())).text);
  await kiosk.ready;
  return kiosk;
}

/** A clinician of the road's venue. @returns the code's number and text. */
async function clinician(road: Road): Promise<{ number: number; text: string }> {
  const { number, secret } = await withRegistry(road, ({ clinicians }) => clinicians.add(road.venue, 'Desk 1', road.clock.wall()));
  return { number, text: encodeCode({ kind: 'clinician', secret }) };
}

/** A kiosk hears within a second whose codes are good. */
async function scanUntil(kiosk: WaitingKiosk, text: string, wanted: FeedbackKind): Promise<void> {
  // A turn of the event loop between: a scan alone takes none, and what is waited for comes over the network.
  while ((await kiosk.scan(text)) !== wanted) await new Promise<void>((resolve) => setImmediate(resolve));
}

const newSticker = (): Uint8Array => new Uint8Array(randomBytes(16));

journey('clinic: a sticker is linked, its result recorded, and the core has a confirmed case', async (t, road) => {
  const { text: code } = await clinician(road);
  const desk = await enrolled(road, 'desk', 'clinic');
  const sticker = road.textOfSticker(newSticker());
  const card = road.textOf(cardOf(1));
  t.equal(await desk.scan(sticker), 'scan-card-now');
  t.equal(await desk.scan(card), 'sticker-linked');
  t.equal(await desk.scan(sticker), 'sticker-used', 'it works once');
  await scanUntil(desk, code, 'scan-test-sticker');
  t.equal(await desk.scan(sticker), 'choose-result');
  t.equal(await desk.scan(encodeCode({ kind: 'result', result: 'positive' })), 'result-recorded');
  await road.delivered('desk');
  await until(() => road.core.cases.open().length > 0);
  t.match(road.core.cases.open(), [{ state: 'confirmed', source: 'sticker', venue: road.venue }]);
  t.equal(road.core.counts().checkIns, 0, 'a desk checks nobody in');
  t.notMatch(desk.shown.join(''), new RegExp(`${sticker}|${card}|${code}`), 'nothing of what was scanned is shown');
});

journey('clinic: a kiosk without the role takes no sticker, no clinician and no result', async (t, road) => {
  const door = await enrolled(road, 'door', 'kiosk');
  const { text: code } = await clinician(road);
  for (const text of [road.textOfSticker(newSticker()), code, encodeCode({ kind: 'result', result: 'negative' })])
    t.equal(await door.scan(text), 'not-a-clinic');
  t.equal(await door.scan(road.textOf(cardOf(1))), 'welcome');
  t.match(door.shown.join(''), /Not at this kiosk +Test stickers are scanned at the clinic’s own desk. Nothing was kept\./);
  await door.stop();
  const papers = join(road.dirOf('door'), 'enrolment.json');
  writeFileSync(papers, readFileSync(papers, 'utf8').replace('"role":"kiosk"', '"role":"clinic"'));
  const again = startWaitingKiosk(road.dirOf('door'), { clock: road.clock });
  stops.push(() => again.stop());
  await again.ready;
  t.equal(await again.scan(road.textOfSticker(newSticker())), 'not-a-clinic', 'what its certificate says counts, not what lies beside it');
});

journey('clinic: a clinician whose code is taken back is not known any more', async (t, road) => {
  const { number, text } = await clinician(road);
  const desk = await enrolled(road, 'desk', 'clinic');
  await scanUntil(desk, text, 'scan-test-sticker');
  t.ok(await withRegistry(road, ({ clinicians }) => clinicians.revoke(number, road.clock.wall())));
  await scanUntil(desk, text, 'clinician-unknown');
  t.equal(await desk.scan(encodeCode({ kind: 'result', result: 'positive' })), 'no-test-yet');
});

/** A desk hears within seconds what the core knows of stickers; what it says when it has is not undone by scanning. */
async function stickerUntil(kiosk: WaitingKiosk, text: string, wanted: FeedbackKind): Promise<void> {
  for (const told = telling(`a desk to say ${wanted}`); (await kiosk.scan(text)) !== wanted; told()) {
    kiosk.type('not a code');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

journey('clinic: a sticker that was used, voided or has expired is refused at every desk, offline too', async (t, road) => {
  const { text: code } = await clinician(road);
  const first = await enrolled(road, 'first', 'clinic');
  const second = await enrolled(road, 'second', 'clinic');
  const [used, recorded, voided, fresh] = [newSticker(), newSticker(), newSticker(), newSticker()];
  const positive = encodeCode({ kind: 'result', result: 'positive' });
  const link = async (sticker: Uint8Array, card: number) => {
    t.equal(await first.scan(road.textOfSticker(sticker)), 'scan-card-now');
    t.equal(await first.scan(road.textOf(cardOf(card))), 'sticker-linked');
  };
  await link(used, 1);
  await link(recorded, 2);
  await link(voided, 3);
  await scanUntil(first, code, 'scan-test-sticker');
  t.equal(await first.scan(road.textOfSticker(recorded)), 'choose-result');
  t.equal(await first.scan(positive), 'result-recorded');
  await road.delivered('first');
  await until(() => road.core.cases.open().length > 0);
  const by = { recorder: 'officer', key: 'one', venue: road.venue };
  t.equal(road.core.cases.record({ ...by, sticker: voided, result: 'void' }), 'void', 'over REST, at no desk at all');

  const [usedText, recordedText] = [road.textOfSticker(used), road.textOfSticker(recorded)];
  const [voidedText, freshText] = [road.textOfSticker(voided), road.textOfSticker(fresh)];
  await stickerUntil(second, voidedText, 'sticker-void');
  t.equal(await second.scan(usedText), 'sticker-used', 'linked at the other desk');
  t.equal(await second.scan(recordedText), 'sticker-used', 'and its test is over');
  await scanUntil(second, code, 'scan-test-sticker');
  t.equal(await second.scan(recordedText), 'result-there-already');
  t.equal(await second.scan(voidedText), 'sticker-void');
  t.equal(await second.scan(usedText), 'choose-result', 'whose result may be recorded anywhere');
  t.match(second.shown.join(''), /Sticker void/);

  await road.stopGateway();
  t.equal(await second.scan(encodeCode({ kind: 'result', result: 'negative' })), 'result-recorded');
  t.equal(await second.scan(freshText), 'scan-card-now', 'a fresh one is taken offline');
  t.equal(await second.scan(usedText), 'sticker-used', 'and one that was used is not');
  t.equal(await second.scan(voidedText), 'sticker-void');
  road.clock.pass(15 * 86_400_000);
  t.equal(await first.scan(usedText), 'sticker-expired', 'its own memory and what it was told say the same');
  t.notMatch(`${first.shown.join('')}${second.shown.join('')}`, new RegExp([usedText, voidedText, freshText].join('|')));
});
