import t from 'tap';
import {
  beginListening,
  DEDUPLICATED_MS,
  DEDUPLICATED_REPORTS,
  type Heard,
  nextListening,
  RESCAN_EVERY_MS,
  SILENCE_MS,
} from '../../../hardware/ble/listening.ts';
import type { MonotonicMillis } from '../../../protocol/units.ts';
import fc from '../../support/properties.ts';

/** One second after the other; @returns what was done at which second. */
function live(seconds: readonly Partial<Heard>[]): string[] {
  let listening = beginListening(0 as MonotonicMillis);
  return seconds.flatMap((heard, second) => {
    const { state, remedy, fault } = nextListening(listening, {
      nowMs: ((second + 1) * 1_000) as MonotonicMillis,
      reports: 0,
      repeats: 0,
      isDisturbed: false,
      ...heard,
    });
    listening = state;
    return remedy === 'none' ? [] : [`${second + 1} ${remedy} ${fault}`];
  });
}

const seconds = (count: number, heard: Partial<Heard> = {}) => Array.from({ length: count }, () => heard);
const busy = { reports: 10, repeats: 5 };
const SILENCE_S = SILENCE_MS / 1_000;

t.test('nextListening: where nothing was ever heard, silence is no fault', async (t) => {
  t.strictSame(live(seconds(600)), []);
});

t.test('nextListening: silence after advertisements has the scan started anew, then the radio opened anew', async (t) => {
  t.strictSame(live([busy, ...seconds(200)]).slice(0, 2), [`${1 + SILENCE_S} rescan silence`, `${1 + 2 * SILENCE_S} reopen silence`]);
});

t.test('nextListening: a scan that hears again after it was started anew is left alone', async (t) => {
  t.strictSame(live([busy, ...seconds(SILENCE_S + 5), busy, ...seconds(SILENCE_S - 1), busy]), [`${1 + SILENCE_S} rescan silence`]);
});

t.test('nextListening: senders that are heard again and again are no fault', async (t) => {
  t.strictSame(live(seconds(600, busy)), []);
});

t.test('nextListening: a scan that reports each sender once is started anew', async (t) => {
  const filtered = seconds(61, { reports: 1 });
  t.equal(DEDUPLICATED_REPORTS, 20);
  t.strictSame(live(filtered), [`${DEDUPLICATED_MS / 1_000} rescan deduplicated`, `${(2 * DEDUPLICATED_MS) / 1_000} rescan deduplicated`]);
});

t.test('nextListening: a few single reports are no sign', async (t) => {
  t.strictSame(live([...seconds(19, { reports: 1 }), ...seconds(40)]), []);
});

t.test('nextListening: another program that meddles is answered, every ten seconds at most', async (t) => {
  const meddled = live(seconds(60, { ...busy, isDisturbed: true }));
  t.equal(meddled.length, 60_000 / RESCAN_EVERY_MS);
  t.ok(meddled.every((done) => done.endsWith('rescan disturbed')));
});

t.test('nextListening: meddling just after a new scan is not forgotten', async (t) => {
  t.strictSame(live([{ ...busy, isDisturbed: true }, ...seconds(12, busy)]), ['10 rescan disturbed']);
});

t.test('nextListening: whatever is heard, the scan is started anew every ten seconds at most, and the radio only after that', async (t) => {
  const heard = fc.record({ reports: fc.nat(3), repeats: fc.nat(1), isDisturbed: fc.boolean() });
  fc.assert(
    fc.property(fc.array(fc.oneof(heard, fc.constant({})), { maxLength: 400 }), (heards) => {
      const done = live(heards).map((line) => ({ second: Number(line.split(' ')[0]), remedy: line.split(' ')[1] }));
      return done.every(({ second, remedy }, index) => {
        const before = done.slice(0, index).findLast((other) => other.remedy === 'rescan')?.second ?? 0;
        return remedy === 'reopen' ? second - before >= SILENCE_S : second - before >= RESCAN_EVERY_MS / 1_000;
      });
    }),
  );
  t.pass();
});
