import fc from 'fast-check';
import t from 'tap';
import { PacketSplitter } from '../../gateway/packet-splitter.ts';
import { watchState } from '../support/inbox.ts';
import { startTestGateway } from '../support/test-gateway.ts';
import { checkIn, publishOrClose } from '../support/test-kiosk.ts';

/** A packet by the rule of MQTT 3.1.1, section 2.2.3. */
function packetOf(type: number, body: Uint8Array): Buffer {
  const length: number[] = [];
  let rest = body.length;
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>= 7;
  } while (rest > 0);
  return Buffer.from([type << 4, ...length, ...body]);
}

t.test('packet splitter: any chunking gives the same packets', async () => {
  const packet = fc.tuple(fc.integer({ min: 1, max: 14 }), fc.uint8Array({ maxLength: 400 })).map(([type, body]) => packetOf(type, body));
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 200 })), (packets, cuts) => {
      const splitter = new PacketSplitter(1_000);
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

t.test('packet splitter: too long is refused before it came, and a length that never ends', async (t) => {
  const longest = new PacketSplitter(127);
  t.equal(longest.push(packetOf(3, new Uint8Array(127))).length, 1);
  t.throws(() => longest.push(packetOf(3, new Uint8Array(128)).subarray(0, 3)), { code: 'admission.overlong' });
  t.throws(() => new PacketSplitter(2 ** 29).push(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80])), { code: 'admission.overlong' });
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
    t.equal(gateway.ledger.prepare('SELECT count(*) FROM rows').pluck().get(), 12);
  });
}
