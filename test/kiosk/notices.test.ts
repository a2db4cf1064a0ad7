import { randomBytes } from 'node:crypto';
import t from 'tap';
import type { NoticeStanding } from '../../kiosk/health.ts';
import { NoticeDoor } from '../../kiosk/notice-door.ts';
import { MOST_IN_WINDOW } from '../../kiosk/notice-teller.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { type DeploymentId, type KioskId, newPlaceId, type VisitorUuid } from '../../protocol/ids.ts';
import { silentLog } from '../../protocol/log.ts';
import { encodeNotice, endStep, groupNotices, layOutNotices, noticeDigestOf } from '../../protocol/notice.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { ManualClock } from '../support/manual-clock.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const newCard = () => new Uint8Array(randomBytes(16)) as VisitorUuid;

function opened() {
  const clock = new ManualClock();
  const key = generateSigningKey();
  const place = { deployment: newPlaceId<DeploymentId>(), kiosk: newPlaceId<KioskId>() };
  const shown: { card: VisitorUuid; atMs: number }[] = [];
  const standings: NoticeStanding[] = [];
  let mayJudge = true;
  const door = new NoticeDoor({
    ...place,
    receiptKey: rawPublicKey(key),
    clock,
    log: silentLog,
    mayJudgeTime: () => mayJudge,
    onShown: (card, { wallMs }) => shown.push({ card, atMs: wallMs }),
    onStanding: (standing) => standings.push(standing),
  });
  let version = 0;
  const tell = (cards: readonly (readonly [VisitorUuid, number])[], { issuedAtMs = clock.wall(), as = ++version, to = place } = {}) => {
    const filterKey = new Uint8Array(randomBytes(32));
    const noticed = cards.map(([card, endsAtMs]) => ({ digest: noticeDigestOf(card), endsAtMs: endStep(endsAtMs) }));
    const expiresAtMs = (issuedAtMs + 14 * DAY) as EpochMillis;
    const groups = groupNotices(layOutNotices(noticed), filterKey);
    door.take(encodeNotice({ version: as, issuedAtMs, expiresAtMs, key: filterKey, groups }, to, key));
  };
  const setJudging = (may: boolean) => {
    mayJudge = may;
  };
  return { clock, place, door, shown, standings, tell, setJudging };
}

t.test('notices at a door: one is shown for a noticed card alone, and said once, after the answer', async (t) => {
  const { clock, door, shown, tell } = opened();
  const [card, other] = [newCard(), newCard()];
  t.notOk(door.show(card), 'before there is a document');
  tell([[card, clock.wall() + 14 * DAY]]);
  const atMs = clock.wall();
  t.ok(door.show(card));
  t.notOk(door.show(other));
  t.strictSame(shown, [], 'not before the answer');
  await clock.advance(1);
  t.strictSame(shown, [{ card, atMs }]);
  t.ok(door.show(card), 'again, at the next scan');
  await clock.advance(HOUR);
  t.equal(shown.length, 1);
});

t.test(
  'notices at a door: 48 hours after it was shown it is not, whatever an old document says; a later end is another notice',
  async (t) => {
    const { clock, door, shown, tell } = opened();
    const card = newCard();
    const ends = clock.wall() + 14 * DAY;
    tell([[card, ends]]);
    t.ok(door.show(card));
    await clock.advance(48 * HOUR - 1);
    t.ok(door.show(card));
    await clock.advance(1);
    t.notOk(door.show(card));
    tell([[card, ends]]);
    t.notOk(door.show(card));
    tell([[card, ends + DAY]]);
    t.ok(door.show(card));
    await clock.advance(1);
    t.equal(shown.length, 2);
  },
);

t.test('notices at a door: an end that was told holds, offline and without knowing the time', async (t) => {
  const { clock, door, tell, setJudging } = opened();
  const card = newCard();
  tell([[card, clock.wall() + DAY]]);
  await clock.advance(DAY - 900_000 - 1);
  t.ok(door.show(card));
  await clock.advance(900_001);
  t.notOk(door.show(card));

  const unsure = opened();
  unsure.setJudging(false);
  unsure.clock.stepWall(-400 * DAY);
  const issuedAtMs = (unsure.clock.wall() + 400 * DAY) as EpochMillis;
  unsure.tell([[card, issuedAtMs + DAY]], { issuedAtMs });
  t.ok(unsure.door.show(card));
  await unsure.clock.advance(DAY);
  t.notOk(unsure.door.show(card), 'by what passed since it came');
  setJudging(true);
});

t.test('notices at a door: past so many within a minute none is shown to anybody, and that is a state', async (t) => {
  const { clock, door, standings, tell } = opened();
  const cards = Array.from({ length: MOST_IN_WINDOW + 1 }, newCard);
  tell(cards.map((card) => [card, clock.wall() + 14 * DAY]));
  for (const card of cards.slice(0, MOST_IN_WINDOW)) {
    t.ok(door.show(card));
    await clock.advance(1_000);
  }
  t.equal(standings.at(-1)?.why, 'notice.too_many', 'before anybody else is scanned: it says nothing of them');
  t.notOk(door.show(cards.at(-1)!));
  t.notOk(door.show(cards[0]!));
  await clock.advance(60_000);
  t.equal(standings.at(-1)?.why, undefined);
  t.ok(door.show(cards.at(-1)!), 'it was not counted as shown');
  door.stop();
  t.equal(clock.pending, 0);
});

t.test('notices at a door: a document that is older, ended or for another kiosk changes nothing, and is said', async (t) => {
  const { clock, place, door, standings, tell } = opened();
  const card = newCard();
  tell([[card, clock.wall() + 14 * DAY]], { as: 5 });
  tell([], { as: 4 });
  t.strictSame(standings.at(-1), { version: 5, why: 'policy.older' });
  tell([], { as: 6, issuedAtMs: (clock.wall() - 15 * DAY) as EpochMillis });
  t.strictSame(standings.at(-1), { version: 5, why: 'policy.expired' });
  tell([], { as: 7, to: { ...place, kiosk: newPlaceId<KioskId>() } });
  t.strictSame(standings.at(-1), { version: 5, why: 'seal.signature' });
  door.take(new Uint8Array(0));
  t.ok(door.show(card));
  tell([], { as: 8 });
  t.strictSame(standings.at(-1), { version: 8, why: undefined });
  t.notOk(door.show(card), 'withdrawn');
  door.stop();
});
