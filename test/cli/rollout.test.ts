/** `vestibule rollout` as an operator uses it in a terminal; kiosks are played by what they make the gateway write down. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { changeLines, kioskWordsOf, statusLines } from '../../cli/rollout-lines.ts';
import type { Rollout, RolloutStep } from '../../gateway/rollout/rollout-book.ts';
import { openRegistry } from '../../gateway/status.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { formatReleaseKey } from '../../protocol/release-key.ts';
import { systemClock } from '../../protocol/time.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { VestibuleProcess } from '../support/child.ts';
import { bundleOf, releaseKey } from '../support/slot-machine.ts';

const { run } = VestibuleProcess;

t.test('rollout: started, watched, paused, resumed with more kiosks, and cancelled; each in the audit log', async (t) => {
  const dir = t.testdir();
  const data = join(dir, 'data');
  const bundle = join(dir, 'next.vrelease');
  const key = join(dir, 'release.pub');
  writeFileSync(key, formatReleaseKey(rawPublicKey(releaseKey)));
  await bundleOf(bundle, { version: '1.4.0' });
  const added = await run(['venue', 'add', '--name', 'Library', '--entrance', 'Main door=both', '--data', data]);
  const venue = (added.split(' ')[0] ?? '') as VenueId;
  const kiosk = newPlaceId<KioskId>();
  const registry = await openRegistry(join(data, 'gateway'));
  t.teardown(() => registry.close());
  const entrance = registry.venues()[0]?.entrances[0]?.id as EntranceId;
  registry.admit({ kiosk, publicKey: rawPublicKey(generateSigningKey()), venue, entrance }, systemClock.wall());

  const start = ['rollout', 'start', bundle, '--data', data, '--key'];
  const stranger = join(dir, 'stranger.pub');
  writeFileSync(stranger, formatReleaseKey(rawPublicKey(generateSigningKey())));
  await t.rejects(run([...start, stranger]), /release\.unknown_key/, 'looked at as a kiosk would');
  await t.rejects(run([...start, key, '--venue', 'Nowhere']), /no venue "Nowhere"/);
  t.equal(await run([...start, key, '--venue', 'Library', '--to', '5']), 'rollout 1: release 1.4.0 to 5 % of the kiosks');
  t.match(registry.rolloutBook.newest(), { venues: [venue], percent: 5 });
  await t.rejects(run([...start, key]), /rollout 1 of 1\.4\.0 is running: stop it first/);

  const watched = new VestibuleProcess(['rollout', 'watch', '--data', data]);
  await watched.line((line) => line.includes('nobody was told yet: it goes to connected kiosks that take releases for '));
  const step = (phase: RolloutStep['phase']) =>
    registry.rolloutBook.put(1, [{ kiosk, phase, why: phase === 'failed' ? 'release.not_healthy' : undefined, atMs: systemClock.wall() }]);
  step('taking');
  await watched.line((line) => /^\d\d:\d\d:\d\d {2}Library, Main door \(\w{16}\) {2}taking$/.test(line));
  step('failed');
  await watched.line((line) => line.endsWith('failed (release.not_healthy)'));
  t.match(await run(['rollout', 'resume', '--to', '50', '--data', data]), /running, 50 % of the kiosks/);
  await watched.line((line) => line.includes('50 % of the kiosks'));
  t.equal(await run(['rollout', 'pause', '--data', data]), 'rollout 1 of release 1.4.0: paused');
  t.equal(await watched.ended(), 0, 'whoever watches is told, and that is all there is to see');
  t.match(
    await run(['rollout', 'status', '--data', data]),
    /paused, 50 %.*\n {2}failed 1; .*\n {2}Library, Main door \(\w{16}\) {2}failed/,
  );
  t.equal(await run(['rollout', 'cancel', '--data', data]), 'rollout 1 of release 1.4.0: stopped');
  await t.rejects(run(['rollout', 'resume', '--data', data]), /no rollout is under way/);
  const audit = await run(['audit', 'list', '--data', data]);
  for (const action of ['start 1.4.0', 'go-on', 'pause', 'stop']) t.match(audit, `rollout.${action}`);
});

t.test('rollout: one that paused by itself ends the watch with a status of its own', async (t) => {
  const data = join(t.testdir(), 'data');
  await run(['venue', 'add', '--name', 'Library', '--data', data]);
  const registry = await openRegistry(join(data, 'gateway'));
  t.teardown(() => registry.close());
  const order = { digest: 'ab'.repeat(32), version: '1.4.0', board: 'rpi-arm64', lengthBytes: 1, percent: 100, kiosks: [], venues: [] };
  registry.rolloutBook.start({ ...order, mostFailed: 0, atOnce: 1 }, systemClock.wall());
  registry.rolloutBook.pause(undefined, 'release.too_many_failed');
  const watched = new VestibuleProcess(['rollout', 'watch', '--data', data]);
  t.equal(await watched.ended(), 1);
  t.match(watched.written, /paused \(release\.too_many_failed\)/);
});

t.test('rollout lines: who keeps it is counted, everybody else is named, once for each step', (t) => {
  const [one, other] = [newPlaceId<KioskId>(), newPlaceId<KioskId>()];
  const words = kioskWordsOf([], []);
  const step = (kiosk: KioskId, phase: RolloutStep['phase']): RolloutStep => ({ kiosk, phase, why: undefined, atMs: 0 as EpochMillis });
  const rollout = { number: 2, version: '1.4.0', state: 'running', percent: 100, startedAtMs: 0, mostFailed: 3 } as Rollout;
  t.strictSame(statusLines(rollout, [step(one, 'kept'), step(other, 'taking')], words), [
    'rollout 2: release 1.4.0, running, 100 % of the kiosks, since 1970-01-01T00:00:00.000Z',
    '  kept 1, taking 1; pauses with more than 3 that go back',
    `  ${other}  taking`,
  ]);
  t.strictSame(changeLines([step(one, 'kept')], [step(one, 'kept'), step(other, 'taking')], words), [`00:00:00  ${other}  taking`]);
  t.end();
});
