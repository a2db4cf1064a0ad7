/** A card that its holder takes back, over the whole road: by a proof at the core, with a kiosk that is away and comes back. */

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import t from 'tap';
import type { HolderReceipt } from '../../core/holder/receipt.ts';
import { encodeCode } from '../../protocol/code.ts';
import { decodeErasure } from '../../protocol/erasure.ts';
import { decodeChallenge, encodeProof, type HolderAction, signProof } from '../../protocol/holder.ts';
import type { KioskId } from '../../protocol/ids.ts';
import { newKeyCode } from '../../protocol/key-code.ts';
import { decodeKioskState } from '../../protocol/kiosk-state.ts';
import { topicOf } from '../../protocol/topics.ts';
import { deriveVisitor, type Visitor } from '../../protocol/visitor.ts';
import { CardSearch } from '../support/card-search.ts';
import { countUnsent } from '../support/count-unsent.ts';
import { bytesSecret, searchTree, textSecret } from '../support/leak-search.ts';
import { RemoteBroker } from '../support/remote-broker.ts';
import { telling, until } from '../support/until.ts';
import { cardOf, Road } from './road.ts';

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

/** Waits until a kiosk says that it has heard of a card that was taken back, and holds rows that may be the card's. */
async function untilForgetting(road: Road, kiosk: KioskId): Promise<void> {
  const operator = await road.operator();
  await new Promise<void>((resolve) => {
    operator.on('message', (_topic, payload) => {
      if (decodeKioskState(payload).policy?.isForgetting === true) resolve();
    });
    operator.subscribe(topicOf(kiosk, 'state'));
  });
  await operator.endAsync();
}

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

t.test(
  'journey: what a kiosk that was away has not sent of the card is refused at the gateway, and gone there before it says so',
  async (t) => {
    const road = await Road.open(t);
    const anna = deriveVisitor(newKeyCode());
    const id = await road.admit('kiosk');
    await road.stopGateway();
    const kiosk = await road.startKiosk('kiosk', { direction: 'both' });
    const others = [0, 1, 2, 3, 4, 5].map(cardOf);
    for (const card of [...others, anna.card]) t.equal(await kiosk.scan(road.textOf(card)), 'welcome', 'kept while the gateway is away');
    await kiosk.stop();
    await road.startGateway();
    await ask(road, anna, 'revoke');
    await untilSaid(road, anna, (receipt) => /gateway done/.test(statesOf(receipt)));
    // A kiosk that sends two rows a second, of which hers is among the last: it hears of the card before that has gone.
    const slow = { direction: 'both', uplink: { batchRows: 1, drainRowsPerSecond: 2, firstBackoffMs: 10, longestBackoffMs: 100 } };
    const back = await road.startKiosk('kiosk', slow);
    await untilForgetting(road, id);
    t.match(statesOf(await ask(road, anna, 'receipt')), /kiosks pending/);
    // Killed between, it begins anew.
    await back.stop();
    await road.startKiosk('kiosk', slow);
    await untilForgetting(road, id);
    t.match(statesOf(await ask(road, anna, 'receipt')), /kiosks pending/);
    await untilSaid(road, anna, (receipt) => /kiosks done/.test(statesOf(receipt)));
    t.strictSame(await found(road, anna), [], 'the running kiosk and its log among them');
    t.equal(countUnsent(join(road.dirOf('kiosk'), 'outbox.db')), 0);
    await road.state();
    t.equal(road.core.counts().checkIns, others.length, 'all but hers');
  },
);

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

t.test('journey: another sink is told which rows must go, and the receipt waits for it', async (t) => {
  const broker = await RemoteBroker.open();
  t.teardown(() => broker.close());
  const bridge = { kind: 'mqtt', name: 'bridge', host: '127.0.0.1', port: broker.port, pin: broker.pin, prefix: 'town' } as const;
  const road = await Road.open(t, { sinks: () => [{ kind: 'core' }, bridge] });
  const [anna, ben] = [deriveVisitor(newKeyCode()), deriveVisitor(newKeyCode())];
  await road.admit('near');
  const near = await road.startKiosk('near', { direction: 'both' });
  for (const { card } of [anna, ben]) t.equal(await near.scan(road.textOf(card)), 'welcome');
  await road.delivered('near');
  await until(() => broker.messages.some(({ topic }) => topic === 'town/batch'));
  broker.mayAcknowledge = ({ topic }) => topic !== 'town/erasure';
  t.match(await ask(road, anna, 'revoke'), { tiers: [{ tier: 'core', state: 'done' }] });
  await until(() => broker.messages.some(({ topic }) => topic === 'town/erasure'));
  t.match(await untilSaid(road, anna, (receipt) => /gateway done/.test(statesOf(receipt))), {
    tiers: [{}, {}, {}, { tier: 'sinks', state: 'pending', done: 0, of: 1 }, {}],
  });
  broker.acknowledgeHeld();
  await untilSaid(road, anna, (receipt) => /sinks done/.test(statesOf(receipt)));
  const told = broker.messages.flatMap(({ topic, payload }) => (topic === 'town/erasure' ? decodeErasure(payload).rows : []));
  t.equal(told.length, 1, 'hers alone');
  t.strictSame(
    broker.messages.filter(({ payload }) => payload.includes(Buffer.from(anna.card))),
    [],
    'and no word says whose',
  );
});
