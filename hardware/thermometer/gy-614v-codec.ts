/**
 * The bytes of the GY-614V module (an MLX90614 and a small processor with a serial port and registers). Pure.
 *
 * Frame, 12 bytes:  A4 | 03 | 07 | 07 | emissivity | object, high low | ambient, high low | body, high low | sum
 * It is the answer to "read 7 registers from 07", which the module sends unasked at its own rate. Object, ambient and body are hundredths of
 * a degree Celsius, high byte first; emissivity is hundredths. The sum is that of the bytes before it, low eight bits. `body` is the module's
 * own guess from a forehead, by a rule that is not published: it is not read.
 * Commands to the module, 5 bytes: A4 | 06 | register | value | sum. They last until it loses power, unless register 05 is told to save.
 * Source: the module's register sheet as its sellers print it, and their sample program for the frame (docs/devices/gy-614v.md). Ranges:
 * Melexis, MLX90614 family datasheet 3901090614, revision 13.
 */
import { DecodeError } from '../../protocol/errors.ts';
import { FixedFramer, sampleWithin, sumOf } from './fixed-framer.ts';
import type { Sample } from './reading.ts';

export const FRAME_BYTES = 12;
const ADDRESS = 0xa4;
const READ = 0x03;
const WRITE = 0x06;
/** Emissivity, and the six bytes of three temperatures after it. */
const FIRST_REGISTER = 0x07;
const REGISTERS = 7;
const START = [ADDRESS, READ, FIRST_REGISTER, REGISTERS];

const HIGHEST_EMISSIVITY = 100;

const command = (register: number, value: number): number[] => {
  const bytes = [ADDRESS, WRITE, register, value];
  return [...bytes, sumOf(Uint8Array.from(bytes))];
};

/**
 * Ten samples a second, without being asked, as bytes and not as text, and with no offset of the module's own: a reading says which offset
 * was added to it, and that would be a second one that nobody knows of.
 */
export const SEND_RAW_CONTINUOUSLY = Uint8Array.from([
  ...command(0x04, 0x00),
  ...command(0x06, 100),
  ...command(0x02, 3),
  ...command(0x03, 0x00),
]);

/**
 * @param frame 12 bytes; more are not read.
 * @throws DecodeError `decode.truncated`, `decode.malformed` (another address or function), `decode.unsupported` (other registers),
 * `decode.checksum`, `decode.out_of_range` when a value is none that the sensor can give.
 */
export function decodeSample(frame: Uint8Array): Sample {
  if (frame.length < FRAME_BYTES) throw new DecodeError('decode.truncated', `thermometer frame: ${frame.length} of ${FRAME_BYTES} bytes`);
  const view = new DataView(frame.buffer, frame.byteOffset, FRAME_BYTES);
  if (view.getUint8(0) !== ADDRESS || view.getUint8(1) !== READ) throw new DecodeError('decode.malformed', 'thermometer frame: no header');
  if (view.getUint8(2) !== FIRST_REGISTER || view.getUint8(3) !== REGISTERS)
    throw new DecodeError('decode.unsupported', 'thermometer frame: not the registers of temperatures');
  if (view.getUint8(11) !== sumOf(frame.subarray(0, 11))) throw new DecodeError('decode.checksum', 'thermometer frame: its sum is wrong');
  const emissivity = view.getUint8(4);
  if (emissivity === 0 || emissivity > HIGHEST_EMISSIVITY)
    throw new DecodeError('decode.out_of_range', 'thermometer frame: emissivity outside its range');
  return sampleWithin(view.getInt16(5), view.getInt16(7));
}

/** The frame a module would send: for tests, the demo, and whoever builds a stand-in. */
export function encodeSample({ objectRaw, ambientRaw }: Sample, emissivity = 95, body = objectRaw as number): Uint8Array {
  const frame = new Uint8Array(FRAME_BYTES);
  frame.set([...START, emissivity]);
  const view = new DataView(frame.buffer);
  view.setInt16(5, objectRaw);
  view.setInt16(7, ambientRaw);
  view.setInt16(9, body);
  frame[11] = sumOf(frame.subarray(0, 11));
  return frame;
}

/** Finds frames in a stream. */
export class SampleFramer extends FixedFramer<Sample> {
  constructor() {
    super({ start: START, lengthBytes: FRAME_BYTES, decode: decodeSample });
  }
}
