/** Takes one policy document after another until it is killed, and says which version it holds: run by policy-kill.test.ts. */
import { PolicyKeeper } from '../../kiosk/policy-keeper.ts';
import { privateKeyFromSeed, rawPublicKey } from '../../protocol/ed25519.ts';
import type { DeploymentId, EntranceId, KioskId, VenueId } from '../../protocol/ids.ts';
import { silentLog } from '../../protocol/log.ts';
import { encodePolicy } from '../../protocol/policy.ts';
import { systemClock } from '../../protocol/time.ts';
import type { EpochMillis } from '../../protocol/units.ts';

const [dir = ''] = process.argv.slice(2);
let held = 0;
const key = privateKeyFromSeed(new Uint8Array(32).fill(9));
const place = { deployment: 'd3p10ym3nt000001' as DeploymentId, kiosk: 'k10sk00000000001' as KioskId };
const keeper = new PolicyKeeper({
  dir,
  ...place,
  receiptKey: rawPublicKey(key),
  clock: systemClock,
  log: silentLog,
  mayJudgeTime: () => true,
  onPolicy: () => {},
  onStanding: ({ version, why }) => {
    held = version ?? 0;
    process.stdout.write(`${held} ${why ?? 'held'}\n`);
  },
});
keeper.open();
const marks = new Uint8Array(40_000);
for (let n = 0; n < 8_000; n++) new DataView(marks.buffer).setUint32(n * 5 + 1, n + 1);
// Behind what was kept, of which the last may never have been heard.
for (let version = held + 1; ; version++) {
  const policy = {
    version,
    issuedAtMs: systemClock.wall(),
    expiresAtMs: (systemClock.wall() + 86_400_000) as EpochMillis,
    venue: 'venve00000000001' as VenueId,
    entrance: 'entrance00000001' as EntranceId,
    direction: undefined,
    issuers: [],
    mayTakeUnsigned: false,
    dwellMs: 3_600_000,
    threshold: undefined,
    lostCards: { key: new Uint8Array(32), marks },
  };
  keeper.take(encodePolicy(policy, place, key));
}
