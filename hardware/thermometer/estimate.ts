/**
 * What a reading is taken to say of a person: the sensor's value corrected by a named offset, and whether the room let it. Pure.
 * The offset's id goes with every event, so that a reading can be understood after the table has grown. Ids are never used twice.
 * How weak this is: docs/devices/gy-mcu90614.md.
 */
import { ConfigError } from '../../protocol/errors.ts';
import type { CentiCelsius } from '../../protocol/units.ts';
import type { Reading } from './reading.ts';

export interface Offset {
  readonly id: number;
  /** What it is for, in a word that a person can choose by. */
  readonly name: string;
  /** Added to the object temperature. */
  readonly add: CentiCelsius;
  readonly source: string;
}

export const OFFSETS: readonly Offset[] = [
  { id: 0, name: 'none', add: 0 as CentiCelsius, source: 'the sensor’s value as it is' },
  {
    id: 1,
    name: 'forehead',
    // 35.6 °C, the upper end of 1,000 healthy foreheads, becomes 38.0 °C.
    add: 240 as CentiCelsius,
    source: 'Ng et al., A brief report on the normal range of forehead temperature, Am J Infect Control 2005;33:227-9: 31.0 to 35.6 °C',
  },
];

/**
 * @param offsetId one of OFFSETS.
 * @returns the corrected estimate.
 * @throws ConfigError `config.invalid` for an id that is not in the table.
 */
export function estimateOf(reading: Pick<Reading, 'objectRaw'>, offsetId: number): CentiCelsius {
  const offset = OFFSETS.find(({ id }) => id === offsetId);
  if (offset === undefined) throw new ConfigError('config.invalid', `temperature offset: ${offsetId} is none of ${OFFSETS.length}`);
  return (reading.objectRaw + offset.add) as CentiCelsius;
}

/**
 * Where the MLX90614 keeps ±0.5 °C, and the sensor temperatures at which it does.
 * Source: Melexis, MLX90614 family datasheet 3901090614, revision 13, "Features and Benefits": 0 to 50 °C for both.
 */
export const MLX90614_ROOM = { lowest: 0 as CentiCelsius, highest: 5_000 as CentiCelsius };

/** @returns whether the sensor's own temperature lay where its maker vouches for it; false where the sensor does not tell. */
export const isRoomInRange = (reading: Pick<Reading, 'ambientRaw'>, room = MLX90614_ROOM): boolean =>
  reading.ambientRaw !== undefined && reading.ambientRaw >= room.lowest && reading.ambientRaw <= room.highest;
