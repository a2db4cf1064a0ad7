import t from 'tap';
import { Announcer } from '../../gateway/announce.ts';
import { OperatorEvents } from '../../gateway/operator-events.ts';
import { VenueCalendar } from '../../gateway/pseudonym.ts';
import { generateSigningKey } from '../../protocol/ed25519.ts';
import { type DeploymentId, type EntranceId, type KeyId, type KioskId, newPlaceId, type Seq, type VenueId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';

t.test('announcer: readers that stall cost operators events, never memory without bound', async (t) => {
  const deployment = newPlaceId<DeploymentId>();
  const released: (() => void)[] = [];
  let dropped = 0;
  const announcer = new Announcer({
    publish: () => new Promise((resolve) => released.push(resolve)),
    hasListeners: () => true,
    deployment,
    receiptKey: generateSigningKey(),
    events: new OperatorEvents(deployment, new Uint8Array(32), new VenueCalendar()),
    onEventDropped: () => {
      dropped += 1;
    },
    onBug: (error) => t.fail(String(error)),
  });
  const change = {
    reading: { kiosk: newPlaceId<KioskId>(), keyId: new Uint8Array(8) as KeyId, seq: 1 as Seq },
    venue: newPlaceId<VenueId>(),
    entrance: newPlaceId<EntranceId>(),
    subject: '0123456789abcdef',
    state: 'confirmed',
    raisedAtMs: 0 as EpochMillis,
    expiresAtMs: 1 as EpochMillis,
  } as const;
  for (let i = 0; i < 1_200; i++) announcer.flags([change]);
  t.equal(released.length, 1_000);
  t.equal(dropped, 200);
  for (const release of released) release();
  await new Promise<void>((resolve) => setImmediate(resolve));
  announcer.flags([change]);
  t.equal(released.length, 1_001);
});
