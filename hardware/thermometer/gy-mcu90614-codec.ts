/**
 * The bytes of the GY-MCU90614 module (an MLX90614 and a small processor with a serial port). Pure.
 *
 * Frame, 9 bytes:  5A 5A | 45 | 04 | object, high low | ambient, high low | sum
 * Object and ambient are hundredths of a degree Celsius, high byte first, two's complement. The sum is that of the eight bytes before it,
 * low eight bits. Commands to the module, 3 bytes: A5 | command | sum of both, low eight bits.
 * Source: the module's protocol sheet, as its sellers print it (docs/devices/gy-mcu90614.md); it does not speak of negative values, its
 * sample program reads them into a signed 16-bit integer. Ranges: Melexis, MLX90614 family datasheet 3901090614, revision 13.
 */
import { DecodeError } from '../../protocol/errors.ts';
import { FixedFramer, sampleWithin, sumOf } from './fixed-framer.ts';
import type { Sample } from './reading.ts';

export const FRAME_BYTES = 9;
const HEADER = 0x5a;
const TYPE_TEMPERATURES = 0x45;
const PAYLOAD_BYTES = 4;

/** Tells the module to send a frame 14 times a second (at 9,600 baud), until it is told otherwise or loses power. */
export const SEND_CONTINUOUSLY = Uint8Array.of(0xa5, 0x45, 0xea);

/**
 * @param frame 9 bytes; more are not read.
 * @throws DecodeError `decode.truncated`, `decode.malformed` (header), `decode.unsupported` (type or length), `decode.checksum`,
 * `decode.out_of_range` when a value is none that the sensor can give.
 */
export function decodeSample(frame: Uint8Array): Sample {
  if (frame.length < FRAME_BYTES) throw new DecodeError('decode.truncated', `thermometer frame: ${frame.length} of ${FRAME_BYTES} bytes`);
  const view = new DataView(frame.buffer, frame.byteOffset, FRAME_BYTES);
  if (view.getUint8(0) !== HEADER || view.getUint8(1) !== HEADER) throw new DecodeError('decode.malformed', 'thermometer frame: no header');
  if (view.getUint8(2) !== TYPE_TEMPERATURES || view.getUint8(3) !== PAYLOAD_BYTES)
    throw new DecodeError('decode.unsupported', 'thermometer frame: not one of temperatures');
  if (view.getUint8(8) !== sumOf(frame.subarray(0, 8))) throw new DecodeError('decode.checksum', 'thermometer frame: its sum is wrong');
  return sampleWithin(view.getInt16(4), view.getInt16(6));
}

/** The frame a module would send: for tests, the demo, and whoever builds a stand-in. */
export function encodeSample({ objectRaw, ambientRaw }: Sample): Uint8Array {
  const frame = new Uint8Array(FRAME_BYTES);
  frame.set([HEADER, HEADER, TYPE_TEMPERATURES, PAYLOAD_BYTES]);
  const view = new DataView(frame.buffer);
  view.setInt16(4, objectRaw);
  view.setInt16(6, ambientRaw);
  frame[8] = sumOf(frame.subarray(0, 8));
  return frame;
}

/** Finds frames in a stream. */
export class SampleFramer extends FixedFramer<Sample> {
  constructor() {
    super({ start: [HEADER, HEADER, TYPE_TEMPERATURES, PAYLOAD_BYTES], lengthBytes: FRAME_BYTES, decode: decodeSample });
  }
}
