import { createHash } from 'node:crypto';
import t from 'tap';
import { type CardSighting, CardTable } from '../../../gateway/doubts/card-table.ts';
import type { KeyId, KioskId, Seq, VenueId } from '../../../protocol/ids.ts';
import type { EpochMillis } from '../../../protocol/units.ts';
import fc from '../../support/properties.ts';

const nameOf = (card: number) => {
  const digest = createHash('sha256').update(`${card}`).digest();
  return { high: digest.readUInt32BE(0), low: digest.readUInt32BE(4) };
};
const sourceOf = (kiosk: number) => ({
  kiosk: `K${kiosk}` as KioskId,
  keyId: Uint8Array.of(kiosk) as KeyId,
  venue: `V${kiosk}` as VenueId,
});
const sighting = (seq: number, kiosk: number): CardSighting => ({
  source: sourceOf(kiosk),
  seq: seq as Seq,
  atMs: (1e12 + seq) as EpochMillis,
  uncertaintyMs: seq % 7,
});

t.test('card table: tells where a card was seen last, of the last cards for certain and of none that is long gone', async () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(60), fc.nat(3)), { maxLength: 400 }), (seen) => {
      const table = new CardTable(32);
      const last = new Map<number, CardSighting>();
      return seen.every(([card, kiosk], index) => {
        const now = sighting(index, kiosk);
        const before = table.see(nameOf(card), now);
        const wanted = last.get(card);
        last.delete(card);
        const isRecent = wanted !== undefined && [...last.values()].filter(({ seq }) => seq > wanted.seq).length < 16;
        last.set(card, now);
        if (before === undefined) return !isRecent;
        return JSON.stringify(before) === JSON.stringify(wanted);
      });
    }),
  );
});

t.test('card table: few cards of very many batches are held in bounds, too', async (t) => {
  const table = new CardTable(8);
  for (let index = 0; index < 1_000; index++) {
    const before = table.see(nameOf(index % 2), sighting(index, index));
    t.equal(before?.seq, index < 2 ? undefined : index - 2);
  }
});
