import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeContentKey } from '../../kiosk/content-key.ts';
import { CardForgetter, type CardForgetterOptions } from '../../kiosk/holder-forget.ts';
import { Outbox } from '../../kiosk/outbox.ts';
import { generateSigningKey } from '../../protocol/ed25519.ts';
import type { Stamp } from '../../protocol/event.ts';
import { generateRecipient } from '../../protocol/hpke.ts';
import { type BootId, type DeploymentId, type KioskId, newPlaceId, type VisitorUuid } from '../../protocol/ids.ts';
import { silentLog } from '../../protocol/log.ts';
import type { Policy } from '../../protocol/policy.ts';
import { makeRevokedCards } from '../../protocol/revoked-cards.ts';
import { TombstoneNames } from '../../protocol/tombstone.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';
import { cardOf, LIMITS, mono, wall } from './fixtures.ts';

const TOMBSTONE_KEY = new Uint8Array(32).fill(5);
const FILTER_KEY = new Uint8Array(32).fill(6);
const BOOT = new Uint8Array(randomBytes(16)) as BootId;

const policyOf = (...cards: VisitorUuid[]): Policy => {
  const names = new TombstoneNames(TOMBSTONE_KEY);
  const tombstones = cards.map((card) => names.of(card));
  return {
    lostCards: { key: FILTER_KEY, marks: new Uint8Array() },
    ...makeRevokedCards(tombstones, TOMBSTONE_KEY, FILTER_KEY),
  } as unknown as Policy;
};

async function open(t: Test) {
  const dir = t.testdir();
  const clock = new ManualClock();
  const outbox = new Outbox(join(dir, 'outbox.db'), LIMITS, mono(0));
  t.teardown(() => outbox.close());
  const { recipient } = await generateRecipient();
  const parts = {
    deployment: newPlaceId<DeploymentId>(),
    kiosk: newPlaceId<KioskId>(),
    recipients: [recipient],
    signingKey: generateSigningKey(),
  };
  const stamp: Stamp = { wallMs: wall(1), monotonicMs: mono(1), bootId: BOOT, clock: 'synced' };
  const start = async () => {
    const content = await makeContentKey(parts, outbox.epoch);
    const key = outbox.keepKey(content.keyId, content.record);
    const append = (card: VisitorUuid) =>
      outbox.append(key, (seq) => content.sealer.seal(seq, { type: 'check-in', card, groupSize: 1, isSigned: true, stamp }), {
        wallMs: wall(1),
        monotonicMs: mono(1),
      });
    return { key, opener: content.opener, append };
  };
  const standings: Parameters<CardForgetterOptions['onStanding']>[0][] = [];
  let emptied = 0;
  const forgotten: VisitorUuid[] = [];
  const settledLeft = (): number[] => {
    const seqs: number[] = [];
    outbox.dropSettled(Number.MIN_SAFE_INTEGER, 1_000, ({ seq }) => {
      seqs.push(seq);
      return false;
    });
    return seqs;
  };
  const forgetterOf = (present: { key: number; opener: Awaited<ReturnType<typeof start>>['opener'] }) => {
    const forgetter = new CardForgetter({
      dir,
      clock,
      log: silentLog,
      recorder: {
        outbox,
        present,
        failed: (error) => {
          throw error;
        },
      },
      emptyLog: async () => {
        emptied += 1;
        return true;
      },
      onForget: (isGone) => forgotten.push(...[1, 2, 3].map(cardOf).filter(isGone)),
      onStanding: (standing) => standings.push(standing),
    });
    const stopping = new AbortController();
    const running = forgetter.run(stopping.signal);
    t.teardown(async () => {
      stopping.abort();
      await running;
    });
    return forgetter;
  };
  return { dir, clock, outbox, start, standings, forgotten, settledLeft, forgetterOf, emptied: () => emptied };
}

t.test('forget: settled rows of the card go at once, of earlier starts all do; an unsent one is forgotten when it was sent', async (t) => {
  const { dir, clock, outbox, start, standings, forgotten, settledLeft, forgetterOf, emptied } = await open(t);
  const before = await start();
  const old = [before.append(cardOf(1)), before.append(cardOf(2))];
  const now = await start();
  const [anna, ben, unsent] = [now.append(cardOf(1)), now.append(cardOf(2)), now.append(cardOf(1))];
  outbox.settle([...old, anna, ben], mono(2));
  const forgetter = forgetterOf(now);
  forgetter.adopt(policyOf(cardOf(1)));
  t.same(forgotten, [cardOf(1)], 'what is in RAM goes at once');
  forgetter.told({ version: 7, why: undefined });
  t.strictSame(standings, [{ version: 7, why: undefined, isForgetting: true }]);
  await until(() => emptied() > 0);
  t.strictSame(settledLeft(), [ben]);
  await clock.advance(3_600_000);
  t.strictSame(
    outbox.unsentAfter(0, 10).map(({ seq }) => seq),
    [unsent],
    'that one goes to the gateway, which refuses it',
  );
  t.equal(standings.length, 1, 'until then the kiosk does not say that it is done');
  t.equal(emptied(), 1, 'and waits for that without work');
  // What is appended behind is not of the card: it was refused at the door.
  now.append(cardOf(2));
  outbox.settle([unsent], mono(3));
  await clock.advance(1_000);
  await until(() => standings.length > 1);
  t.strictSame(standings.at(-1), { version: 7, why: undefined, isForgetting: false });
  t.strictSame(settledLeft(), [ben]);
  t.equal(outbox.queued, 1);
  t.match(readFileSync(join(dir, 'forgotten'), 'latin1'), /^[0-9a-f]{64}$/);
});

t.test('forget: what was done is not done again after a restart, and a policy that tells of nobody waits for nothing', async (t) => {
  const { outbox, start, standings, settledLeft, forgetterOf } = await open(t);
  const first = await start();
  const one = forgetterOf(first);
  one.told({ version: 1, why: undefined });
  t.equal(standings.length, 1);
  one.adopt(policyOf(cardOf(3)));
  one.told({ version: 2, why: undefined });
  await until(() => standings.at(-1)?.isForgetting === false && standings.length === 3);
  const seq = first.append(cardOf(2));
  outbox.settle([seq], mono(2));
  const again = forgetterOf(await start());
  again.adopt(policyOf(cardOf(3)));
  again.told({ version: 2, why: undefined });
  t.match(standings.slice(3), [{ version: 2, isForgetting: false }], 'at once');
  t.strictSame(settledLeft(), [seq], 'rows of the start before stay for a gateway that may ask for them');
});

t.test('forget: killed between, a kiosk begins anew, and forgets what it had unsent under a key that is gone', async (t) => {
  const { dir, clock, outbox, start, standings, settledLeft, forgetterOf } = await open(t);
  const first = await start();
  const [anna, ben] = [first.append(cardOf(1)), first.append(cardOf(2))];
  writeFileSync(join(dir, 'outbox.damaged-1-1.db'), 'rows');
  outbox.adopt(['outbox.damaged-1-1.db'], [], mono(0));
  const again = forgetterOf(await start());
  again.adopt(policyOf(cardOf(1)));
  again.told({ version: 9, why: undefined });
  await clock.advance(5_000);
  t.match(standings, [{ version: 9, isForgetting: true }]);
  outbox.settle([anna, ben], mono(3));
  await clock.advance(1_000);
  await until(() => standings.length === 2);
  t.match(standings[1], { version: 9, isForgetting: false });
  t.strictSame(settledLeft(), [], 'nobody can tell whose they are, and the gateway has them');
  t.notOk(existsSync(join(dir, 'outbox.damaged-1-1.db')), 'a damaged outbox whose rows were taken in goes, too');
});

t.test('forget: a damaged outbox that was not taken in may hold more of the card: the kiosk does not say that it is done', async (t) => {
  const { dir, clock, start, standings, forgetterOf } = await open(t);
  writeFileSync(join(dir, 'outbox.damaged-1-1.db'), 'rows');
  const forgetter = forgetterOf(await start());
  forgetter.adopt(policyOf(cardOf(1)));
  forgetter.told({ version: 9, why: undefined });
  await clock.advance(60_000);
  t.match(standings, [{ version: 9, isForgetting: true }]);
  t.ok(existsSync(join(dir, 'outbox.damaged-1-1.db')));
});
