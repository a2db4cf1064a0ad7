import t from 'tap';
import { appendCrc16, crc16, isCrc16Right } from '../../protocol/crc.ts';
import fc from '../support/properties.ts';

t.test('CRC-16/IBM-3740: gives the check value of the catalogue', (t) => {
  t.equal(crc16(Buffer.from('123456789')), 0x29b1);
  t.equal(crc16(new Uint8Array(0)), 0xffff);
  t.end();
});

t.test('CRC-16: what was appended is found right, and behind any text', (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => isCrc16Right(appendCrc16(bytes))));
  t.equal(isCrc16Right(Uint8Array.of(0xff)), false, 'one byte holds no check');
  t.equal(isCrc16Right(new Uint8Array(0)), false);
  t.end();
});

t.test('CRC-16: every burst of at most 16 bits is found, in the longest card', (t) => {
  const card = appendCrc16(Uint8Array.from({ length: 86 }, (_, at) => (at * 37) & 0xff));
  const bits = card.length * 8;
  let missed = 0;
  for (let from = 0; from < bits; from++) {
    for (const burst of [0x8000, 0xc000, 0x8001, 0xffff, 0x9249, 0xf000, 0xff00, 0xa5a5]) {
      const broken = Uint8Array.from(card);
      for (let bit = 0; bit < 16 && from + bit < bits; bit++) {
        if ((burst & (0x8000 >> bit)) !== 0) broken[(from + bit) >> 3]! ^= 0x80 >> ((from + bit) & 7);
      }
      if (isCrc16Right(broken)) missed++;
    }
  }
  t.equal(missed, 0);
  t.end();
});
