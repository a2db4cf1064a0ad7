import t from 'tap';
import { PacketSplitter } from '../../gateway/packet-splitter.ts';
import { codeOf } from '../../protocol/errors.ts';
import { watchState } from '../support/inbox.ts';
import fc from '../support/properties.ts';
import { rowsIn } from '../support/read-ledger.ts';
import { startTestGateway } from '../support/test-gateway.ts';
import { checkIn, publishOrClose } from '../support/test-kiosk.ts';

const CONNECT = 1;
const PUBLISH = 3;

/** A packet by the rule of MQTT 3.1.1, section 2.2.3. */
function packetOf(type: number, body: Uint8Array, flags = 0): Buffer {
  const length: number[] = [];
  let rest = body.length;
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>= 7;
  } while (rest > 0);
  return Buffer.from([(type << 4) | flags, ...length, ...body]);
}

/** One that is past CONNECT. */
function openSplitter(longestBytes: number): PacketSplitter {
  const splitter = new PacketSplitter(longestBytes);
  splitter.push(packetOf(CONNECT, new Uint8Array(10)));
  return splitter;
}

t.test('packet splitter: any chunking gives the same packets', async () => {
  const packet = fc.uint8Array({ maxLength: 400 }).map((body) => packetOf(PUBLISH, body, body.length % 2));
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 200 })), (packets, cuts) => {
      const splitter = openSplitter(1_000);
      let rest = Buffer.concat(packets);
      const got: Buffer[] = [];
      for (let i = 0; rest.length > 0; i++) {
        const cut = cuts[i % Math.max(cuts.length, 1)] ?? 1;
        got.push(...splitter.push(rest.subarray(0, cut)).map(({ bytes }) => bytes));
        rest = rest.subarray(cut);
      }
      return Buffer.concat(got).equals(Buffer.concat(packets)) && got.length === packets.length;
    }),
  );
});

t.test('packet splitter: too long for its type is refused before it came, and a length that never ends', async (t) => {
  const longest = openSplitter(127);
  t.equal(longest.push(packetOf(PUBLISH, new Uint8Array(127))).length, 1);
  t.throws(() => longest.push(packetOf(PUBLISH, new Uint8Array(128)).subarray(0, 3)), { code: 'admission.overlong' });
  t.throws(() => openSplitter(2 ** 29).push(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80])), { code: 'admission.overlong' });
  for (const [what, first, length] of [
    ['CONNECT', 0x10, 9_217],
    ['PUBACK', 0x40, 3],
    ['SUBSCRIBE', 0x82, 8_193],
    ['PINGREQ', 0xc0, 1],
  ] as const) {
    const splitter = first === 0x10 ? new PacketSplitter(65_792) : openSplitter(65_792);
    const header = packetOf(first >> 4, new Uint8Array(length), first & 0x0f).subarray(0, 4);
    t.throws(() => splitter.push(header), { code: 'admission.overlong' }, what);
  }
});

t.test('packet splitter: what may not come from a client, or not now, is refused by its first byte', async (t) => {
  const takenBy = (open: () => PacketSplitter): number[] =>
    Array.from({ length: 256 }, (_, first) => first).filter((first) => {
      try {
        open().push(Buffer.from([first]));
        return true;
      } catch (error) {
        if (codeOf(error) !== 'admission.malformed') throw error;
        return false;
      }
    });
  t.strictSame(
    takenBy(() => new PacketSplitter(1_000)),
    [0x10],
    'CONNECT first',
  );
  const allowed = [0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x40, 0x50, 0x62, 0x70, 0x82, 0xa2, 0xc0, 0xe0];
  t.strictSame(
    takenBy(() => openSplitter(1_000)),
    allowed,
    'by MQTT 3.1.1, tables 2.1 and 2.2',
  );
});

for (const [what, limits] of [
  ['batches', { unansweredBatches: 3 }],
  ['bytes', { unansweredBytes: 1_000 }],
] as const) {
  t.test(`flow gate: a kiosk that is not answered is read no further than its budget of ${what}`, async (t) => {
    const gateway = await startTestGateway(t, { config: { limits } });
    const kiosk = gateway.admit();
    const client = await kiosk.connect(gateway.running.tlsPort);
    client.setMaxListeners(0);
    t.teardown(() => client.end(true));
    const state = await watchState(gateway);
    const start = await kiosk.start();
    gateway.ledger.prepare('BEGIN IMMEDIATE').run();
    const sent = Array.from({ length: 12 }, () => publishOrClose(client, kiosk.batchTopic, start.batch([start.seal(checkIn())])));
    const seen = await state.next((value) => value.kiosks[kiosk.kiosk]?.withheld?.batches >= 2);
    const withheld = seen.kiosks[kiosk.kiosk].withheld.batches;
    t.ok(withheld <= 3, `${withheld} of 12 are held`);
    gateway.ledger.prepare('ROLLBACK').run();
    await gateway.clock.advance(60_000);
    await Promise.all(sent);
    t.equal(rowsIn(gateway), 12);
  });
}
