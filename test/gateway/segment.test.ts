import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import t from 'tap';
import type { Placement } from '../../core/intake.ts';
import { Segment } from '../../gateway/segment.ts';
import { type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { STORE_KEY } from '../support/test-ingest.ts';

const PLACEMENT: Placement = {
  venue: newPlaceId<VenueId>(),
  entrance: newPlaceId<EntranceId>(),
  direction: 'in',
  dwellMs: 3_600_000,
  lingeringMs: 0,
};
const FLAG_RULE = { version: 1, minimumOverlapMs: 900_000, isSuspected: true };

t.test('segment: each batch keeps the place where its kiosk hung then, whatever of it was said otherwise', async (t) => {
  const placements: Placement[] = [
    PLACEMENT,
    { ...PLACEMENT, venue: newPlaceId<VenueId>() },
    { ...PLACEMENT, entrance: newPlaceId<EntranceId>() },
    { ...PLACEMENT, direction: 'both' },
    { ...PLACEMENT, dwellMs: 60_000 },
    { ...PLACEMENT, lingeringMs: 60_000 },
    { ...PLACEMENT, region: 'north' },
    { ...PLACEMENT, flagRule: FLAG_RULE },
    { ...PLACEMENT, flagRule: { ...FLAG_RULE, version: 2 } },
    { ...PLACEMENT, flagRule: { ...FLAG_RULE, isSuspected: false } },
    { ...PLACEMENT, flagRule: { version: 1, isSuspected: true } },
    // Of a release to come.
    { ...PLACEMENT, storey: 2 } as Placement,
  ];
  const kiosk = newPlaceId<KioskId>();
  const of = { kiosk, kioskPublicKey: new Uint8Array(randomBytes(32)), topic: 'a', receivedAtMs: 1 as EpochMillis };
  const bytes = { keyRecord: new Uint8Array([1]), sign1: new Uint8Array([2]) };
  const path = join(t.testdir(), 'segment.db');
  const written = new Segment(path, STORE_KEY);
  for (const [at, placement] of [...placements, ...placements].entries())
    written.appendBatch(at + 1, { ...of, ...bytes, placement }, [new Uint8Array([3])], []);
  t.equal(written.db.prepare('SELECT count(*) FROM sources').pluck().get(), placements.length, 'each once');
  written.close();
  const read = new Segment(path, STORE_KEY, true);
  t.teardown(() => read.close());
  t.strictSame(
    read.entriesAfter(0, 100, 100_000).map(({ entry }) => entry.kind === 'batch' && entry.placement),
    [...placements, ...placements],
  );
});
