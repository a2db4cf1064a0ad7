import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import type { Core } from '../../../core/core.ts';
import { STICKER_LIFE_MS } from '../../../protocol/clinic.ts';
import { codeOf } from '../../../protocol/errors.ts';
import type { Happening, TestResult } from '../../../protocol/event.ts';
import type { VisitorUuid } from '../../../protocol/ids.ts';
import { DAY, type Fixture, fixture, NOW } from '../core-fixture.ts';
import { HOUR, KioskStub, newCard, shuffled } from '../kiosk-stub.ts';

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
    .list(0, 1_000)
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
  const stickers = Array.from({ length: 3 }, newSticker);
  const cards = Array.from({ length: 3 }, newCard);
  const happenings = fc.oneof(
    fc.record({ sticker: fc.constantFrom(...stickers), card: fc.constantFrom(...cards) }).map(({ sticker, card }) => link(sticker, card)),
    fc
      .record({ sticker: fc.constantFrom(...stickers), said: fc.constantFrom('positive' as const, 'negative' as const, 'void' as const) })
      .map(({ sticker, said }) => result(sticker, said)),
  );
  const told = fc.record({ happening: happenings, agoMs: fc.integer({ min: 0, max: 20 }).map((days) => days * DAY) });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(told, { minLength: 1, maxLength: 8 }),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      async (all, random) => {
        const clinic = new KioskStub(keys);
        const entries = await Promise.all(all.map(({ happening, agoMs }) => clinic.batch([{ happening, atMs: NOW - agoMs }], NOW)));
        const ends: unknown[] = [];
        for (const order of [entries, [...shuffled(entries, () => random.next().value), ...entries]]) {
          run += 1;
          const core = await open(`core-${run}`);
          for (const entry of order) await core.accept([entry]);
          // A case that was dismissed on the way, or never was one, is none.
          ends.push(standing(core).filter(({ state }) => state !== 'dismissed'));
          core.close();
        }
        t.strictSame(ends[0], ends[1]);
      },
    ),
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
