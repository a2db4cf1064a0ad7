/** A copied card, from sealed rows to what core and operators are told. */
import t from 'tap';
import type { DoubtEntry } from '../../../core/intake.ts';
import { newPlaceId, type VenueId } from '../../../protocol/ids.ts';
import { operatorEvent } from '../../../protocol/operator-event.ts';
import { Inbox, watchState } from '../../support/inbox.ts';
import { startTestGateway } from '../../support/test-gateway.ts';
import { checkIn, newCard, publishOrClose } from '../../support/test-kiosk.ts';
import { until } from '../../support/until.ts';

t.test(
  'doubts: a card that is at two venues at once is told of without a name, and both rows are doubted behind them in the ledger',
  async (t) => {
    const gateway = await startTestGateway(t);
    const operator = await gateway.operator();
    const inbox = new Inbox(operator);
    await operator.subscribeAsync('vestibule/1/events/+/doubt');
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
    const event = await inbox.json(`vestibule/1/events/${gateway.venue}/doubt`);
    t.strictSame(operatorEvent('doubt').parse(event), event);
    t.match(event, { type: 'vestibule.doubt', data: { reason: 'two-places', kiosk: rows[0]?.kiosk } });
    t.notOk('subject' in event, 'a pseudonym would tie the two venues together');
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
  },
);
