import t from 'tap';
import {
  LEFT_SAMPLES,
  NOTHING_PRESENTED,
  nextPresentation,
  SKIN_HIGHEST,
  SKIN_LOWEST,
  STEADY_SAMPLES,
  STEADY_SPAN,
} from '../../../hardware/thermometer/presentation.ts';
import type { Sample } from '../../../hardware/thermometer/reading.ts';
import type { CentiCelsius } from '../../../protocol/units.ts';
import fc from '../../support/properties.ts';

const SEED = Number(process.env.SEED ?? 20261121);

const sampleOf = (object: number): Sample => ({ objectRaw: object as CentiCelsius, ambientRaw: 2_300 as CentiCelsius });

/** The object temperatures that a stream of them makes readings of. */
const readingsOf = (objects: readonly number[]): number[] => {
  let state = NOTHING_PRESENTED;
  const readings: number[] = [];
  for (const object of objects) {
    const next = nextPresentation(state, sampleOf(object));
    state = next.state;
    if (next.steady !== undefined) readings.push(next.steady.objectRaw);
  }
  return readings;
};

const times = (count: number, object: number): number[] => Array.from({ length: count }, () => object);
const room = times(10, 2_200);

t.test('presentation: one forehead is one reading, the median, however long it stays', async (t) => {
  t.strictSame(readingsOf([...room, 3_430, 3_410, 3_450, 3_420, 3_440, ...times(200, 3_500), ...room]), [3_430]);
});

t.test('presentation: the next forehead is the next reading, once the first has left', async (t) => {
  t.strictSame(readingsOf([...times(8, 3_430), ...times(LEFT_SAMPLES, 2_200), ...times(8, 3_510)]), [3_430, 3_510]);
  t.strictSame(readingsOf([...times(8, 3_430), ...times(LEFT_SAMPLES - 1, 2_200), ...times(8, 3_510)]), [3_430], 'a blink is no leaving');
});

t.test('presentation: a head that comes nearer is read when it has stopped', async (t) => {
  const coming = Array.from({ length: 20 }, (_, index) => 3_000 + index * 25);
  t.strictSame(readingsOf([...room, ...coming, ...times(5, 3_480)]), [3_480]);
});

t.test('presentation: the room, a cup of tea, or a glance give nothing', async (t) => {
  t.strictSame(
    readingsOf([...times(100, 2_200), ...times(100, 6_500), ...times(100, SKIN_LOWEST - 1), ...times(100, SKIN_HIGHEST + 1)]),
    [],
  );
  const glances = Array.from({ length: 20 }, () => [...times(STEADY_SAMPLES - 1, 3_400), 2_200]).flat();
  t.strictSame(readingsOf(glances), []);
});

const objects = fc.array(
  fc.oneof(
    fc.integer({ min: -7_000, max: 32_767 }),
    fc.integer({ min: SKIN_LOWEST - 5, max: SKIN_HIGHEST + 5 }),
    fc.integer({ min: 3_400, max: 3_400 + STEADY_SPAN }),
  ),
  { maxLength: 200 },
);

t.test('presentation: whatever is measured, a reading is skin, steady, and one for each time skin was there', async (t) => {
  fc.assert(
    fc.property(objects, (stream) => {
      let state = NOTHING_PRESENTED;
      let offSkin = LEFT_SAMPLES;
      let mayGive = true;
      const recent: number[] = [];
      for (const object of stream) {
        const isSkin = object >= SKIN_LOWEST && object <= SKIN_HIGHEST;
        offSkin = isSkin ? 0 : offSkin + 1;
        if (offSkin >= LEFT_SAMPLES) mayGive = true;
        recent.push(object);
        const next = nextPresentation(state, sampleOf(object));
        state = next.state;
        t.ok(state.recent.length <= STEADY_SAMPLES);
        if (next.steady === undefined) continue;
        t.ok(mayGive, 'once a presentation');
        mayGive = false;
        const last = recent.slice(-STEADY_SAMPLES);
        t.equal(last.length, STEADY_SAMPLES);
        t.ok(last.every((one) => one >= SKIN_LOWEST && one <= SKIN_HIGHEST));
        t.ok(Math.max(...last) - Math.min(...last) <= STEADY_SPAN);
        t.equal(last.toSorted((a, b) => a - b)[2], next.steady.objectRaw);
      }
    }),
    { seed: SEED, numRuns: 200 },
  );
});

t.test('presentation: skin that holds still for long enough is always read', async (t) => {
  const steady = fc.array(fc.integer({ min: 3_300, max: 3_300 + STEADY_SPAN }), { minLength: STEADY_SAMPLES, maxLength: 40 });
  fc.assert(
    fc.property(objects, steady, (before, held) => {
      const readings = readingsOf([...before, ...times(LEFT_SAMPLES, 2_200), ...held]);
      t.ok(readings.length > 0 && held.includes(readings.at(-1) ?? 0));
    }),
    { seed: SEED, numRuns: 200 },
  );
});
