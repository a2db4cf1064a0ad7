import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PolicyDesk } from '../../gateway/policy/policy-desk.ts';
import { Registry } from '../../gateway/registry.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { type DeploymentId, type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import type { KioskStateReport } from '../../protocol/kiosk-state.ts';
import { LogRecorder } from '../support/log-recorder.ts';
import { ManualClock } from '../support/manual-clock.ts';

const DAY_MS = 86_400_000;

/** A desk over a registry that notes whose rules were looked at. */
function open(t: Test) {
  const clock = new ManualClock();
  const registry = new Registry(join(t.testdir(), 'registry.db'), new Uint8Array(32));
  t.teardown(() => registry.close());
  const venue = newPlaceId<VenueId>();
  registry.putVenue({ id: venue, name: 'Shop', timezone: 'UTC' });
  const kiosks = Array.from({ length: 3 }, () => newPlaceId<KioskId>());
  for (const kiosk of kiosks)
    registry.admit({ kiosk, publicKey: rawPublicKey(generateSigningKey()), venue, entrance: newPlaceId<EntranceId>() }, clock.wall());
  const lookedAt: KioskId[] = [];
  const all = registry.kiosks.bind(registry);
  registry.kiosks = () =>
    [...all()].map((kiosk) => ({
      ...kiosk,
      get placement() {
        lookedAt.push(kiosk.kiosk);
        return kiosk.placement;
      },
    }));
  const desk = new PolicyDesk({
    registry,
    deployment: newPlaceId<DeploymentId>(),
    receiptKey: generateSigningKey(),
    issuers: () => [],
    mayTakeUnsigned: false,
    stickerLifeMs: 3_600_000,
    publish: () => Promise.resolve(),
    clock,
    log: new LogRecorder(),
    onBug: (error) => t.error(error),
  });
  const look = async () => {
    lookedAt.length = 0;
    await desk.look(new AbortController().signal);
    return new Set(lookedAt);
  };
  return { clock, registry, kiosks, desk, look };
}

const holding = (version: number): KioskStateReport => ({
  isUp: true,
  state: 'up',
  queued: 0,
  clock: 'synced',
  devices: [],
  version: 'test',
  policy: { version },
});

t.test('policy desk: nobody’s rules are looked at while nothing changed, also long after a kiosk was revoked', async (t) => {
  const { clock, registry, kiosks, look } = open(t);
  const [gone, ...others] = kiosks;
  t.strictSame(await look(), new Set(kiosks));
  t.equal((await look()).size, 0);
  registry.revoke(gone!, clock.wall());
  t.strictSame(await look(), new Set(others));
  t.equal((await look()).size, 0);
  await clock.leap(11 * DAY_MS);
  t.strictSame(await look(), new Set(others), 'theirs are renewed');
  t.equal((await look()).size, 0, 'and that of the revoked one is waited for by nobody');
});

t.test('policy desk: a kiosk that says ever later versions makes work for itself alone, until it is revoked', async (t) => {
  const { clock, registry, kiosks, desk, look } = open(t);
  const [liar] = kiosks;
  await look();
  const first = Math.floor(clock.wall() / 1_000);
  for (let lie = 1; lie <= 3; lie++) {
    desk.heard(liar!, holding(first + lie * 100));
    t.strictSame(await look(), new Set([liar]));
    t.match(desk.summary(), { kiosks: 3 });
  }
  desk.heard(liar!, holding(first + 1_000));
  registry.revoke(liar!, clock.wall());
  await look();
  t.equal((await look()).size, 0);
  t.match(desk.summary(), { kiosks: 2 });
});
