import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { LedgerEraser } from '../../../gateway/revoke/ledger-eraser.ts';
import { listOf, matchRows, verifyBatch } from '../../../protocol/batch.ts';
import { publicKeyFromRaw } from '../../../protocol/ed25519.ts';
import type { VisitorUuid } from '../../../protocol/ids.ts';
import { bytesSecret } from '../../support/leak-search.ts';
import { searchOpened } from '../../support/opened-search.ts';
import { openTestIngest, STORE_KEY, type TestIngest } from '../../support/test-ingest.ts';
import { checkIn, newCard, temperature } from '../../support/test-kiosk.ts';

const eraserOf = ({ ledger, db, deployment, recipient, kiosk, clock }: TestIngest): LedgerEraser =>
  new LedgerEraser({ ledger, db, deployment, holders: [recipient], publicKeyOf: () => kiosk.publicKey, clock });

const isSame = (one: VisitorUuid) => (other: VisitorUuid) => Buffer.compare(one, other) === 0;

t.test('erase: rows go out of the ledger, flags and quarantine with them, and the signature over the rest still verifies', async (t) => {
  const gateway = await openTestIngest(t);
  const { kiosk, ledger, take, deployment } = gateway;
  const [anna, ben] = [newCard(), newCard()];
  const start = await kiosk.start();
  const [first, second] = [start.seal(checkIn(anna)), start.seal(checkIn(ben))];
  const high = start.seal(temperature(anna, start.ref(first), 1, 39));
  const again = start.seal(temperature(anna, start.ref(first), 2, 39));
  const bens = start.seal(temperature(ben, start.ref(second), 1, 39));
  await take(start.batch([first, second, high, again, bens]));
  const alone = start.seal(checkIn(anna));
  await take(start.batch([alone]));
  // Another row in the first one's place: kept in quarantine.
  const conflict = start.seal(checkIn(anna), first.seq);
  await take(start.batch([conflict]));
  // A batch whose list was signed for another topic: quarantined whole, with one of her rows in it.
  const whole = start.batch([start.seal(checkIn(anna))], 'vestibule/1/kiosk/else/batch');
  await take(whole);
  const damaged = start.batch([start.seal(checkIn(ben))], 'vestibule/1/kiosk/else/batch');
  await take(damaged);
  t.strictSame([gateway.rows(), gateway.count('flags'), gateway.count('readings'), gateway.count('quarantine')], [6, 2, 3, 3]);

  const secrets = [first, high, again, alone, conflict].map(({ row }, at) => bytesSecret(`row ${at}`, row.subarray(-32)));
  const held = (): string[] =>
    [gateway.path, gateway.segmentPath()].flatMap((path) => searchOpened(path, STORE_KEY, secrets)).map(({ secret }) => secret);
  t.equal(new Set(held()).size, 5, 'her rows lie there as they came');

  t.equal(await eraserOf(gateway).erase(isSame(anna), new AbortController().signal), 6);
  t.strictSame([gateway.rows(), gateway.count('flags'), gateway.count('readings'), gateway.count('quarantine')], [2, 1, 1, 1]);
  t.strictSame(held(), [], 'and nowhere afterwards');
  t.equal(statSync(`${gateway.segmentPath()}-wal`).size, 0);
  t.equal(statSync(join(dirname(gateway.path), 'gateway.db-wal')).size, 0);

  const entries = ledger.entriesAfter(0, 100, 1e9);
  t.strictSame(
    entries.map(({ kind, position }) => [kind, position]),
    [
      ['batch', 1],
      ['flag', 2],
      ['batch', 3],
    ],
    'the entries stay in their places',
  );
  const [rest, empty] = entries.flatMap((entry) => (entry.kind === 'batch' ? [entry] : []));
  if (rest === undefined || empty === undefined) return t.fail('two batches');
  t.strictSame(empty.rows, []);
  const { listed } = verifyBatch(rest.sign1, { deployment, topic: rest.topic, publicKey: publicKeyFromRaw(rest.kioskPublicKey) });
  t.equal(listed.length, 5);
  t.strictSame(
    matchRows(listed, rest.rows).map(({ seq }) => seq),
    [second.seq, bens.seq],
  );
  t.strictSame(matchRows(listOf(empty.sign1).listed, []), []);
  t.equal(await eraserOf(gateway).erase(isSame(anna), new AbortController().signal), 0, 'a second time there is nothing');
});

t.test('erase: what comes later is refused, remembered as seen and told to the kiosk', async (t) => {
  const anna = newCard();
  const gateway = await openTestIngest(t, undefined, isSame(anna));
  const { kiosk, take, decided } = gateway;
  const start = await kiosk.start();
  const rows = [
    start.seal(checkIn(anna)),
    start.seal(checkIn()),
    start.seal(temperature(anna, { keyId: start.keyId, seq: 1 as never }, 1, 39)),
  ];
  const batch = start.batch(rows);
  t.equal(await take(batch), 'acknowledge');
  t.equal(await take(batch), 'acknowledge');
  t.equal(await take(start.batch([start.seal(checkIn(anna), 1)])), 'acknowledge', 'nor is another one in its place kept');
  const said = decided.map(({ decision }) =>
    decision.kind === 'refused' ? [] : decision.ranges.map(({ outcome, reason }) => [outcome, reason]),
  );
  t.strictSame(said, [
    [
      ['erased', 'ingest.card_revoked'],
      ['accepted', undefined],
      ['erased', 'ingest.card_revoked'],
    ],
    [['duplicate', undefined]],
    [['erased', 'ingest.card_revoked']],
  ]);
  t.strictSame([gateway.rows(), gateway.seen(), gateway.count('quarantine'), gateway.count('flags')], [1, 3, 0, 0]);
});

t.test('erase: logs are emptied once nobody moves them any more', async (t) => {
  const gateway = await openTestIngest(t);
  const { kiosk, take, ledger, db, deployment, recipient, clock } = gateway;
  const anna = newCard();
  const start = await kiosk.start();
  await take(start.batch([start.seal(checkIn(anna))]));
  const lengthOf = () => statSync(`${gateway.segmentPath()}-wal`).size;
  let before = 0;
  const whenLogsRest = async () => {
    await new Promise<void>((resolve) => setImmediate(resolve));
    before = lengthOf();
  };
  const eraser = new LedgerEraser({
    ledger,
    db,
    deployment,
    holders: [recipient],
    publicKeyOf: () => kiosk.publicKey,
    clock,
    whenLogsRest,
  });
  t.equal(await eraser.erase(isSame(anna), new AbortController().signal), 1);
  t.ok(before > 0, 'not before');
  t.equal(lengthOf(), 0);
});

t.test('erase: it stops when asked to, and rows that nobody can open stay', async (t) => {
  const gateway = await openTestIngest(t);
  const { kiosk, take } = gateway;
  const anna = newCard();
  const start = await kiosk.start();
  for (let n = 0; n < 3; n++) await take(start.batch([start.seal(checkIn(anna))]));
  t.equal(await eraserOf(gateway).erase(isSame(anna), AbortSignal.abort()), undefined);
  t.equal(gateway.rows(), 2, 'the next time goes on');
  const blind = new LedgerEraser({
    ledger: gateway.ledger,
    db: gateway.db,
    deployment: gateway.deployment,
    holders: [{ id: new Uint8Array(8), privateKey: gateway.recipient.privateKey }],
    publicKeyOf: () => undefined,
    clock: gateway.clock,
  });
  t.equal(await blind.erase(isSame(anna), new AbortController().signal), 0);
  t.equal(gateway.rows(), 2);
});

t.test('erase: a row of a card that was taken back is not kept for being at fault in another way as well', async (t) => {
  const anna = newCard();
  const gateway = await openTestIngest(t, undefined, isSame(anna));
  const start = await gateway.kiosk.start();
  const [hers, other] = [anna, newCard()].map((card) => start.seal({ type: 'sticker-link', sticker: newCard(), card }));
  await gateway.take(start.batch([hers!, other!]));
  t.same(gateway.reasons(), { 'ingest.not_clinic': 1 }, 'of the other, as a kiosk that is no desk of a clinic may not link');
});
