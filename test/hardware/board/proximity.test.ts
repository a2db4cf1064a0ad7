import t from 'tap';
import { centimetresOf, NOBODY_NEAR, nextNearness } from '../../../hardware/board/proximity.ts';
import fc from '../../support/properties.ts';

/** Read off the sheets' example curves ("Example of distance measuring characteristics"), to what an eye can read. */
const VECTORS = [
  ['gp2y0a21', 2.3, 10],
  ['gp2y0a21', 1.3, 20],
  ['gp2y0a21', 0.93, 30],
  ['gp2y0a21', 0.75, 40],
  ['gp2y0a21', 0.4, 80],
  ['gp2y0a41', 2.65, 4],
  ['gp2y0a41', 1.25, 10],
  ['gp2y0a41', 0.65, 20],
  ['gp2y0a41', 0.4, 30],
] as const;

for (const [sensor, volts, centimetres] of VECTORS) {
  t.test(`proximity: ${sensor} at ${volts} V is some ${centimetres} cm`, async (t) => {
    const found = centimetresOf(sensor, volts) ?? 0;
    t.ok(Math.abs(found - centimetres) <= centimetres * 0.15, `${found.toFixed(1)} cm`);
  });
}

t.test('proximity: the nearer, the higher; never beyond what the sensor can tell; nothing when nothing is there', async (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom('gp2y0a21', 'gp2y0a41'),
      fc.double({ min: 0, max: 5, noNaN: true }),
      fc.double({ min: 0, max: 5, noNaN: true }),
      (sensor, one, other) => {
        const [far, near] = one < other ? [one, other] : [other, one];
        const farCm = centimetresOf(sensor, far) ?? Number.POSITIVE_INFINITY;
        const nearCm = centimetresOf(sensor, near) ?? Number.POSITIVE_INFINITY;
        t.ok(nearCm <= farCm);
        t.ok(nearCm >= 4);
      },
    ),
  );
  t.equal(centimetresOf('gp2y0a21', 0.39), undefined);
});

t.test('proximity: an arm that passes is nobody, and a step back within the bound is no leaving', async (t) => {
  const walk = (centimetres: readonly (number | undefined)[]) =>
    centimetres.reduce((state, cm) => nextNearness(state, cm, 20), NOBODY_NEAR);
  t.notOk(walk([15, 15, 15, undefined, 15, 15, 15]).isNear);
  t.ok(walk([15, 15, 15, 15]).isNear);
  t.ok(walk([15, 15, 15, 15, 24, 24, 24, 24, 24]).isNear);
  t.notOk(walk([15, 15, 15, 15, 26, 26, 26, 26]).isNear);
  t.notOk(walk([15, 15, 15, 15, undefined, undefined, undefined, undefined]).isNear);
});
