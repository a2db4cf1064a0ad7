/** A copied card, from sealed rows to what core and operators are told. */
import t from 'tap';
import type { DoubtEntry } from '../../../core/intake.ts';
import { OperatorEvents } from '../../../gateway/operator-events.ts';
import { VenueCalendar } from '../../../gateway/pseudonym.ts';
import { type DeploymentId, type KeyId, type KioskId, newPlaceId, type Seq, type VenueId } from '../../../protocol/ids.ts';
import { operatorEvent } from '../../../protocol/operator-event.ts';
import type { EpochMillis } from '../../../protocol/units.ts';
import { Inbox, watchState } from '../../support/inbox.ts';
import { startTestGateway } from '../../support/test-gateway.ts';
import { checkIn, newCard, publishOrClose } from '../../support/test-kiosk.ts';
import { until } from '../../support/until.ts';

t.test(
  'doubts: a card that is at two venues at once is counted at both kiosks and doubted behind both rows in the ledger, and nothing tells operators which two they are',
  async (t) => {
    const gateway = await startTestGateway(t);
    const operator = await gateway.operator();
    const inbox = new Inbox(operator);
    await operator.subscribeAsync('vestibule/1/events/#');
    const card = newCard();
    const rows: { kiosk: string; keyId: Uint8Array; seq: number }[] = [];
    const elsewhere = newPlaceId<VenueId>();
    gateway.registry.putVenue({ id: elsewhere, name: 'Library', timezone: 'Europe/Berlin' });
    for (const venue of [gateway.venue, elsewhere]) {
      const kiosk = gateway.admit(undefined, venue);
      const client = await kiosk.connect(gateway.running.tlsPort);
      t.teardown(() => client.end(true));
      const start = await kiosk.start();
      const row = start.seal(checkIn(card));
      await publishOrClose(client, kiosk.batchTopic, start.batch([row]));
      rows.push({ kiosk: kiosk.kiosk, keyId: start.keyId, seq: row.seq });
    }
    await until(() => inbox.messages.length >= 2);
    await gateway.clock.advance(2_000);
    const doubts = () => gateway.intake.entries.filter((entry): entry is DoubtEntry => entry.kind === 'doubt');
    await until(() => doubts().length === 2);
    t.strictSame(
      doubts()
        .map(({ row, reason }) => ({ row, reason }))
        .toSorted((a, b) => (a.row.kiosk < b.row.kiosk ? -1 : 1)),
      rows.map((row) => ({ row, reason: 'two-places' })).toSorted((a, b) => (a.row.kiosk < b.row.kiosk ? -1 : 1)),
    );
    const state = await (await watchState(gateway)).next(({ kiosks }) => kiosks[rows[1]?.kiosk ?? '']?.doubts['two-places'] === 1);
    t.equal(state.kiosks[rows[0]?.kiosk ?? '']?.doubts['two-places'], 1);
    t.strictSame(
      inbox.messages.map(({ topic }) => topic.split('/').at(-1)),
      ['check-in', 'check-in'],
      'a doubt that names the events of both, whose subjects are pseudonyms, would tie the two venues together',
    );
  },
);

t.test('doubts: what says nothing of another venue is told with the event that is doubted, and without a name', async (t) => {
  const events = new OperatorEvents(newPlaceId<DeploymentId>(), new Uint8Array(32), new VenueCalendar());
  const row = { kiosk: newPlaceId<KioskId>(), keyId: new Uint8Array(8) as KeyId, seq: 3 as Seq };
  for (const reason of ['clock-jump', 'night-burst', 'door-rate'] as const) {
    const told = events.ofDoubt({ row, venue: newPlaceId<VenueId>(), reason, raisedAtMs: 0 as EpochMillis });
    const event = JSON.parse(Buffer.from(told?.payload ?? []).toString());
    t.strictSame(operatorEvent('doubt').parse(event), event);
    t.match(event, { type: 'vestibule.doubt', data: { reason, kiosk: row.kiosk, of: '0000000000000000-3' } });
    t.notOk('subject' in event);
  }
});
