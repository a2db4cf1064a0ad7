import t from 'tap';
import { Tries } from '../../../core/holder/tries.ts';
import { addressOf } from '../../../protocol/address.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { outcomeOf } from '../../support/wire.ts';

const open = () => {
  const clock = new ManualClock();
  const tries = new Tries(clock);
  /** @returns how many of so many were let in. */
  const add = (count: number, from: (at: number) => string): number =>
    Array.from({ length: count }, (_, at) => outcomeOf(() => tries.add(from(at)))).filter((outcome) => outcome === 'nothing thrown').length;
  return { clock, tries, add };
};

t.test('tries: twenty a minute from one', async (t) => {
  const { clock, tries, add } = open();
  t.equal(
    add(25, () => '192.0.2.1'),
    20,
  );
  t.equal(
    outcomeOf(() => tries.add('192.0.2.1')),
    'holder.too_often',
  );
  await clock.advance(60_000);
  t.equal(
    add(1, () => '192.0.2.1'),
    1,
  );
});

t.test('tries: many addresses of one network use up what all share, and shut nobody else out', async (t) => {
  const { add } = open();
  const attacker = (at: number): string => addressOf(`2001:db8:7:${(at % 60_000).toString(16)}::1`);
  t.equal(add(20_000, attacker), 60 + 600, 'a few of the network, and the shared ones');
  const holders = (at: number): string => (at % 2 === 0 ? `198.51.${at % 100}.7` : addressOf(`2001:db8:${at.toString(16)}:1::9`));
  t.equal(
    add(50, (at) => holders(100 + at)),
    50,
    'a holder gets in',
  );
  t.equal(
    add(50, (at) => holders(100 + at)),
    50,
    'and takes the card back',
  );
  t.equal(
    add(20, () => 'a kiosk'),
    3,
    'who asks for many has to wait',
  );
});

t.test('tries: what is let in, and remembered, is bounded in all', async (t) => {
  const { add } = open();
  t.equal(
    add(50_000, (at) => `10.${at & 255}.${(at >> 8) & 255}.1`),
    6_600,
  );
});
