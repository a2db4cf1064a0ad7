import t from 'tap';
import {
  decodeSample,
  encodeSample,
  FRAME_BYTES,
  SampleFramer,
  SEND_CONTINUOUSLY,
} from '../../../hardware/thermometer/gy-mcu90614-codec.ts';
import type { CentiCelsius } from '../../../protocol/units.ts';
import { shown, testModuleFrames } from './module-frames.ts';

testModuleFrames({
  module: 'GY-MCU90614',
  vectorFile: 'thermometer-gy-mcu90614.json',
  frameBytes: FRAME_BYTES,
  decodeSample,
  encodeSample: (sample) => encodeSample(sample),
  newFramer: () => new SampleFramer(),
  first: 0x5a,
  likely: [0x5a, 0x45, 0x04, 0x00, 0xff],
});

t.test('GY-MCU90614 command: send continuously, as the sheet prints it', async (t) => {
  t.equal(Buffer.from(SEND_CONTINUOUSLY).toString('hex'), 'a545ea');
  t.equal(SEND_CONTINUOUSLY[2], ((SEND_CONTINUOUSLY[0] ?? 0) + (SEND_CONTINUOUSLY[1] ?? 0)) & 0xff);
});

t.test('GY-MCU90614 framer: a frame that is refused is told by its code, and one that begins inside it is found', async (t) => {
  const good = encodeSample({ objectRaw: 3_428 as CentiCelsius, ambientRaw: 2_406 as CentiCelsius });
  const cutShort = good.subarray(0, 6);
  t.strictSame(shown(new SampleFramer().push(Buffer.concat([cutShort, good, good]))), [
    'decode.checksum',
    decodeSample(good),
    decodeSample(good),
  ]);
});
