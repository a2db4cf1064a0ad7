/** Whose turn a release is, over a registry in a file, with kiosks that come, go and say how far they are. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Registry } from '../../gateway/registry.ts';
import { BundleShelf } from '../../gateway/rollout/bundle-shelf.ts';
import type { RolloutOrder } from '../../gateway/rollout/rollout-book.ts';
import { RolloutDesk } from '../../gateway/rollout/rollout-desk.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { type DeploymentId, type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { openReleaseWord } from '../../protocol/release-word.ts';
import { parseTopic } from '../../protocol/topics.ts';
import { report } from '../support/busy-gateway.ts';
import { LogRecorder } from '../support/log-recorder.ts';
import { ManualClock } from '../support/manual-clock.ts';

const BOARD = 'test-board';
const DIGEST = 'ab'.repeat(32);
const HALF_AN_HOUR_MS = 30 * 60_000;
const { signal } = new AbortController();

function open(t: Test, count: number) {
  const clock = new ManualClock();
  const log = new LogRecorder();
  const registry = new Registry(join(t.testdir(), 'registry.db'), randomBytes(32));
  t.teardown(() => registry.close());
  const venue = newPlaceId<VenueId>();
  registry.putVenue({ id: venue, name: 'Shop', timezone: 'UTC' });
  const kiosks = Array.from({ length: count }, () => newPlaceId<KioskId>());
  for (const kiosk of kiosks) {
    const publicKey = rawPublicKey(generateSigningKey());
    registry.admit({ kiosk, publicKey, venue, entrance: newPlaceId<EntranceId>() }, clock.wall());
  }
  const receiptKey = generateSigningKey();
  const deployment = newPlaceId<DeploymentId>();
  const here = new Set(kiosks);
  /** Kiosks that were offered something with the last word to them. */
  const offered = new Set<KioskId>();
  const desk = new RolloutDesk({
    registry,
    shelf: new BundleShelf(join(t.testdir(), 'releases')),
    deployment,
    receiptKey,
    isConnected: (kiosk) => here.has(kiosk),
    publish: async (topic, payload) => {
      const { kiosk } = parseTopic(topic) ?? { kiosk: '' as KioskId };
      const word = openReleaseWord(payload, { deployment, kiosk, publicKey: receiptKey });
      if (word.offered === undefined) offered.delete(kiosk);
      else offered.add(kiosk);
    },
    clock,
    log,
    onBug: (error) => t.fail(String(error)),
  });
  const say = (kiosk: KioskId, phase?: 'taking' | 'trying' | 'kept' | 'failed') =>
    desk.heard(kiosk, report({ board: BOARD, ...(phase && { update: { release: DIGEST.slice(0, 16), version: '1.1.0', phase } }) }));
  const start = (more: Partial<RolloutOrder> = {}) =>
    registry.rolloutBook.start(
      {
        digest: DIGEST,
        version: '1.1.0',
        board: BOARD,
        lengthBytes: 1_000,
        percent: 100,
        kiosks: [],
        venues: [],
        mostFailed: 0,
        atOnce: 1,
        ...more,
      },
      clock.wall(),
    );
  for (const kiosk of kiosks) say(kiosk);
  return { clock, log, registry, kiosks, here, offered, desk, say, start, look: () => desk.look(signal) };
}

t.test('rollout desk: while one is on trial, and away for that, nobody else has a turn', async (t) => {
  const { clock, desk, here, offered, say, start, look } = open(t, 3);
  start();
  await look();
  t.equal(offered.size, 1);
  const [first] = offered as Iterable<KioskId>;
  if (first === undefined) throw new Error('nobody was told');
  say(first, 'trying');
  await look();
  here.delete(first);
  desk.heard(first, report({ isUp: false }));
  await look();
  t.equal(offered.size, 1, 'it starts, and may stay away when the release is no good');
  await clock.advance(HALF_AN_HOUR_MS);
  await look();
  t.equal(offered.size, 2, 'one that is away for long keeps nobody waiting');
});

t.test('rollout desk: of some at once the next has its turn as soon as one is done', async (t) => {
  const { offered, say, start, look, desk } = open(t, 4);
  start({ atOnce: 2 });
  await look();
  t.equal(offered.size, 2);
  const [first] = offered as Iterable<KioskId>;
  if (first === undefined) throw new Error('nobody was told');
  say(first, 'taking');
  await look();
  t.equal(offered.size, 2);
  say(first, 'kept');
  await look();
  t.equal(offered.size, 3);
  t.match(desk.summary(), { meant: 4, phases: { kept: 1, offered: 2 } });
  t.match(desk.step(first), { phase: 'kept' });
});

t.test('rollout desk: each time that it goes on as many may fail as at its start, and not more each time', async (t) => {
  const { registry, kiosks, say, start, look, desk } = open(t, 8);
  start({ atOnce: 8, mostFailed: 1 });
  await look();
  let pausedAt: number[] = [];
  for (const [index, kiosk] of kiosks.entries()) {
    say(kiosk, 'failed');
    await look();
    await look();
    if (desk.summary()?.state !== 'paused') continue;
    pausedAt = [...pausedAt, index + 1];
    registry.rolloutBook.goOn(undefined);
    await look();
  }
  t.strictSame(pausedAt, [2, 4, 6, 8]);
});

t.test('rollout desk: paused, by itself or by somebody, the offer is taken back; gone on with, it is made again', async (t) => {
  const { registry, kiosks, offered, say, start, look, desk } = open(t, 3);
  start({ atOnce: 3 });
  await look();
  t.equal(offered.size, 3);
  const [one, other] = kiosks as [KioskId, KioskId];
  say(one, 'failed');
  await look();
  await look();
  t.equal(offered.size, 0);
  t.match(desk.summary(), { state: 'paused', why: 'release.too_many_failed', failed: [{ kiosk: one }] });
  registry.rolloutBook.goOn(undefined);
  await look();
  t.equal(offered.size, 3, 'who has failed is told as well, and knows it');
  say(other, 'failed');
  await look();
  await look();
  t.equal(desk.summary()?.state, 'paused', 'no more may fail than were allowed first');
  registry.rolloutBook.stop();
  await look();
  t.equal(offered.size, 0);
});
