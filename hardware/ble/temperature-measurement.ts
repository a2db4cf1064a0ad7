/**
 * The value of a Temperature Measurement (0x2A1C) of the Health Thermometer Service (0x1809). Pure.
 *
 * flags (1) | temperature (4) | time stamp (7), if flag 1 is set | type (1), if flag 2 is set.
 * Flag 0: °F in the place of °C. Time stamp: year (2) | month | day | hours | minutes | seconds; a year, month or day of 0 is not known.
 * Temperature, an IEEE 11073 FLOAT:  mantissa (3, signed) | exponent of ten (1, signed). All numbers low byte first.
 * Source: Bluetooth GATT Specification Supplement, Temperature Measurement, Temperature Type and Date Time; Health Thermometer Service 1.0, 3.1;
 * ISO/IEEE 11073-20601, FLOAT-Type.
 */
import { DecodeError } from '../../protocol/errors.ts';
import { type CentiCelsius, toCentiCelsius } from '../../protocol/units.ts';

/** Where it was taken. */
export type TemperatureType = 'armpit' | 'body' | 'ear' | 'finger' | 'gastro-intestinal' | 'mouth' | 'rectum' | 'toe' | 'tympanum';

export interface TemperatureMeasurement {
  readonly temperature: CentiCelsius;
  /** By the thermometer's clock, which may be wrong and has no zone: fit for comparing two of the same thermometer. */
  readonly timeStamp: string | undefined;
  readonly type: TemperatureType | undefined;
}

const FLAG_FAHRENHEIT = 0x01;
const FLAG_TIME_STAMP = 0x02;
const FLAG_TYPE = 0x04;
const TEMPERATURE_BYTES = 4;
const TIME_STAMP_BYTES = 7;
/** From 1; what is above is reserved. */
const TYPES: readonly TemperatureType[] = ['armpit', 'body', 'ear', 'finger', 'gastro-intestinal', 'mouth', 'rectum', 'toe', 'tympanum'];

/** Not a number, not at this resolution, both infinities and one reserved. Refused with any exponent. */
const NO_VALUES: ReadonlySet<number> = new Set([0x7ffffe, 0x7fffff, -0x800000, -0x7fffff, -0x7ffffe]);
/** Wide of any thermometer and near enough for a number that stays exact. */
const LOWEST = -10_000;
const HIGHEST = 30_000;

/**
 * @param value one indication; bytes after the last field that the flags name are not read, as the service demands.
 * @throws DecodeError `decode.truncated`; `decode.no_value` when the thermometer says that it has none; `decode.out_of_range` outside -100 to 300 °C
 * and for a time stamp that is none.
 */
export function decodeTemperatureMeasurement(value: Uint8Array): TemperatureMeasurement {
  const flags = value[0] ?? 0;
  const hasTime = (flags & FLAG_TIME_STAMP) !== 0;
  const hasType = (flags & FLAG_TYPE) !== 0;
  const typeAt = 1 + TEMPERATURE_BYTES + (hasTime ? TIME_STAMP_BYTES : 0);
  const needed = typeAt + (hasType ? 1 : 0);
  if (value.length < needed) throw new DecodeError('decode.truncated', `temperature measurement: ${value.length} of ${needed} bytes`);
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const number = decodeFloat(view, 1);
  const celsius = (flags & FLAG_FAHRENHEIT) === 0 ? number : ((number - 32) * 5) / 9;
  const temperature = toCentiCelsius(celsius);
  if (!(temperature >= LOWEST && temperature <= HIGHEST))
    throw new DecodeError('decode.out_of_range', 'temperature measurement: outside what a thermometer measures');
  return {
    temperature,
    timeStamp: hasTime ? decodeTimeStamp(view, 1 + TEMPERATURE_BYTES) : undefined,
    type: hasType ? TYPES[view.getUint8(typeAt) - 1] : undefined,
  };
}

function decodeFloat(view: DataView, offset: number): number {
  const float = view.getInt32(offset, true);
  const mantissa = (float << 8) >> 8;
  const exponent = float >> 24;
  if (NO_VALUES.has(mantissa)) throw new DecodeError('decode.no_value', 'temperature measurement: the thermometer has no value');
  // Dividing by a whole power of ten gives the nearest double; multiplying by 0.1 does not.
  return exponent < 0 ? mantissa / 10 ** -exponent : mantissa * 10 ** exponent;
}

/** Highest of month, day, hours, minutes, seconds. */
const MOST = [12, 31, 23, 59, 59];

function decodeTimeStamp(view: DataView, offset: number): string {
  const year = view.getUint16(offset, true);
  const rest = MOST.map((most, index) => ({ part: view.getUint8(offset + 2 + index), most }));
  if ((year !== 0 && (year < 1582 || year > 9999)) || rest.some(({ part, most }) => part > most))
    throw new DecodeError('decode.out_of_range', 'temperature measurement: its time stamp is none');
  return [year, ...rest.map(({ part }) => part)].join(' ');
}
