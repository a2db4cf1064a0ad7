/** High readings, from sealed rows to what core and operators are told. */
import t, { type Test } from 'tap';
import type { FlagEntry } from '../../core/intake.ts';
import type { VisitorUuid } from '../../protocol/ids.ts';
import { operatorEvent } from '../../protocol/operator-event.ts';
import { Inbox } from '../support/inbox.ts';
import { startTestGateway } from '../support/test-gateway.ts';
import { checkIn, newCard, publishOrClose, type SealedRow, temperature } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';

const HOUR_MS = 3_600_000;

async function atTheDoor(t: Test) {
  const gateway = await startTestGateway(t, { config: { flags: { confirmWithinMs: 60_000, ageOffMs: 48 * HOUR_MS } } });
  const kiosk = gateway.admit();
  const client = await kiosk.connect(gateway.running.tlsPort);
  t.teardown(() => client.end(true));
  const start = await kiosk.start();
  const card = newCard();
  const arrival = start.seal(checkIn(card));
  const send = (...rows: SealedRow[]) => publishOrClose(client, kiosk.batchTopic, start.batch(rows));
  await send(arrival);
  const operator = await gateway.operator();
  const inbox = new Inbox(operator);
  await operator.subscribeAsync('vestibule/1/events/#');
  return {
    gateway,
    kiosk,
    start,
    card,
    inbox,
    send,
    reading: (attempt: 1 | 2, celsius: number, of: VisitorUuid = card) => start.seal(temperature(of, start.ref(arrival), attempt, celsius)),
    flags: () => gateway.intake.entries.filter((entry): entry is FlagEntry => entry.kind === 'flag'),
    flagTopic: `vestibule/1/events/${gateway.venue}/temperature-flag`,
  };
}

t.test('flags: two high readings confirm, in one entry behind both rows, and an operator sees the flag without a degree', async (t) => {
  const { gateway, kiosk, start, send, reading, flags, inbox, flagTopic } = await atTheDoor(t);
  const first = reading(1, 38.6);
  await send(first);
  const takenAtMs = gateway.clock.wall();
  await gateway.clock.advance(10_000);
  await send(reading(2, 38.4));
  await until(() => flags().length > 0);
  t.match(flags(), [
    {
      position: 4,
      reading: { kiosk: kiosk.kiosk, keyId: start.keyId, seq: first.seq },
      state: 'confirmed',
      raisedAtMs: takenAtMs,
      expiresAtMs: takenAtMs + 48 * HOUR_MS,
    },
  ]);
  const event = await inbox.json(flagTopic);
  t.strictSame(operatorEvent('temperature-flag').parse(event), event);
  t.match(event, { specversion: '1.0', type: 'vestibule.temperature-flag', subject: /^[0-9a-f]{16}$/, data: { state: 'confirmed' } });
  t.strictSame(Object.keys(event.data).toSorted(), ['entrance', 'expiresAt', 'kiosk', 'state']);
  await gateway.clock.advance(120_000);
  t.equal(flags().length, 1);
});

t.test('flags: high then normal flags nothing; a normal reading leaves no trace', async (t) => {
  const { gateway, send, reading, flags } = await atTheDoor(t);
  await send(reading(1, 38.6));
  await send(reading(2, 37.1));
  await gateway.clock.advance(120_000);
  t.strictSame(flags(), []);
  await send(reading(1, 36.5));
  t.equal(gateway.ledger.prepare('SELECT count(*) FROM readings').pluck().get(), 2);
});

t.test('flags: high and no second within the window is unconfirmed, once, also over a restart', async (t) => {
  const { gateway, send, reading, flags } = await atTheDoor(t);
  await send(reading(1, 38.6));
  await gateway.clock.advance(59_000);
  t.strictSame(flags(), []);
  await gateway.stop();
  const again = await startTestGateway(t, { after: gateway });
  await again.clock.advance(2_000);
  await until(() => flags().length === 1);
  t.match(flags(), [{ state: 'unconfirmed' }]);
  await again.clock.advance(120_000);
  t.equal(flags().length, 1);
});

t.test('flags: a second reading that comes late confirms or clears what was told, naming the same reading', async (t) => {
  for (const [celsius, state] of [
    [38.2, 'confirmed'],
    [36.9, 'cleared'],
  ] as const) {
    const { gateway, send, reading, flags, inbox, flagTopic } = await atTheDoor(t);
    const first = reading(1, 38.6);
    await send(first);
    await gateway.clock.advance(61_000);
    await until(() => flags().length === 1);
    await send(reading(2, celsius));
    await until(() => flags().length === 2);
    t.match(flags(), [
      { state: 'unconfirmed', reading: { seq: first.seq } },
      { state, reading: { seq: first.seq } },
    ]);
    t.match((await inbox.json(flagTopic)).data, { state: 'unconfirmed' });
    t.match((await inbox.json(flagTopic)).data, { state });
    await gateway.stop();
  }
});

t.test('flags: readings that overtake each other come to the same', async (t) => {
  const { gateway, send, reading, flags } = await atTheDoor(t);
  const first = reading(1, 38.6);
  const second = reading(2, 38.4);
  await send(second);
  await send(first);
  await until(() => flags().length === 1);
  t.match(flags(), [{ state: 'confirmed' }]);
  await gateway.clock.advance(120_000);
  t.equal(flags().length, 1);
});

t.test('flags: a reading sent twice changes nothing', async (t) => {
  const { gateway, send, reading, flags } = await atTheDoor(t);
  const [first, second] = [reading(1, 38.6), reading(2, 38.4)];
  await send(first, second);
  await send(first);
  await send(second);
  await until(() => flags().length === 1);
  await gateway.clock.advance(120_000);
  t.equal(flags().length, 1);
});

t.test('flags: however many readings a kiosk sends of one scan, no more are kept and looked at than can change its flag', async (t) => {
  const { gateway, send, reading, flags } = await atTheDoor(t);
  for (let batch = 0; batch < 3; batch++) {
    await send(...Array.from({ length: 60 }, (_, index) => reading(index % 2 === 0 ? 1 : 2, index % 4 < 2 ? 38.6 : 36.8)));
    await gateway.clock.advance(1_000);
  }
  t.equal(gateway.ledger.prepare('SELECT count(*) FROM readings').pluck().get(), 3, 'high and high, and one normal second');
  await until(() => flags().length === 1);
  t.match(flags(), [{ state: 'confirmed' }]);
});
