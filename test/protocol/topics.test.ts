import t from 'tap';
import { isPlaceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { DELIVERY, eventTopic, GATEWAY_STATE_TOPIC, type KioskLeaf, OPERATOR_FILTERS, parseTopic, topicOf } from '../../protocol/topics.ts';
import fc from '../support/properties.ts';

const kiosk = 'k10sk00000000001' as KioskId;

t.test('topics: each of a kiosk’s topics is written and read', (t) => {
  for (const leaf of Object.keys(DELIVERY) as KioskLeaf[]) {
    t.equal(topicOf(kiosk, leaf), `vestibule/1/kiosk/${kiosk}/${leaf}`);
    t.strictSame(parseTopic(topicOf(kiosk, leaf)), { kiosk, leaf });
  }
  t.equal(eventTopic('ven0e00000000001' as VenueId, 'check-in'), 'vestibule/1/events/ven0e00000000001/check-in');
  t.equal(GATEWAY_STATE_TOPIC, 'vestibule/1/gateway/state');
  t.end();
});

t.test('topics: nothing else is read as a kiosk’s topic', (t) => {
  for (const text of [
    '',
    'vestibule',
    `vestibule/1/kiosk/${kiosk}`,
    `vestibule/1/kiosk/${kiosk}/`,
    `vestibule/1/kiosk/${kiosk}/batch/`,
    `/vestibule/1/kiosk/${kiosk}/batch`,
    `vestibule/2/kiosk/${kiosk}/batch`,
    `vestibule/1/kiosk/${kiosk}/BATCH`,
    `vestibule/1/kiosk/${kiosk}/other`,
    `vestibule/1/kiosk/${kiosk.toUpperCase()}/batch`,
    'vestibule/1/kiosk/+/batch',
    'vestibule/1/kiosk/#',
    `vestibule/1/kiosk/${kiosk}/#`,
    `vestibule/1/kiosk/${kiosk}0/batch`,
    'vestibule/1/kiosk//batch',
    `vestibule/1/events/${kiosk}/batch`,
    GATEWAY_STATE_TOPIC,
    ...OPERATOR_FILTERS,
  ])
    t.equal(parseTopic(text), undefined, text);
  t.end();
});

t.test('topics: every kiosk’s topics come back, and what is read is written again as it came', (t) => {
  const anyText = fc.oneof(
    fc.string(),
    fc.array(fc.constantFrom('vestibule', '1', 'kiosk', kiosk, 'batch', 'state', '+', '#', '')).map((levels) => levels.join('/')),
  );
  fc.assert(
    fc.property(anyText, (text) => {
      const topic = parseTopic(text);
      return topic === undefined || topicOf(topic.kiosk, topic.leaf) === text;
    }),
    { numRuns: 5_000 },
  );
  for (let i = 0; i < 100; i++) {
    const id = newPlaceId<KioskId>();
    t.ok(isPlaceId(id));
    t.strictSame(parseTopic(topicOf(id, 'receipt')), { kiosk: id, leaf: 'receipt' });
  }
  t.end();
});

t.test('topics: what an operator may subscribe to never covers a batch', (t) => {
  for (const filter of OPERATOR_FILTERS) t.notMatch(filter, /kiosk\/(#|\+\/(#|\+|batch))/);
  t.end();
});
