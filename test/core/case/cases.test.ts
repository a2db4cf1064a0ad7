import { randomBytes } from 'node:crypto';
import t, { type Test } from 'tap';
import { type Core, openCore } from '../../../core/core.ts';
import { STICKER_LIFE_MS } from '../../../protocol/clinic.ts';
import { codeOf } from '../../../protocol/errors.ts';
import type { Happening, TestResult } from '../../../protocol/event.ts';
import { decodeChallenge, encodeProof, signProof } from '../../../protocol/holder.ts';
import type { VisitorUuid } from '../../../protocol/ids.ts';
import { newKeyCode } from '../../../protocol/key-code.ts';
import { silentLog } from '../../../protocol/log.ts';
import { stickerDigestOf } from '../../../protocol/sticker-mark.ts';
import { deriveVisitor } from '../../../protocol/visitor.ts';
import fc from '../../support/properties.ts';
import { outcomeOf } from '../../support/wire.ts';
import { DAY, type Fixture, fixture, NOW } from '../core-fixture.ts';
import { DEPLOYMENT, HOUR, KioskStub, newCard, reading, shuffled } from '../kiosk-stub.ts';

const CLINICIAN = new Uint8Array(16).fill(7);
const newSticker = (): Uint8Array => new Uint8Array(randomBytes(16));
const link = (sticker: Uint8Array, card: VisitorUuid): Happening => ({ type: 'sticker-link', sticker, card });
const result = (sticker: Uint8Array, said: TestResult): Happening => ({
  type: 'sticker-result',
  sticker,
  clinician: CLINICIAN,
  result: said,
});

async function opened(
  t: Test,
): Promise<Fixture & { core: Core; clinic: KioskStub; say: (what: Happening, atMs?: number) => Promise<void> }> {
  const made = await fixture(t);
  const core = await made.open();
  const clinic = new KioskStub(made.keys);
  const say = async (happening: Happening, atMs = NOW) => core.accept([await clinic.batch([{ happening, atMs }], made.clock.wall())]);
  return { ...made, core, clinic, say };
}

/** What holds, without the numbers that depend on what came first. */
const standing = (core: Core) =>
  core.cases
    .list(0, 10_000)
    .map(({ card, state, source, confirmedAtMs, testedAtMs }) => ({
      card: Buffer.from(card).toString('hex'),
      state,
      source,
      confirmedAtMs,
      testedAtMs,
    }))
    .sort((a, b) => (a.card < b.card ? -1 : a.card > b.card ? 1 : (a.confirmedAtMs ?? 0) - (b.confirmedAtMs ?? 0)));

t.test('cases: a linked sticker with a positive result is a confirmed case, told right after the commit', async (t) => {
  const { core, say, clinic } = await opened(t);
  let told = 0;
  core.cases.onChanged(() => (told += 1));
  const sticker = newSticker();
  await say(link(sticker, newCard()), NOW - 2 * DAY);
  t.strictSame(core.cases.open(), []);
  t.equal(told, 0);
  await say(result(sticker, 'positive'), NOW - HOUR);
  t.match(core.cases.open(), [
    { state: 'confirmed', source: 'sticker', confirmedAtMs: NOW - HOUR, testedAtMs: NOW - 2 * DAY, venue: clinic.placement.venue },
  ]);
  t.equal(told, 1);
});

t.test('cases: a negative result is none, and neither is a void one', async (t) => {
  const { core, say } = await opened(t);
  for (const said of ['negative', 'void'] as const) {
    const sticker = newSticker();
    await say(link(sticker, newCard()));
    await say(result(sticker, said));
  }
  t.strictSame(core.cases.list(0, 10), []);
});

t.test('cases: the sticker of a case that is voided takes the case back', async (t) => {
  const { core, say } = await opened(t);
  const sticker = newSticker();
  await say(link(sticker, newCard()));
  await say(result(sticker, 'positive'));
  await say(result(sticker, 'void'));
  t.match(core.cases.list(0, 10), [{ state: 'dismissed' }]);
  t.strictSame(core.cases.open(), []);
});

t.test('cases: a sticker works once: a second card, and a second word, change nothing and are told by name', async (t) => {
  const { core, say } = await opened(t);
  const [sticker, first, second] = [newSticker(), newCard(), newCard()];
  await say(link(sticker, first), NOW - DAY);
  await say(result(sticker, 'positive'), NOW - HOUR);
  const before = standing(core);
  await say(link(sticker, second), NOW);
  await say(result(sticker, 'negative'), NOW);
  t.strictSame(standing(core), before);
  t.match(core.setAside(10), [{ reason: 'case.conflict' }]);
  t.equal(core.setAside(10).length, 1, 'once for a sticker');
});

t.test('cases: a result that comes later than a sticker lives is set aside by name', async (t) => {
  const { core, say } = await opened(t);
  const sticker = newSticker();
  await say(link(sticker, newCard()), NOW - STICKER_LIFE_MS.usual - HOUR);
  await say(result(sticker, 'positive'), NOW);
  t.strictSame(core.cases.list(0, 10), []);
  t.match(core.setAside(10), [{ reason: 'case.expired' }]);
});

t.test('cases: the same set gives the same cases, whatever came first or twice', async (t) => {
  const { keys, open } = await fixture(t);
  const cores = [await open('one'), await open('other')] as const;
  const index = fc.integer({ min: 0, max: 2 });
  const link_ = fc.record({ kind: fc.constant('link' as const), sticker: index, card: index });
  const result_ = fc.record({
    kind: fc.constant('result' as const),
    sticker: index,
    said: fc.constantFrom('positive' as const, 'negative' as const, 'void' as const),
  });
  const told = fc.record({ what: fc.oneof(link_, result_), agoMs: fc.integer({ min: 0, max: 20 }).map((days) => days * DAY) });
  const randoms = fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true }));
  await fc.assert(
    fc.asyncProperty(fc.array(told, { minLength: 1, maxLength: 8 }), randoms, async (all, random) => {
      const clinic = new KioskStub(keys);
      // New ones each time, so that two cores serve for all of it.
      const stickers = [newSticker(), newSticker(), newSticker()];
      const cards = [newCard(), newCard(), newCard()];
      const happeningOf = ({ what }: (typeof all)[number]): Happening => {
        const sticker = stickers[what.sticker] ?? newSticker();
        return what.kind === 'link' ? link(sticker, cards[what.card] ?? newCard()) : result(sticker, what.said);
      };
      const entries = await Promise.all(all.map((one) => clinic.batch([{ happening: happeningOf(one), atMs: NOW - one.agoMs }], NOW)));
      await cores[0].accept(entries);
      const [first, ...others] = shuffled(entries, () => random.next().value);
      if (first !== undefined) await cores[1].accept([first]);
      await cores[1].accept([...others, ...entries]);
      // A case that was dismissed on the way, or never was one, is none.
      const [one, other] = cores.map((core) => standing(core).filter(({ state }) => state !== 'dismissed'));
      t.strictSame(other, one);
    }),
    { numRuns: 25 },
  );
});

t.test('cases: over REST a result needs a link, and is refused by name where it does not fit', async (t) => {
  const { core, say } = await opened(t);
  const [sticker, other, voided, old] = [newSticker(), newSticker(), newSticker(), newSticker()];
  const record = (of: Uint8Array, said: TestResult, key = `${said}`) => {
    try {
      return core.cases.record({ sticker: of, result: said, recorder: 'clinician-1', key, venue: undefined });
    } catch (error) {
      return codeOf(error);
    }
  };
  for (const [one, atMs] of [
    [sticker, NOW - DAY],
    [voided, NOW - DAY],
    [old, NOW - 15 * DAY],
  ] as const)
    await say(link(one, newCard()), atMs);
  t.equal(record(other, 'positive'), 'case.unknown_sticker');
  t.equal(record(voided, 'void'), 'void');
  t.equal(record(voided, 'positive'), 'case.void');
  t.equal(record(old, 'positive'), 'case.expired');
  t.equal(record(sticker, 'positive'), 'positive');
  t.equal(record(sticker, 'positive'), 'positive', 'the same request again');
  t.equal(record(sticker, 'negative'), 'case.conflict');
  t.match(core.cases.open(), [{ state: 'confirmed', confirmedAtMs: NOW }]);
  t.equal(core.cases.open().length, 1);
  t.strictSame(core.setAside(10), []);
});

t.test('cases: an officer suspects, confirms and dismisses, and what the source says later changes nothing', async (t) => {
  const { core, say, clock } = await opened(t);
  const sticker = newSticker();
  await say(link(sticker, newCard()));
  await say(result(sticker, 'positive'));
  const [confirmed] = core.cases.open();
  if (confirmed === undefined) throw new Error('no case');
  t.match(core.cases.decide(confirmed.id, 'dismissed'), { state: 'dismissed', isDecided: true });
  await say(link(sticker, newCard()), NOW - DAY);
  t.match(core.cases.find(confirmed.id), { state: 'dismissed' });
  t.equal(core.cases.decide(99, 'confirmed'), undefined);
  const asked = { card: newCard(), state: 'suspected', source: 'officer', by: 'officer-1', key: 'a', onsetAtMs: NOW - DAY } as const;
  const suspected = core.cases.raise(asked);
  t.match(suspected, { state: 'suspected', source: 'officer', onsetAtMs: NOW - DAY, confirmedAtMs: undefined });
  t.equal(core.cases.raise(asked).id, suspected.id, 'the same request again');
  await clock.leap(HOUR);
  t.match(core.cases.decide(suspected.id, 'confirmed'), { state: 'confirmed', confirmedAtMs: NOW + HOUR });
});

t.test('cases: a confirmed flag makes a suspected case where the policy says so, and one that was cleared takes it back', async (t) => {
  const { dir, keys, clock } = await fixture(t);
  for (const areFlaggedSuspected of [false, true]) {
    const options = { dir: `${dir}/core-${areFlaggedSuspected}`, deployment: DEPLOYMENT, keys, clock, log: silentLog };
    const core = await openCore({ ...options, cases: { areFlaggedSuspected } });
    const door = new KioskStub(keys);
    const card = newCard();
    const scan = door.seal({ happening: { type: 'check-in', card, groupSize: 1, isSigned: true }, atMs: NOW - HOUR });
    const high = door.seal({ happening: reading(card, door.keyId, scan.seq), atMs: NOW - HOUR });
    const rows = await door.entry([scan, high], NOW);
    const [confirmed, cleared] = (['confirmed', 'cleared'] as const).map((state) => door.flag(high.seq, state, NOW - HOUR));
    for (const entry of [confirmed, rows, confirmed]) if (entry !== undefined) await core.accept([entry]);
    const suspected = [{ state: 'suspected', source: 'temperature-flag', onsetAtMs: NOW - HOUR }];
    t.match(core.cases.open(), areFlaggedSuspected ? suspected : []);
    t.equal(core.cases.list(0, 10).length, areFlaggedSuspected ? 1 : 0);
    if (cleared !== undefined) await core.accept([cleared]);
    t.strictSame(core.cases.open(), []);
    core.close();
  }
});

t.test('cases: end with retention, and so does what was said of stickers', async (t) => {
  const { core, say, clock } = await opened(t);
  const sticker = newSticker();
  await say(link(sticker, newCard()), NOW - DAY);
  await say(result(sticker, 'positive'), NOW);
  await clock.leap(20 * DAY);
  core.dropExpired();
  t.equal(core.cases.open().length, 1);
  await clock.leap(2 * DAY);
  core.dropExpired();
  t.strictSame(core.cases.list(0, 10), []);
  await say(link(sticker, newCard()), NOW - DAY);
  await say(result(sticker, 'positive'), NOW);
  t.strictSame(core.cases.list(0, 10), [], 'a row that comes again after it was forgotten');
});

const FAR = new AbortController().signal;

t.test('cases: a sticker whose rows are forgotten is of no use for another card, here or at any desk, also after a restart', async (t) => {
  const { core, open, say, clock } = await opened(t);
  const [used, never, free] = [newSticker(), newSticker(), newSticker()];
  await say(link(used, newCard()), NOW - DAY);
  await say(result(used, 'negative'), NOW);
  await say(result(never, 'positive'), NOW);
  await clock.leap(22 * DAY);
  core.dropExpired();
  const standings = async (of: Core) =>
    (await of.cases.stickerNews(undefined, 0, FAR)).noticed
      .map(({ digest, standing, endsAtMs }) => [
        Buffer.compare(digest, stickerDigestOf(used)) === 0 ? 'used' : 'never',
        standing,
        endsAtMs > 0,
      ])
      .sort();
  const told = [
    ['never', 'linked', true],
    ['used', 'linked', true],
  ];
  t.strictSame(await standings(core), told, 'linked, with an end that is past: expired');

  const nowMs = clock.wall();
  for (const sticker of [used, never, free]) {
    await say(link(sticker, newCard()), nowMs - HOUR);
    await say(result(sticker, 'positive'), nowMs);
  }
  t.equal(core.cases.open().length, 1, 'of the one that was free');
  t.match(core.counts(), { setAside: 2 });
  const said = { recorder: 'someone', key: 'one', venue: undefined };
  t.equal(
    outcomeOf(() => core.cases.record({ sticker: used, result: 'positive', ...said })),
    'case.expired',
  );
  t.equal(core.cases.record({ sticker: used, result: 'void', ...said }), 'void');
  core.close();
  const again = await open();
  t.match((await standings(again)).length, 3);
});

t.test(
  'cases: who takes a card back makes its sticker good for nobody; one that another card has, too, goes on for that one',
  async (t) => {
    const { core, say } = await opened(t);
    const [anna, ben] = [deriveVisitor(newKeyCode()), newCard()];
    const [hers, both] = [newSticker(), newSticker()];
    await say(link(hers, anna.card), NOW - 3 * HOUR);
    await say(link(both, ben), NOW - 3 * HOUR);
    await say(link(both, anna.card), NOW - 2 * HOUR);
    const { holder } = core;
    await holder.ask(encodeProof(signProof('revoke', decodeChallenge(holder.challenge()), anna)), 'page');
    for (const sticker of [hers, both]) {
      await say(link(sticker, newCard()), NOW - HOUR);
      await say(result(sticker, 'positive'), NOW);
    }
    t.equal(core.cases.open().length, 1, 'of the one that was linked to him first');
  },
);
