/** A card that its holder takes back, over the whole road: by a proof at the core, with a kiosk that is away and comes back. */

import { randomUUID } from 'node:crypto';
import t from 'tap';
import type { HolderReceipt } from '../../core/holder/receipt.ts';
import { encodeCode } from '../../protocol/code.ts';
import { decodeChallenge, encodeProof, type HolderAction, signProof } from '../../protocol/holder.ts';
import { newKeyCode } from '../../protocol/key-code.ts';
import { deriveVisitor, type Visitor } from '../../protocol/visitor.ts';
import { CardSearch } from '../support/card-search.ts';
import { bytesSecret, searchTree, textSecret } from '../support/leak-search.ts';
import { telling, until } from '../support/until.ts';
import { Road } from './road.ts';

const payloadOf = (jws: string): HolderReceipt => JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString()) as HolderReceipt;

async function ask(road: Road, visitor: Visitor, action: HolderAction): Promise<HolderReceipt | undefined> {
  const { holder } = road.core;
  const answer = await holder.ask(encodeProof(signProof(action, decodeChallenge(holder.challenge()), visitor)), `page ${randomUUID()}`);
  const { receipt } = JSON.parse(answer) as { receipt: string | null };
  return receipt === null ? undefined : payloadOf(receipt);
}

const statesOf = (receipt: HolderReceipt | undefined): string =>
  (receipt?.tiers ?? []).map(({ tier, state }) => `${tier} ${state}`).join(', ');

/** Waits until a receipt says so; every page that looks is another. */
async function untilSaid(road: Road, visitor: Visitor, isIt: (receipt: HolderReceipt) => boolean): Promise<HolderReceipt> {
  const told = telling(`the receipt to say: ${isIt}`);
  for (; ; told()) {
    const receipt = await ask(road, visitor, 'receipt');
    if (receipt !== undefined && isIt(receipt)) return receipt;
    // Not oftener than a core lets all pages together.
    await new Promise((resolve) => setTimeout(resolve, 110));
  }
}

/** Where anything that leads to the card is found. */
const found = (road: Road, visitor: Visitor): Promise<string[]> => new CardSearch(visitor).find(road.data);

t.test('journey: a card is taken back: gone from core and gateway at once, from a kiosk that was away when it is back', async (t) => {
  const road = await Road.open(t);
  const [anna, ben] = [deriveVisitor(newKeyCode()), deriveVisitor(newKeyCode())];
  await road.admit('near');
  await road.admit('away');
  const near = await road.startKiosk('near', { direction: 'both' });
  let away = await road.startKiosk('away', { direction: 'both' });
  for (const kiosk of [near, away]) {
    t.equal(await kiosk.scan(road.textOf(anna.card)), 'welcome');
    t.equal(await kiosk.scan(road.textOf(ben.card)), 'welcome');
  }
  for (const name of ['near', 'away']) await road.delivered(name);
  await road.state();
  await away.stop();
  t.ok(
    (await found(road, anna)).some((line) => /^core\/.*the core's name/.test(line)),
    'she is found before',
  );
  const before = road.core.counts();

  t.match(await ask(road, anna, 'revoke'), { tiers: [{ tier: 'core', state: 'done' }] });
  await untilSaid(road, anna, (receipt) => /gateway done, kiosks pending, sinks done/.test(statesOf(receipt)));
  await untilSaid(road, anna, ({ tiers }) => tiers.some(({ tier, done }) => tier === 'kiosks' && done === 1));
  t.equal(statesOf(await ask(road, anna, 'receipt')), 'core done, gateway done, kiosks pending, sinks done, backups pending');
  t.ok(
    (await found(road, anna)).every((line) => line.startsWith('away/')),
    'and nowhere after, but in the kiosk that is away',
  );
  t.ok(
    (await found(road, ben)).some((line) => /^core\/.*the core's name/.test(line)),
    'the other is still there',
  );
  t.equal(before.checkIns - road.core.counts().checkIns, 2);
  t.equal(await near.scan(road.textOf(anna.card)), 'card-withdrawn', 'her card is not taken any more');

  away = await road.startKiosk('away', { direction: 'both' });
  await untilSaid(road, anna, (receipt) => /kiosks done/.test(statesOf(receipt)));
  t.equal(await away.scan(road.textOf(anna.card)), 'card-withdrawn');
  t.equal(statesOf(await ask(road, anna, 'receipt')), 'core done, gateway done, kiosks done, sinks done, backups pending');
  t.strictSame(await found(road, anna), []);
});

t.test('journey: what a kiosk that was away still holds of the card is refused at the gateway, and kept nowhere but there', async (t) => {
  const road = await Road.open(t);
  const anna = deriveVisitor(newKeyCode());
  await road.admit('kiosk');
  await road.stopGateway();
  const kiosk = await road.startKiosk('kiosk', { direction: 'both' });
  t.equal(await kiosk.scan(road.textOf(anna.card)), 'welcome', 'kept while the gateway is away');
  await kiosk.stop();
  await road.startGateway();
  await ask(road, anna, 'revoke');
  await untilSaid(road, anna, (receipt) => /gateway done/.test(statesOf(receipt)));
  await road.startKiosk('kiosk', { direction: 'both' });
  await road.delivered('kiosk');
  await untilSaid(road, anna, (receipt) => /kiosks done/.test(statesOf(receipt)));
  await road.state();
  // Its row went as it was, sealed in an earlier start; in the outbox it is kept as every settled row is, and nobody there has its key.
  t.ok((await found(road, anna)).every((line) => line.startsWith('kiosk/outbox.db')));
  t.equal(road.core.counts().checkIns, 0);
});

t.test('journey: at a kiosk, the key code looks, takes the card back and tells of the receipt; it is never a check-in', async (t) => {
  const road = await Road.open(t);
  const keyCode = newKeyCode();
  const anna = deriveVisitor(keyCode);
  const stub = (): string => encodeCode({ kind: 'key', keyCode });
  await road.admit('kiosk');
  const kiosk = await road.startKiosk('kiosk', { direction: 'both', page: { isOn: true, port: 0 } });
  const press = async (command: string): Promise<void> => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${kiosk.ready.pageUrl}/staff`, { method: 'POST', headers, body: JSON.stringify({ command }) });
    t.equal(answer.status, 204);
  };
  const said = (): string | undefined => kiosk.feedback.at(-1)?.kind;
  t.equal(await kiosk.scan(stub()), 'keep-at-home', 'outside of the mode it counts for nothing');
  t.equal(await kiosk.scan(road.textOf(anna.card)), 'welcome');
  await road.delivered('kiosk');
  await road.state();
  await press('holder');
  t.equal(said(), 'holder-scan-key');
  t.equal(await kiosk.scan(road.textOf(anna.card)), 'holder-scan-key', 'a card is no key code, and nobody is checked in');
  t.equal(await kiosk.scan(stub()), 'holder-asking');
  await until(() => said() === 'holder-no-notice');
  await press('holder-revoke');
  t.equal(said(), 'holder-scan-to-revoke');
  t.equal(road.core.counts().checkIns, 1, 'nothing happens before the key code is shown once more');
  await kiosk.scan(stub());
  await until(() => said() === 'holder-erasing' || said() === 'holder-erased');
  await untilSaid(road, anna, (receipt) => /gateway done, kiosks done, sinks done/.test(statesOf(receipt)));
  await kiosk.scan(stub());
  await until(() => said() === 'holder-erased');
  await press('holder');
  t.equal(said(), 'holder-left');
  t.equal(await kiosk.scan(road.textOf(anna.card)), 'card-withdrawn');
  t.strictSame(await found(road, anna), []);
  t.equal(road.core.counts().checkIns, 0);
  t.strictSame(
    searchTree(road.data, [bytesSecret('key code', keyCode), textSecret('key code as a QR code', stub())], () => false),
    [],
  );
});
