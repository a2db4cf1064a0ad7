/** What operators are told, and that nothing of a person is in it, in a log, or in a file outside the sealed stores. */
import { createSecretKey } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CloudEvent } from 'cloudevents';
import t from 'tap';
import { operatorPseudonym, VenueCalendar } from '../../gateway/pseudonym.ts';
import type { VenueId } from '../../protocol/ids.ts';
import { operatorEvent } from '../../protocol/operator-event.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { Inbox } from '../support/inbox.ts';
import { startTestGateway } from '../support/test-gateway.ts';
import { checkIn, newCard, publishOrClose, temperature } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';

t.test('operator events: check-in, check-out and undo as CloudEvents, one pseudonym for one card, venue and day', async (t) => {
  const gateway = await startTestGateway(t);
  const kiosk = gateway.admit();
  const client = await kiosk.connect(gateway.running.tlsPort);
  t.teardown(() => client.end(true));
  const operator = await gateway.operator();
  const inbox = new Inbox(operator);
  await operator.subscribeAsync('vestibule/1/events/#');
  const start = await kiosk.start();
  const card = newCard();
  const sticker = newCard();
  const arrival = start.seal(checkIn(card));
  const batch = start.batch([
    arrival,
    start.seal({ type: 'check-out', card }),
    start.seal({ type: 'undo', of: start.ref(arrival) }),
    start.seal({ type: 'sticker-link', sticker, card }),
    start.seal(temperature(card, start.ref(arrival), 1, 38.6)),
    start.seal({ type: 'occupancy', slotMs: 900_000, tokens: undefined }),
    start.seal({ type: 'device-state', device: 'scanner', isUp: false, why: 'device.gone' }),
  ]);
  await publishOrClose(client, kiosk.batchTopic, batch);
  await until(() => inbox.messages.length === 5);
  const events = inbox.messages.map(({ payload }) => JSON.parse(payload.toString()));
  for (const event of events) {
    new CloudEvent(event).validate();
    t.strictSame(operatorEvent(event.type.replace('vestibule.', '')).parse(event), event, 'as docs/asyncapi.json has it');
  }
  t.match(events, [
    { type: 'vestibule.check-in', subject: /^[0-9a-f]{16}$/, time: new Date(gateway.clock.wall()).toISOString(), data: { groupSize: 1 } },
    { type: 'vestibule.check-out', data: { kiosk: kiosk.kiosk } },
    { type: 'vestibule.undo', data: { undoes: events[0].id } },
    { type: 'vestibule.occupancy', data: { slotMs: 900_000 } },
    { type: 'vestibule.device-state', data: { device: 'scanner', isUp: false, why: 'device.gone' } },
  ]);
  t.equal(events[0].subject, events[1].subject);
  t.equal(events[2].subject, undefined);
  t.match(inbox.messages[0]?.topic, `vestibule/1/events/${gateway.venue}/check-in`);

  await publishOrClose(client, kiosk.batchTopic, batch);
  await publishOrClose(client, kiosk.batchTopic, Uint8Array.of(1, 2, 3));
  await gateway.clock.advance(400_000);
  await gateway.stop();
  t.equal(inbox.messages.filter(({ topic }) => topic.endsWith('check-in')).length, 1, 'a duplicate is not told again');

  const secrets = [card, sticker].flatMap((bytes) => {
    const raw = Buffer.from(bytes);
    const hex = raw.toString('hex');
    const dashed = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
    return [raw.toString('latin1'), hex, hex.toUpperCase(), dashed, raw.toString('base64'), raw.toString('base64url')];
  });
  const files = readdirSync(gateway.directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const places = [
    ...inbox.messages.map(({ topic, payload }) => ['message', `${topic} ${payload.toString('latin1')}`] as const),
    ['log', gateway.log.text] as const,
    ...files.map((file) => [file.name, readFileSync(join(file.parentPath, file.name), 'latin1')] as const),
  ];
  t.ok(files.some(({ name }) => name === 'gateway.db'));
  for (const [name, text] of places)
    t.notOk(
      secrets.some((secret) => text.includes(secret)),
      `nothing in ${name}`,
    );
  t.notMatch(gateway.log.text, /38\.6|\b386\d?\b/);
});

t.test('operator pseudonym: another one at another venue, on another day, and under another key', async (t) => {
  const card = newCard();
  const key = createSecretKey(newCard());
  const one = operatorPseudonym(key, 'a' as VenueId, '2026-11-21', card);
  const others = [
    operatorPseudonym(key, 'b' as VenueId, '2026-11-21', card),
    operatorPseudonym(key, 'a' as VenueId, '2026-11-22', card),
    operatorPseudonym(createSecretKey(newCard()), 'a' as VenueId, '2026-11-21', card),
    operatorPseudonym(key, 'a' as VenueId, '2026-11-21', newCard()),
  ];
  t.equal(new Set([one, ...others]).size, 5);
  t.equal(operatorPseudonym(key, 'a' as VenueId, '2026-11-21', card), one);
});

t.test('venue calendar: a day ends at the venue’s midnight', async (t) => {
  const calendar = new VenueCalendar();
  const late = Date.UTC(2026, 10, 21, 23, 30) as EpochMillis;
  t.equal(calendar.dayAt('UTC', late), '2026-11-21');
  t.equal(calendar.dayAt('Europe/Berlin', late), '2026-11-22');
  t.equal(calendar.dayAt('America/New_York', late), '2026-11-21');
});
