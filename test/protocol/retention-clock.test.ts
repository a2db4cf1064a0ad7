import t from 'tap';
import { BELIEVED_AFTER_MS, type ClockTrust, judgeClock, MOST_JUMP_MS } from '../../protocol/retention-clock.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import fc from '../support/properties.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW = Date.UTC(2026, 10, 21, 9);
const at = (wallMs: number, monotonicMs: number, boot = 'a') => ({ wallMs: wallMs as EpochMillis, monotonicMs, boot });
const known: ClockTrust = { atMs: NOW as EpochMillis, monotonicMs: 0, boot: 'a' };

t.test('retention clock: a clock of which nothing is known is believed', async (t) => {
  t.match(judgeClock(undefined, at(NOW, 5)), { nowMs: NOW, doubt: undefined, trust: { atMs: NOW, monotonicMs: 5 } });
});

t.test(
  'retention clock: one that goes along is gone by, also after a start, and after two days in which the machine was off',
  async (t) => {
    for (const reading of [at(NOW + DAY_MS, DAY_MS), at(NOW + DAY_MS, 5, 'b'), at(NOW + MOST_JUMP_MS, 5, 'b'), at(NOW - HOUR_MS, 5)])
      t.match(judgeClock(known, reading), { nowMs: reading.wallMs, doubt: undefined });
    const slept = judgeClock(known, at(NOW + 30 * DAY_MS, 30 * DAY_MS));
    t.match(slept, { nowMs: NOW + 30 * DAY_MS, doubt: undefined }, 'a machine that slept knows how long');
  },
);

t.test(
  'retention clock: one that is weeks ahead is not gone by, what is due by the running clock is; it ends when the clock is back',
  async (t) => {
    const jumped = judgeClock(known, at(NOW + 30 * DAY_MS + HOUR_MS, HOUR_MS));
    t.match(jumped, { nowMs: NOW + HOUR_MS, doubt: { kind: 'ahead', byMs: 30 * DAY_MS, believedInMs: BELIEVED_AFTER_MS } });
    const later = judgeClock(jumped.trust, at(NOW + 31 * DAY_MS, DAY_MS));
    t.match(later, { nowMs: NOW + DAY_MS, doubt: { believedInMs: BELIEVED_AFTER_MS - 23 * HOUR_MS } });
    const back = judgeClock(later.trust, at(NOW + 2 * DAY_MS, 2 * DAY_MS));
    t.match(back, { nowMs: NOW + 2 * DAY_MS, doubt: undefined });
    t.equal(back.trust.aheadForMs, undefined, 'and the next jump begins anew');
  },
);

t.test(
  'retention clock: one that stays ahead is believed after 48 hours of running, over restarts, however it jumps meanwhile',
  async (t) => {
    let trust = judgeClock(known, at(NOW + 30 * DAY_MS, 0)).trust;
    for (let hour = 1; hour < 48; hour++) {
      const judged = judgeClock(trust, at(NOW + (30 + hour) * DAY_MS, hour * HOUR_MS));
      t.match(judged.doubt, { kind: 'ahead' });
      trust = judged.trust;
    }
    trust = judgeClock(trust, at(NOW + 90 * DAY_MS, 7, 'b')).trust;
    t.match(judgeClock(trust, at(NOW + 90 * DAY_MS, 8, 'b')).doubt, { kind: 'ahead' }, 'a start alone counts for nothing');
    t.match(judgeClock(trust, at(NOW + 90 * DAY_MS, 7 + HOUR_MS, 'b')), { nowMs: NOW + 90 * DAY_MS, doubt: undefined });
  },
);

t.test('retention clock: one that is behind is gone by and told of, until it is back; no time makes it believed', async (t) => {
  let { trust, nowMs, doubt } = judgeClock(known, at(NOW - 30 * DAY_MS, 0));
  t.equal(nowMs, NOW - 30 * DAY_MS);
  for (let day = 1; day < 10; day++) ({ trust, nowMs, doubt } = judgeClock(trust, at(NOW + (day - 30) * DAY_MS, day * DAY_MS)));
  t.strictSame(doubt, { kind: 'behind', byMs: 30 * DAY_MS });
  t.equal(judgeClock(trust, at(NOW + 10 * DAY_MS, 10 * DAY_MS)).doubt, undefined);
});

t.test(
  'retention clock: while a machine runs, no jumps have it go further ahead of true time than two days and a tenth, until 48 hours of doubt',
  async (_t) => {
    const looks = fc.array(
      fc.record({ ranMs: fc.integer({ min: 0, max: 3 * HOUR_MS }), offMs: fc.integer({ min: -90 * DAY_MS, max: 90 * DAY_MS }) }),
    );
    fc.assert(
      fc.property(looks, (some) => {
        let trust: ClockTrust = known;
        let ranMs = 0;
        for (const look of some) {
          ranMs += look.ranMs;
          const judged = judgeClock(trust, at(NOW + ranMs + look.offMs, ranMs));
          ({ trust } = judged);
          if (judged.doubt === undefined && Math.abs(look.offMs) > MOST_JUMP_MS + ranMs / 10 && ranMs < BELIEVED_AFTER_MS) return false;
          if (ranMs < BELIEVED_AFTER_MS && judged.nowMs > NOW + ranMs + MOST_JUMP_MS + ranMs / 10) return false;
        }
        return true;
      }),
    );
  },
);
