/** The door's own parts: rates, addresses, who waits, and one budget for all. */

import t from 'tap';
import { SharedBudget } from '../../gateway/door-budget.ts';
import { codeOfBroken, keepAliveOf } from '../../gateway/door-guard.ts';
import { addressOf } from '../../protocol/address.ts';
import { Bucket, Buckets } from '../../protocol/bucket.ts';
import { DoorKeeper } from '../../protocol/door-keeper.ts';
import { AdmissionError } from '../../protocol/errors.ts';
import type { MonotonicMillis } from '../../protocol/units.ts';
import { ManualClock } from '../support/manual-clock.ts';
import fc from '../support/properties.ts';

const at = (ms: number) => ms as MonotonicMillis;

t.test('bucket: never more goes than burst and rate allow, and what waits is never told to wait for ever', async (t) => {
  const rate = { perSecond: 50, burst: 100 };
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(2_000), fc.integer({ min: 1, max: 40 })), { maxLength: 200 }), (steps) => {
      const bucket = new Bucket(rate, at(0));
      let nowMs = 0;
      let gone = 0;
      for (const [passedMs, amount] of steps) {
        nowMs += passedMs;
        const waitMs = bucket.waitMs(at(nowMs));
        if (waitMs > 0) {
          if (waitMs > 2_000 || bucket.waitMs(at(nowMs + waitMs)) !== 0) return false;
          continue;
        }
        bucket.take(amount, at(nowMs));
        gone += amount;
        // The last may leave a debt of itself.
        if (gone > rate.burst + (nowMs * rate.perSecond) / 1_000 + amount) return false;
      }
      return true;
    }),
  );
  const one = new Bucket({ perSecond: 1, burst: 2 }, at(0));
  t.strictSame([one.takeOne(at(0)), one.takeOne(at(0)), one.takeOne(at(0)), one.takeOne(at(1_000))], [true, true, false, true]);
});

t.test('buckets: a name keeps its debt, and of too many names the one longest not asked for is forgotten', async (t) => {
  const buckets = new Buckets({ perSecond: 1, burst: 1 }, 2);
  t.equal(buckets.of('a', at(0)).takeOne(at(0)), true);
  t.equal(buckets.of('a', at(0)).takeOne(at(0)), false);
  buckets.of('b', at(0));
  buckets.of('a', at(0));
  buckets.of('c', at(0));
  t.equal(buckets.of('a', at(0)).takeOne(at(0)), false, 'asked for since');
  t.equal(buckets.of('b', at(0)).takeOne(at(0)), true, 'forgotten');
});

t.test('addresses: IPv4 whole, mapped ones as IPv4, IPv6 by its network', async (t) => {
  const table: [string | undefined, string][] = [
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    [undefined, 'unknown'],
    ['nonsense', 'unknown'],
  ];
  for (const [address, place] of table) t.equal(addressOf(address), place, address ?? 'none');
});

function keeper(limits: { connectionsPerSecond: number; mostWaiting: number }) {
  const clock = new ManualClock();
  const refused: string[] = [];
  const door = new DoorKeeper(limits, clock, { onRefused: (address, code) => refused.push(`${address} ${code}`) });
  const cut: string[] = [];
  const arrive = (address: string, name = address) => door.arrive(address, () => cut.push(name));
  return { clock, refused, cut, door, arrive };
}

t.test('door: an address that comes too often is refused, for as long as it does, and no other', async (t) => {
  const { clock, refused, arrive } = keeper({ connectionsPerSecond: 2, mostWaiting: 100 });
  for (let i = 0; i < 20; i++) t.ok(arrive('192.0.2.1'), `${i} of ten seconds' worth`);
  t.equal(arrive('192.0.2.1'), undefined);
  t.ok(arrive('192.0.2.2'));
  t.strictSame(refused, ['192.0.2.1 admission.too_often']);
  await clock.advance(1_000);
  t.ok(arrive('192.0.2.1'));
});

t.test('door: of too many that wait, of one address or of all, the one that has waited longest goes', async (t) => {
  const { refused, cut, door, arrive } = keeper({ connectionsPerSecond: 1_000, mostWaiting: 2 });
  const first = arrive('192.0.2.1', 'first');
  arrive('192.0.2.1', 'second')?.admit();
  arrive('192.0.2.9', 'elsewhere');
  arrive('192.0.2.1', 'third');
  t.strictSame(cut, []);
  t.ok(arrive('192.0.2.1', 'fourth'), 'who comes is let in');
  t.strictSame(cut, ['first']);
  t.equal(first?.isCut, true);
  t.strictSame(refused, ['192.0.2.1 admission.too_many_connections']);
  if (first !== undefined) door.failed(first);
  t.equal(refused.length, 1, 'one that was cut is counted once');
  for (let i = 0; i < 1_100; i++) arrive(`198.51.100.${i % 256}:${i}`, `n${i}`);
  for (let i = 0; i < 1_100; i++) arrive(`10.${i >> 8}.${i & 255}.1`, `n${i}`);
  t.ok(door.waiting <= 1_024, `${door.waiting} of all`);
});

t.test('budget of all: who finds no room waits once, in order, and not past its end', async (t) => {
  const budget = new SharedBudget(100);
  const woken: string[] = [];
  const [a, b, c] = [new AbortController(), new AbortController(), new AbortController()];
  const take = (bytes: number, who: AbortController, name: string) => budget.take(bytes, who.signal, () => woken.push(name));
  t.equal(take(1_000, a, 'a'), true, 'one at least');
  t.equal(take(10, b, 'b'), false);
  t.equal(take(10, b, 'b again'), false);
  t.equal(take(10, c, 'c'), false);
  c.abort();
  budget.release(1_000);
  t.strictSame(woken, ['b']);
  t.equal(take(60, b, 'b'), true);
  t.equal(take(60, a, 'a'), false);
  t.equal(budget.bytes, 60);
});

t.test('broken connections: what the peer did has a code, what the network did has none', async (t) => {
  t.equal(codeOfBroken(new AdmissionError('admission.overlong', 'x')), 'admission.overlong');
  t.equal(codeOfBroken(new Error('connect did not arrive in time')), 'admission.silent');
  t.equal(codeOfBroken(new Error('keep alive timeout')), 'admission.silent');
  t.equal(codeOfBroken(new Error('drain timeout')), 'admission.slow_reader');
  t.equal(codeOfBroken(new Error('Invalid protocol')), 'admission.malformed');
  t.equal(codeOfBroken(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })), undefined);
  t.strictSame([keepAliveOf(0), keepAliveOf(undefined), keepAliveOf(30), keepAliveOf(65_535)], [300, 300, 30, 300]);
});
