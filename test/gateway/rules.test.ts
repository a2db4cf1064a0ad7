/** The pure rules: flags, filters, configuration, receipts' ranges. */

import t from 'tap';
import { isWithin, refuseSubscription } from '../../gateway/admission.ts';
import { parseGatewayConfig } from '../../gateway/config.ts';
import { addToRanges } from '../../gateway/decide.ts';
import { judge, type ReadingFact } from '../../gateway/flag-rule.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import { type KioskId, newPlaceId, type Seq } from '../../protocol/ids.ts';
import type { ReceiptRange } from '../../protocol/receipt.ts';
import { topicOf } from '../../protocol/topics.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import fc from '../support/properties.ts';

const at = (ms: number) => ms as EpochMillis;
const reading = (attempt: 1 | 2, isHigh: boolean, receivedAtMs = 0): ReadingFact => ({ attempt, isHigh, receivedAtMs: at(receivedAtMs) });

t.test('flag rule: each pair of readings, before and after the window', async (t) => {
  const high = true;
  const normal = false;
  const table: [string, ReadingFact[], string, string][] = [
    ['none', [], 'none', 'none'],
    ['normal', [reading(1, normal)], 'none', 'none'],
    ['high', [reading(1, high)], 'pending', 'unconfirmed'],
    ['high, high', [reading(1, high), reading(2, high, 30)], 'confirmed', 'confirmed'],
    ['high, normal', [reading(1, high), reading(2, normal, 30)], 'cleared', 'cleared'],
    ['normal, high', [reading(1, normal), reading(2, high)], 'pending', 'unconfirmed'],
    ['normal, normal', [reading(1, normal), reading(2, normal)], 'none', 'none'],
    ['-, high', [reading(2, high)], 'pending', 'unconfirmed'],
    ['-, normal', [reading(2, normal)], 'none', 'none'],
    ['high twice at the first attempt', [reading(1, high), reading(1, high, 10)], 'pending', 'unconfirmed'],
    ['high, then both', [reading(1, high), reading(2, normal), reading(2, high)], 'confirmed', 'confirmed'],
  ];
  for (const [what, readings, before, after] of table) {
    t.equal(judge(readings, at(59), 60).kind, before, `${what}, in time`);
    t.equal(judge(readings, at(60), 60).kind, after, `${what}, past the window`);
  }
  t.strictSame(judge([reading(1, high, 100), reading(1, high, 40)], at(50), 60), { kind: 'pending', deadlineMs: 100 });
});

t.test('flag rule: order of arrival does not matter', async () => {
  const fact = fc.record({ attempt: fc.constantFrom(1 as const, 2 as const), isHigh: fc.boolean(), receivedAtMs: fc.nat(200).map(at) });
  fc.assert(
    fc.property(fc.array(fact, { maxLength: 5 }), fc.nat(400), (facts, now) => {
      const one = JSON.stringify(judge(facts, at(now), 60));
      return one === JSON.stringify(judge(facts.toReversed(), at(now), 60));
    }),
  );
});

/** MQTT 3.1.1, section 4.7, word for word. */
function matches(filter: string[], topic: string[]): boolean {
  const [level, ...filterRest] = filter;
  if (level === '#') return true;
  if (level === undefined) return topic.length === 0;
  const [name, ...topicRest] = topic;
  if (name === undefined) return false;
  return (level === '+' || level === name) && matches(filterRest, topicRest);
}

t.test('filters: within another exactly when no topic escapes it', async (t) => {
  const level = fc.constantFrom('a', 'b', '+');
  const filter = fc
    .tuple(fc.array(level, { minLength: 1, maxLength: 3 }), fc.boolean())
    .map(([levels, isOpen]) => (isOpen ? [...levels, '#'] : levels));
  const names = ['a', 'b', 'c'];
  const topics: string[][] = [[]];
  for (const topic of topics) if (topic.length < 5) topics.push(...names.map((name) => [...topic, name]));
  const real = topics.slice(1);
  fc.assert(
    fc.property(filter, filter, (asked, allowed) => {
      const escapes = real.some((topic) => matches(asked, topic) && !matches(allowed, topic));
      return isWithin(asked.join('/'), allowed.join('/')) ? !escapes : true;
    }),
    { numRuns: 2_000 },
  );
  t.equal(isWithin('a/+', 'a/#'), true);
  t.equal(isWithin('a/#', 'a/+'), false);
});

t.test('filters: no filter of a kiosk reaches a batch or another kiosk', async () => {
  const kiosk = newPlaceId<KioskId>();
  const other = newPlaceId<KioskId>();
  const level = fc.constantFrom('vestibule', '1', 'kiosk', kiosk, other, 'batch', 'receipt', 'state', 'events', 'gateway', '+', '#');
  fc.assert(
    fc.property(fc.array(level, { minLength: 1, maxLength: 6 }), (levels) => {
      if (refuseSubscription({ role: 'kiosk', kiosk }, levels.join('/')) !== undefined) return true;
      return ['batch', 'state'].every(
        (leaf) =>
          !matches(levels, topicOf(kiosk, leaf as 'batch').split('/')) && !matches(levels, topicOf(other, leaf as 'batch').split('/')),
      );
    }),
    { numRuns: 2_000 },
  );
});

t.test('config: defaults are safe, and every fault is listed', async (t) => {
  const config = parseGatewayConfig({ directory: '/x', publicHost: 'gateway.example' });
  t.match(config, {
    tls: { host: '0.0.0.0', port: 8_883 },
    tcp: { host: '127.0.0.1', port: 1_883 },
    mayTakeUnsigned: false,
    retentionDays: 21,
    flags: { confirmWithinMs: 300_000, ageOffMs: 172_800_000 },
  });
  t.throws(() => parseGatewayConfig({ directory: '', tcp: { host: '0.0.0.0' }, retentionDays: 22, issuers: ['x'], password: 'x' }), {
    code: 'config.invalid',
    message: /(?=.*directory)(?=.*publicHost)(?=.*tcp\.host)(?=.*retentionDays)(?=.*issuers\.0)(?=.*password)/,
  });
});

t.test('receipt ranges: neighbours of one fate are one range', async (t) => {
  const fate = (seq: number, outcome: 'accepted' | 'duplicate', reason?: ErrorCode) => ({
    from: seq as Seq,
    to: seq as Seq,
    outcome,
    reason,
  });
  const rangesOf = (fates: readonly ReturnType<typeof fate>[]): ReceiptRange[] => {
    const ranges: ReceiptRange[] = [];
    for (const { from, outcome, reason } of fates) addToRanges(ranges, from, outcome, reason);
    return ranges;
  };
  t.strictSame(
    rangesOf([
      fate(1, 'accepted'),
      fate(2, 'accepted'),
      fate(4, 'accepted'),
      fate(5, 'duplicate'),
      fate(6, 'duplicate', 'decode.malformed'),
    ]),
    [{ ...fate(1, 'accepted'), to: 2 }, fate(4, 'accepted'), fate(5, 'duplicate'), fate(6, 'duplicate', 'decode.malformed')],
  );
});
