import t from 'tap';
import { LedgerTail } from '../../gateway/ledger-tail.ts';
import { pruneSome } from '../../gateway/prune.ts';
import type { BatchEntry, LedgerEntry } from '../../protocol/ledger-entry.ts';
import fc from '../support/properties.ts';
import { openTestIngest } from '../support/test-ingest.ts';
import { checkIn } from '../support/test-kiosk.ts';

const DAY_MS = 86_400_000;
/** All that the tail looks at. */
const entry = (position: number, bytes: number): LedgerEntry =>
  ({ kind: 'batch', position, rows: [new Uint8Array(bytes)] }) as unknown as BatchEntry;
const positions = (entries: readonly LedgerEntry[] | undefined) => entries?.map(({ position }) => position);

t.test('ledger tail: what it gives lies behind the position, without a gap and within both bounds, or it gives nothing', (t) => {
  const commits = fc.array(fc.array(fc.nat(40_000), { maxLength: 40 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(commits, fc.nat(1_000), fc.integer({ min: 1, max: 300 }), fc.nat(3_000_000), (sizes, at, most, mostBytes) => {
      const tail = new LedgerTail();
      let last = 0;
      const all: LedgerEntry[] = [];
      for (const commit of sizes) {
        const added = commit.map((bytes) => entry(++last, bytes));
        tail.add(added);
        all.push(...added);
      }
      const given = tail.after(at, most, mostBytes);
      if (given === undefined) return;
      let bytes = 0;
      const wanted = all.slice(at, at + most).filter(({ position }) => {
        bytes += (all[position - 1] as BatchEntry).rows[0]?.length ?? 0;
        return position === at + 1 || bytes <= mostBytes;
      });
      t.strictSame(positions(given), positions(wanted));
    }),
  );
  t.end();
});

t.test('ledger tail: is bounded, and begins anew behind a gap', (t) => {
  const tail = new LedgerTail();
  for (let position = 1; position <= 300; position++) tail.add([entry(position, 10)]);
  t.equal(tail.after(43, 1_000, 1_000_000), undefined);
  t.equal(tail.after(44, 1_000, 1_000_000)?.length, 256);
  tail.add(Array.from({ length: 30 }, (_, nth) => entry(301 + nth, 100_000)));
  t.equal(tail.after(300, 1, 1), undefined);
  t.strictSame(positions(tail.after(328, 9, 9_000_000)), [329, 330]);
  tail.add([entry(1_000, 10)]);
  t.equal(tail.after(328, 9, 9_000_000), undefined);
  t.strictSame(positions(tail.after(999, 9, 9)), [1_000]);
  t.equal(tail.after(1_000, 9, 9), undefined);
  t.end();
});

t.test('ledger tail: sinks are given the same as lies in the files, until it is dropped there', async (t) => {
  const { db, ledger, take, kiosk, clock } = await openTestIngest(t);
  const start = await kiosk.start();
  for (let count = 1; count <= 5; count++) await take(start.batch(Array.from({ length: count }, () => start.seal(checkIn()))));
  const inFiles = (from: number) => ledger.keptAfter(from, 100, 1_000_000).map(({ entry }) => entry);
  // Bytes are bytes, whatever they lie in.
  const inHex = (_key: string, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value);
  const plain = (entries: readonly LedgerEntry[]): unknown => JSON.parse(JSON.stringify(entries, inHex));
  for (let from = 0; from < 5; from++) t.strictSame(plain(ledger.entriesAfter(from, 100, 1_000_000)), plain(inFiles(from)));
  await clock.advance(40 * DAY_MS);
  while (pruneSome(db, ledger, 21, clock.wall()).entries > 0);
  t.strictSame(ledger.entriesAfter(0, 100, 1_000_000), []);
});
