import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PolicyKeeper, type PolicyStanding } from '../../kiosk/policy-keeper.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { type DeploymentId, type EntranceId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { encodePolicy, type Policy } from '../../protocol/policy.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { LogRecorder } from '../support/log-recorder.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { newKiosk } from './fixtures.ts';

const DAY_MS = 86_400_000;

function open(t: Test, about: { readonly dir?: string; readonly mayJudgeTime?: boolean } = {}) {
  const { dir = t.testdir(), mayJudgeTime = true } = about;
  const clock = new ManualClock();
  const key = generateSigningKey();
  const place = { deployment: newPlaceId<DeploymentId>(), kiosk: newKiosk() };
  const taken: Policy[] = [];
  const standings: PolicyStanding[] = [];
  const log = new LogRecorder();
  const policy = (version: number, change: Partial<Policy> = {}): Policy => ({
    version,
    issuedAtMs: clock.wall(),
    expiresAtMs: (clock.wall() + 30 * DAY_MS) as EpochMillis,
    venue: newPlaceId<VenueId>(),
    entrance: newPlaceId<EntranceId>(),
    direction: undefined,
    issuers: [],
    mayTakeUnsigned: false,
    dwellMs: 3_600_000,
    threshold: undefined,
    lostCards: { key: new Uint8Array(32), marks: new Uint8Array(0) },
    ...change,
  });
  const signed = (version: number, change: Partial<Policy> = {}, signer = key, where: typeof place = place) =>
    encodePolicy(policy(version, change), where, signer);
  const start = () => {
    const keeper = new PolicyKeeper({
      dir,
      ...place,
      receiptKey: rawPublicKey(key),
      clock,
      log,
      mayJudgeTime: () => mayJudgeTime,
      onPolicy: (policy) => taken.push(policy),
      onStanding: (standing) => standings.push(standing),
    });
    keeper.open();
    return keeper;
  };
  return {
    dir,
    path: join(dir, 'policy.cbor'),
    clock,
    place,
    taken,
    standings,
    log,
    signed,
    start,
    versions: () => taken.map(({ version }) => version),
  };
}

t.test('policy: a document is taken, kept and gone by again after a restart', async (t) => {
  const { start, signed, standings, versions } = open(t);
  start().take(signed(7));
  t.strictSame(versions(), [7]);
  t.strictSame(standings, [{ version: 7, why: undefined }]);
  const again = start();
  t.strictSame(versions(), [7, 7]);
  t.strictSame(standings.at(-1), { version: 7, why: undefined });
  again.take(signed(8));
  t.strictSame(versions(), [7, 7, 8]);
});

t.test(
  'policy: an older one, another of the same version, a forged one, another kiosk’s and one past its end are refused and shown',
  async (t) => {
    const { start, signed, standings, versions, clock, place, path } = open(t);
    const keeper = start();
    const held = signed(7);
    keeper.take(held);
    const refused: [string, Uint8Array, string][] = [
      ['older', signed(6), 'policy.older'],
      ['of the same version', signed(7, { dwellMs: 60_000 }), 'policy.older'],
      ['by another key', signed(8, {}, generateSigningKey()), 'seal.signature'],
      ['for another kiosk', signed(8, {}, undefined, { ...place, kiosk: newKiosk() }), 'seal.signature'],
      ['for another deployment', signed(8, {}, undefined, { ...place, deployment: newPlaceId<DeploymentId>() }), 'seal.signature'],
      ['past its end', signed(8, { issuedAtMs: 1 as EpochMillis, expiresAtMs: clock.wall() }), 'policy.expired'],
      ['cut', held.subarray(0, 100), 'decode.truncated'],
    ];
    for (const [name, bytes, code] of refused) {
      keeper.take(bytes);
      t.strictSame(standings.at(-1), { version: 7, why: code }, name);
      keeper.take(held);
      t.strictSame(standings.at(-1), { version: 7, why: undefined }, 'the one that is held, sent again, puts it right');
    }
    t.strictSame(versions(), [7], 'and nothing of them was gone by');
    t.ok(readFileSync(path).equals(held));
  },
);

t.test('policy: one that is held past its end goes on and is shown, until another comes', async (t) => {
  const { start, signed, standings, versions, clock } = open(t);
  const keeper = start();
  keeper.take(signed(7));
  const ending = new AbortController();
  const running = keeper.run(ending.signal);
  await clock.leap(30 * DAY_MS);
  t.strictSame(standings.at(-1), { version: 7, why: 'policy.expired' });
  start();
  t.strictSame(versions(), [7, 7], 'a restart goes by it, too');
  keeper.take(signed(8));
  t.strictSame(standings.at(-1), { version: 8, why: undefined });
  ending.abort();
  await running;
});

t.test('policy: a kiosk that does not know the time takes what is newer, and judges no end', async (t) => {
  const { start, signed, standings } = open(t, { mayJudgeTime: false });
  const keeper = start();
  keeper.take(signed(7, { issuedAtMs: 1 as EpochMillis, expiresAtMs: 2 as EpochMillis }));
  t.strictSame(standings, [{ version: 7, why: undefined }]);
});

t.test('policy: a damaged file is told of, and the next document takes its place', async (t) => {
  const { start, signed, standings, versions, path, log } = open(t);
  start().take(signed(7));
  const bytes = readFileSync(path);
  bytes[100]! ^= 1;
  writeFileSync(path, bytes);
  const keeper = start();
  t.match(standings.at(-1), { version: 0, why: /^(seal|decode)\./ });
  t.strictSame(versions(), [7]);
  t.ok(log.lines.some(({ event }) => event === 'policy.unreadable'));
  keeper.take(signed(8));
  t.strictSame(standings.at(-1), { version: 8, why: undefined });
});

t.test('policy: what the disk does not keep is gone by, not confirmed, and kept later', async (t) => {
  const { path, start, signed, standings, versions, clock } = open(t);
  const keeper = start();
  keeper.take(signed(7));
  // A directory in its place refuses root, too.
  rmSync(path);
  mkdirSync(path);
  keeper.take(signed(8));
  t.strictSame(versions(), [7, 8]);
  t.strictSame(standings.at(-1), { version: 7, why: 'store.failed' });
  rmdirSync(path);
  const ending = new AbortController();
  const running = keeper.run(ending.signal);
  await clock.advance(10_000);
  t.strictSame(standings.at(-1), { version: 8, why: undefined });
  ending.abort();
  await running;
});
