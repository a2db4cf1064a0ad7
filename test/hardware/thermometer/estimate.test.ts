import t from 'tap';
import { estimateOf, isRoomInRange, MLX90614_ROOM, OFFSETS } from '../../../hardware/thermometer/estimate.ts';
import type { CentiCelsius } from '../../../protocol/units.ts';

const of = (value: number) => value as CentiCelsius;

t.test('estimate: offset 0 is none, and the upper end of healthy foreheads becomes the default threshold', async (t) => {
  t.equal(estimateOf({ objectRaw: of(3_560) }, 0), 3_560);
  t.equal(estimateOf({ objectRaw: of(3_560) }, 1), 3_800);
});

t.test('estimate: an offset that is not in the table is a fault of the configuration', async (t) => {
  t.throws(() => estimateOf({ objectRaw: of(3_560) }, 2), { code: 'config.invalid' });
});

t.test('estimate: ids are unique, whole, and fit an event', async (t) => {
  t.equal(new Set(OFFSETS.map(({ id }) => id)).size, OFFSETS.length);
  t.ok(OFFSETS.every(({ id, add }) => Number.isInteger(id) && id >= 0 && id < 65_536 && Number.isInteger(add)));
});

t.test('estimate: the room is in range from 0 to 50 °C, and not where the sensor does not tell', async (t) => {
  t.ok(isRoomInRange({ ambientRaw: MLX90614_ROOM.lowest }));
  t.ok(isRoomInRange({ ambientRaw: MLX90614_ROOM.highest }));
  t.notOk(isRoomInRange({ ambientRaw: of(-1) }));
  t.notOk(isRoomInRange({ ambientRaw: of(5_001) }));
  t.notOk(isRoomInRange({}));
});
