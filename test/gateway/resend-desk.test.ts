/** Whom a gateway that was brought back from a backup asks to send again, over its registry and ledger in files. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ResendDesk } from '../../gateway/backup/resend-desk.ts';
import { openLedgerFile } from '../../gateway/ledger.ts';
import { Registry } from '../../gateway/registry.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { type DeploymentId, type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { GREATEST_COMMAND_VERSION, openSendAgain } from '../../protocol/send-again.ts';
import { parseTopic } from '../../protocol/topics.ts';
import { report } from '../support/busy-gateway.ts';
import { LogRecorder } from '../support/log-recorder.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { STORE_KEY } from '../support/test-ingest.ts';

const { signal } = new AbortController();

function open(t: Test) {
  const clock = new ManualClock();
  const registry = new Registry(join(t.testdir(), 'registry.db'), randomBytes(32));
  const ledger = openLedgerFile(join(t.testdir(), 'gateway.db'), STORE_KEY);
  t.teardown(() => {
    registry.close();
    ledger.close();
  });
  const venue = newPlaceId<VenueId>();
  registry.putVenue({ id: venue, name: 'Shop', timezone: 'UTC' });
  const [one, other] = [newPlaceId<KioskId>(), newPlaceId<KioskId>()];
  for (const kiosk of [one, other])
    registry.admit({ kiosk, publicKey: rawPublicKey(generateSigningKey()), venue, entrance: newPlaceId<EntranceId>() }, clock.wall());
  registry.restoreBook.add({ backupAtMs: clock.wall(), restoredAtMs: clock.wall(), skipTo: 0 });
  const version = registry.restoreBook.newest()?.version ?? 0;
  const receiptKey = generateSigningKey();
  const deployment = newPlaceId<DeploymentId>();
  /** Versions of commands as they were published; 0 for one that was taken off the broker. */
  const told: [KioskId, number][] = [];
  const desk = new ResendDesk({
    ...{ registry, ledger, deployment, receiptKey, clock, log: new LogRecorder() },
    publish: async (topic, payload) => {
      const { kiosk } = parseTopic(topic) ?? { kiosk: one };
      told.push([kiosk, payload.length === 0 ? 0 : openSendAgain(payload, { deployment, kiosk, publicKey: receiptKey }).version]);
    },
    onBug: (error) => t.fail(String(error)),
  });
  /** What is told of it, when a kiosk says that it carried out a version. */
  const after = async (kiosk: KioskId, sentAgain: number): Promise<[KioskId, number][]> => {
    told.length = 0;
    desk.heard(kiosk, report({ sentAgain }));
    await desk.look(signal);
    return [...told];
  };
  return { registry, desk, told, after, one, other, version };
}

t.test('send again: each kiosk is asked once, until it says that it has', async (t) => {
  const { registry, desk, told, after, one, other, version } = open(t);
  await desk.look(signal);
  t.strictSame(
    new Map(told),
    new Map([
      [one, version],
      [other, version],
    ]),
  );
  t.strictSame(await after(one, version - 1), []);
  t.strictSame(await after(one, version), [[one, 0]]);
  t.strictSame(await after(one, version), []);
  t.strictSame([...registry.restoreBook.sentAgain(version).keys()], [one]);
});

t.test(
  'send again: a kiosk that did what a later restore asked is asked above that, and no other kiosk is asked again for it',
  async (t) => {
    const { registry, desk, after, one, version } = open(t);
    await desk.look(signal);
    for (let said = version + 7; said < version + 20; said += 2) t.strictSame(await after(one, said), [[one, said + 1]], 'however often');
    t.strictSame(await after(one, GREATEST_COMMAND_VERSION), [], 'there is none above');
    t.strictSame(await after(one, version + 20), [[one, 0]]);
    t.strictSame([...registry.restoreBook.sentAgain(version).keys()], [one]);
    registry.restoreBook.add({ backupAtMs: 0 as never, restoredAtMs: 1_000 as never, skipTo: 0 });
    t.equal(registry.restoreBook.newest()?.version, version + 1, 'the next restore can be told of, whatever a kiosk said');
  },
);
