import { renameSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Core } from '../../../core/core.ts';
import type { Placement } from '../../../core/intake.ts';
import type { Seq, VisitorUuid } from '../../../protocol/ids.ts';
import { noticeDigestOf } from '../../../protocol/notice.ts';
import { LogRecorder } from '../../support/log-recorder.ts';
import { until } from '../../support/until.ts';
import { DAY, type Fixture, fixture, NOW } from '../core-fixture.ts';
import { HOUR, KioskStub, MINUTE, newCard, reading, type Told } from '../kiosk-stub.ts';

const WAIT = new AbortController().signal;
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const checkIn = (card: VisitorUuid, atMs: number): Told => ({
  happening: { type: 'check-in', card, groupSize: 1, isSigned: true },
  atMs,
});

interface Opened extends Fixture {
  readonly core: Core;
  readonly kiosk: KioskStub;
  say(...told: Told[]): Promise<void>;
  /** Second by second, so that no trace lasts while the clock is moved. */
  pass(seconds: number, core?: Core): Promise<void>;
  /** Lets the desk trace and the feed be made anew. */
  settle(core?: Core): Promise<void>;
  /** Ends by card, as a gateway is told that begins anew. */
  told(core?: Core): Promise<Map<string, number>>;
}

async function opened(t: Test, log?: LogRecorder): Promise<Opened> {
  const made = await fixture(t, log);
  const core = await made.open();
  const kiosk = new KioskStub(made.keys, { dwellMs: 2 * HOUR });
  const say = async (...told: Told[]) => core.accept([await kiosk.batch(told, made.clock.wall())]);
  const pass = async (seconds: number, of = core) => {
    for (let second = 0; second < seconds; second++) {
      await made.clock.advance(1_000);
      await until(() => of.notices.isAtRest);
    }
  };
  const settle = async (of = core) => {
    await until(() => of.notices.isAtRest);
    // What could not be traced is tried again by and by.
    for (let seconds = 0; of.notices.counts().toTrace > 0 && seconds < 120; seconds++) await pass(1, of);
    await made.clock.advance(300);
  };
  const told = async (of = core) => {
    const news = await of.notices.noticeNews(undefined, 0, WAIT);
    return new Map(news.noticed.map(({ digest, endsAtMs }) => [hexOf(digest), endsAtMs]));
  };
  return { ...made, core, kiosk, say, pass, settle, told };
}

const nameOf = (card: VisitorUuid): string => hexOf(noticeDigestOf(card));
const raise = (core: Core, card: VisitorUuid, state: 'suspected' | 'confirmed' = 'confirmed') =>
  core.cases.raise({ card, state, source: 'officer', by: 'officer-1', key: `${hexOf(card)}` });

t.test('notices: whoever was there with a confirmed case is told of until 14 days later, and nobody else', async (t) => {
  const { core, say, settle, told, clock } = await opened(t);
  const [sick, met, early] = [newCard(), newCard(), newCard()];
  await say(checkIn(early, NOW - 9 * HOUR), checkIn(sick, NOW - 3 * HOUR), checkIn(met, NOW - 2 * HOUR));
  await settle();
  t.equal((await told()).size, 0);
  raise(core, sick);
  await settle();
  t.strictSame([...(await told())], [[nameOf(met), Math.floor((NOW + 300 + 14 * DAY) / 900_000) * 900_000]]);
  await clock.leap(14 * DAY);
  core.dropExpired();
  await clock.advance(300);
  t.equal((await told()).size, 0, 'unseen for 14 days');
});

t.test('notices: of a suspected case nobody is told, until it is confirmed; dismissed, nobody is any more', async (t) => {
  const { core, say, settle, told } = await opened(t);
  const [sick, met] = [newCard(), newCard()];
  await say(checkIn(sick, NOW - 3 * HOUR), checkIn(met, NOW - 2 * HOUR));
  const { id } = raise(core, sick, 'suspected');
  await settle();
  t.equal((await told()).size, 0);
  t.match(core.notices.book.ofSource(`case/${id}`, 0, 10), [{ level: 'high', degree: 1, raisedAtMs: undefined }]);
  core.cases.decide(id, 'confirmed');
  await settle();
  t.strictSame([...(await told()).keys()], [nameOf(met)]);
  core.cases.decide(id, 'dismissed');
  await settle();
  t.equal((await told()).size, 0);
  t.strictSame(core.notices.book.ofSource(`case/${id}`, 0, 10), []);
});

t.test('notices: first shown at a kiosk, one ages off 48 hours later, however often it is shown and told', async (t) => {
  const { core, say, settle, told, clock } = await opened(t);
  const [sick, met] = [newCard(), newCard()];
  await say(checkIn(sick, NOW - 3 * HOUR), checkIn(met, NOW - 2 * HOUR));
  raise(core, sick);
  await settle();
  await clock.leap(9 * DAY);
  const shownAtMs = clock.wall();
  await say({ happening: { type: 'notice-shown', card: met }, atMs: shownAtMs });
  await settle();
  t.strictSame([...(await told()).values()], [Math.floor((shownAtMs + 48 * HOUR) / 900_000) * 900_000]);
  await clock.advance(HOUR);
  await say({ happening: { type: 'notice-shown', card: met }, atMs: clock.wall() });
  await say({ happening: { type: 'notice-shown', card: newCard() }, atMs: clock.wall() });
  await settle();
  t.strictSame([...(await told()).values()], [Math.floor((shownAtMs + 48 * HOUR) / 900_000) * 900_000]);
  await clock.leap(47 * HOUR + MINUTE);
  core.dropExpired();
  await clock.advance(300);
  t.equal((await told()).size, 0);
});

t.test('notices: a holder who asks sees one for 48 hours after it was raised, and after it was first shown', async (t) => {
  const { core, say, settle, clock } = await opened(t);
  const [sick, met] = [newCard(), newCard()];
  const seen = () => core.notices.ofHolder(met);
  await say(checkIn(sick, NOW - 3 * HOUR), checkIn(met, NOW - 2 * HOUR));
  raise(core, sick);
  await settle();
  t.match(seen(), [{ level: 'high', order: 1, day: '2026-11-21', overlapMinutes: 60, isClockCertain: true }]);
  await clock.leap(49 * HOUR);
  t.strictSame(seen(), []);
  await say({ happening: { type: 'notice-shown', card: met }, atMs: clock.wall() });
  t.equal(seen().length, 1);
  await clock.leap(49 * HOUR);
  t.strictSame(seen(), []);
});

t.test('notices: rows that come later into a case’s window change who is told, within a minute or so', async (t) => {
  const { core, say, settle, told, clock } = await opened(t);
  const [sick, met, late] = [newCard(), newCard(), newCard()];
  await say(checkIn(sick, NOW - 3 * HOUR), checkIn(met, NOW - 2 * HOUR));
  raise(core, sick);
  await settle();
  const [[, ends] = []] = [...(await told())];
  await say(checkIn(late, NOW - 150 * MINUTE));
  t.equal(core.notices.counts().toTrace, 1);
  await clock.advance(62_000);
  await settle();
  const all = await told();
  t.strictSame(new Set(all.keys()), new Set([nameOf(met), nameOf(late)]));
  t.equal(all.get(nameOf(met)), ends, 'what was told before stays as it was');
});

t.test('notices: an undone scan takes the notice with it', async (t) => {
  const { core, kiosk, say, settle, told, clock } = await opened(t);
  const [sick, met] = [newCard(), newCard()];
  await say(checkIn(sick, NOW - 3 * HOUR));
  const seq = kiosk.nextSeq;
  await say(checkIn(met, NOW - 2 * HOUR));
  raise(core, sick);
  await settle();
  t.equal((await told()).size, 1);
  await say({ happening: { type: 'undo', of: { keyId: kiosk.keyId, seq } }, atMs: NOW - 2 * HOUR + MINUTE });
  await clock.advance(62_000);
  await settle();
  t.equal((await told()).size, 0);
});

t.test('notices: a core that is opened again goes on where it was, and traces what it was to trace', async (t) => {
  const { core, open, say, settle, told } = await opened(t);
  const [sick, met, other] = [newCard(), newCard(), newCard()];
  await say(checkIn(sick, NOW - 3 * HOUR), checkIn(met, NOW - 2 * HOUR), checkIn(other, NOW - 2 * HOUR));
  raise(core, sick);
  await settle();
  const before = await told();
  raise(core, other);
  core.close();
  const again = await open();
  t.strictSame(await told(again), before, 'at once');
  await settle(again);
  const after = await told(again);
  t.equal(after.get(nameOf(met)), before.get(nameOf(met)));
  t.ok(after.has(nameOf(sick)), 'met the other, who was confirmed right before the end');
  t.equal(again.notices.counts().toTrace, 0);
});

t.test('notices: a lost day holds up whoever needs it, told of once, and nobody else; what was told of them before stays', async (t) => {
  const log = new LogRecorder();
  const { core, kiosk, dir, clock, open, say, pass, settle, told } = await opened(t, log);
  const [sick, met, sickLater, metLater] = [newCard(), newCard(), newCard(), newCard()];
  await say(checkIn(sick, NOW - 3 * HOUR), checkIn(met, NOW - 2 * HOUR));
  raise(core, sick);
  await settle();
  const [[, ends] = []] = [...(await told())];
  await clock.leap(10 * DAY);
  await say(checkIn(sickLater, clock.wall() - 3 * HOUR), checkIn(metLater, clock.wall() - 2 * HOUR));
  core.close();
  const file = join(dir, 'core/days/2026-11-21.db');
  renameSync(file, `${file}.away`);
  const again = await open();
  raise(again, sickLater);
  await settle(again);
  t.ok((await told(again)).has(nameOf(metLater)), 'ten days later it is not needed');

  await again.accept([await kiosk.batch([checkIn(newCard(), NOW - DAY)], clock.wall())]);
  await until(() => again.notices.counts().waiting === 1);
  t.match(again.notices.counts(), { toTrace: 1, waiting: 1 }, 'a row came into the window of the case of then');
  await pass(180, again);
  t.strictSame(
    log.of('trace.waits').map(({ level, fields }) => ({ level, ...fields })),
    [{ level: 'error', source: 'case/1', code: 'store.corrupt' }],
    'once, however often it is tried',
  );
  t.match(log.of('columns.failed'), [{ fields: { day: '2026-11-21', code: 'store.corrupt' } }], 'and which day');
  t.equal(log.of('columns.failed').length, 1);
  t.equal((await told(again)).get(nameOf(met)), ends, 'as it was');
  t.match(again.counts(), { days: 3, unreadableDays: 1 });

  renameSync(`${file}.away`, file);
  await settle(again);
  t.match(again.notices.counts(), { toTrace: 0, waiting: 0 }, 'it is there again');
});

t.test('notices: a confirmed flag reaches those who met its card as a weaker notice, that ends with it', async (t) => {
  const { core, kiosk, say, settle, told } = await opened(t);
  const [hot, met, passer] = [newCard(), newCard(), newCard()];
  await say(checkIn(hot, NOW - HOUR), checkIn(met, NOW - 50 * MINUTE), checkIn(passer, NOW - 5 * MINUTE));
  const reading = kiosk.nextSeq;
  const of = { keyId: kiosk.keyId, seq: 1 };
  await say({ happening: temperature(hot, of, 3_900), atMs: NOW - 30 * MINUTE });
  await core.accept([kiosk.flag(reading, 'unconfirmed', NOW - 29 * MINUTE)]);
  await settle();
  t.equal((await told()).size, 0);
  await core.accept([kiosk.flag(reading, 'confirmed', NOW - 29 * MINUTE, NOW + 10 * HOUR)]);
  await settle();
  t.strictSame([...(await told())], [[nameOf(met), NOW + 10 * HOUR]]);
  t.match(core.notices.ofHolder(met), [{ level: 'flag', order: 1 }]);
  await core.accept([kiosk.flag(reading, 'cleared', NOW - 28 * MINUTE)]);
  await settle();
  t.equal((await told()).size, 0);
});

t.test('notices: a flag goes by its venue’s rule as it stood when the reading came, and says by which version', async (t) => {
  const { core, keys, settle, told } = await opened(t);
  const [hot, long, short] = [newCard(), newCard(), newCard()];
  /** Each at a venue of its own; the flagged person met one for 40 minutes, and another for 20. */
  const flagged = async (flagRule?: Placement['flagRule']) => {
    const kiosk = new KioskStub(keys, { dwellMs: 2 * HOUR, ...(flagRule && { flagRule }) });
    const inAtMs = NOW - 60 * MINUTE;
    const seq = kiosk.nextSeq;
    const left = (card: VisitorUuid, atMs: number): Told => ({ happening: { type: 'check-out', card }, atMs });
    const come = [checkIn(hot, inAtMs), checkIn(long, inAtMs + MINUTE), checkIn(short, inAtMs + 2 * MINUTE)];
    const gone = [left(short, inAtMs + 22 * MINUTE), left(long, inAtMs + 41 * MINUTE), left(hot, inAtMs + 45 * MINUTE)];
    const read: Told = { happening: reading(hot, kiosk.keyId, seq), atMs: inAtMs };
    await core.accept([await kiosk.batch([...come, read, ...gone], NOW)]);
    const of = (seq + come.length) as Seq;
    await core.accept([kiosk.flag(of, 'confirmed', NOW - 14 * MINUTE)]);
    await settle();
    return { names: new Set((await told()).keys()), undo: () => core.accept([kiosk.flag(of, 'cleared', NOW - 13 * MINUTE)]) };
  };
  const both = new Set([nameOf(long), nameOf(short)]);
  const usual = await flagged();
  t.strictSame(usual.names, both, 'a quarter of an hour, where a venue says nothing');
  await usual.undo();
  await settle();
  const strict = await flagged({ version: 3, minimumOverlapMs: 30 * MINUTE, isSuspected: false });
  t.strictSame(strict.names, new Set([nameOf(long)]));
  const sources = core.notices.book.flags(NOW).map(({ name }) => `flag/${name}`);
  t.match(core.notices.book.ofSource(sources[0] ?? '', 0, 10), [{ level: 'flag', policyVersion: 1, venueRuleVersion: 3 }]);
  t.strictSame(core.cases.open(), []);
  await strict.undo();
  await settle();
  const silent = await flagged({ version: 4, isSuspected: true });
  t.strictSame(silent.names, new Set(), 'told to nobody');
  t.match(core.cases.open(), [{ state: 'suspected', source: 'temperature-flag' }], 'and a suspected case, where the venue says so');
  await silent.undo();
  t.strictSame(core.cases.open(), []);
});

t.test('notices: a venue is told when and how busy, by whole hours, and nothing where few were there', async (t) => {
  const { core, kiosk, keys, say, settle, clock } = await opened(t);
  const sick = newCard();
  const quiet = new KioskStub(keys, { dwellMs: HOUR });
  await say(
    checkIn(sick, NOW - 3 * HOUR - 10 * MINUTE),
    ...Array.from({ length: 7 }, (_, n) => checkIn(newCard(), NOW - 150 * MINUTE + n)),
  );
  await core.accept([await quiet.batch([checkIn(sick, NOW - 30 * HOUR), checkIn(newCard(), NOW - 30 * HOUR)], clock.wall())]);
  raise(core, sick);
  await settle();
  t.strictSame(core.notices.book.venues(kiosk.placement.venue, Number.MAX_SAFE_INTEGER, 10), [
    { venue: kiosk.placement.venue, fromMs: NOW - 4 * HOUR, toMs: NOW - HOUR, visitors: 7 },
  ]);
  t.match(core.notices.book.venues(quiet.placement.venue, Number.MAX_SAFE_INTEGER, 10), [{ fromMs: NOW - 31 * HOUR, visitors: undefined }]);
});

const temperature = (card: VisitorUuid, of: { keyId: KioskStub['keyId']; seq: number }, estimate: number) =>
  ({
    type: 'temperature',
    card,
    of,
    attempt: 1,
    objectRaw: 3_700,
    ambientRaw: 2_200,
    estimate,
    threshold: 3_800,
    offsetId: 1,
    policyVersion: 1,
    calibrationAgeDays: undefined,
    isRoomInRange: true,
  }) as Told['happening'];
