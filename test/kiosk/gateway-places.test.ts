import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { GatewayPlaces } from '../../kiosk/gateway-places.ts';
import { silentLog } from '../../protocol/log.ts';
import type { TrustDocument } from '../../protocol/trust.ts';

const told = (host: string, receiptKey = 'one'): TrustDocument =>
  ({ gateway: { host, port: 8883 }, receiptKey: Buffer.from(receiptKey) }) as unknown as TrustDocument;
const old = { host: 'old', port: 8883 };

t.test('places: the address it is told comes first, and in turn with where it was reached last', (t) => {
  const dir = t.testdir();
  const places = new GatewayPlaces(dir, silentLog);
  t.match(places.next(told('old')), old);
  places.reached(old, told('old'));
  t.match(places.next(told('new')), { host: 'new' });
  places.missed();
  t.match(places.next(told('new')), old);
  t.match(places.known(told('new')), old, 'what is asked in between goes to where it was reached');
  t.match(places.next(told('new')), old, 'and a link that breaks there is opened there again');
  places.missed();
  t.match(places.next(told('new')), { host: 'new' });
  places.reached({ host: 'new', port: 8883 }, told('new'));
  t.match(new GatewayPlaces(dir, silentLog).known(told('newer')), { host: 'new' }, 'kept over a restart');
  t.end();
});

t.test('places: where another gateway was reached, and a damaged file, say nothing', (t) => {
  const dir = t.testdir();
  new GatewayPlaces(dir, silentLog).reached(old, told('old'));
  t.match(new GatewayPlaces(dir, silentLog).known(told('new', 'another')), { host: 'new' });
  const whole = readFileSync(join(dir, 'gateway.json'), 'utf8');
  for (const text of ['', '{', 'null', whole.slice(0, -4), whole.replace('8883', '0'), whole.replace('"old"', '7')]) {
    writeFileSync(join(dir, 'gateway.json'), text);
    t.match(new GatewayPlaces(dir, silentLog).known(told('new')), { host: 'new' }, text);
  }
  t.end();
});
