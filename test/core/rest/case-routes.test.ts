import { randomBytes } from 'node:crypto';
import t, { type Test } from 'tap';
import type { Core } from '../../../core/core.ts';
import { caseRoutesOf } from '../../../core/rest/case-routes.ts';
import type { Caller, Route } from '../../../core/rest/route.ts';
import { encodeCode } from '../../../protocol/code.ts';
import { codeOf } from '../../../protocol/errors.ts';
import type { VenueId, VisitorUuid } from '../../../protocol/ids.ts';
import { uuidOfPublicKey } from '../../../protocol/visitor.ts';
import type { ManualClock } from '../../support/manual-clock.ts';
import { DAY, fixture, NOW } from '../core-fixture.ts';
import { KioskStub } from '../kiosk-stub.ts';

const REGION = 'north';
const cardText = (card: VisitorUuid): string => encodeCode({ kind: 'unsigned', card });
const stickerText = (sticker: Uint8Array): string =>
  encodeCode({ kind: 'sticker', issuer: new Uint8Array(4), sticker, signature: new Uint8Array(64) });
const newCard = (): VisitorUuid => uuidOfPublicKey(randomBytes(32));
const newSticker = (): Uint8Array => new Uint8Array(randomBytes(16));

const callerOf = (role: Caller['role'], regions: Caller['regions'] = [REGION]): Caller => ({
  role,
  subject: `${role}-1`,
  regions,
  purpose: 'case-management',
  machine: role === 'partner' ? 'laboratory' : undefined,
});

async function opened(t: Test): Promise<{ core: Core; clock: ManualClock; clinic: KioskStub; ask: typeof ask }> {
  const { open, keys, clock } = await fixture(t);
  const core = await open();
  const clinic = new KioskStub(keys);
  const gateways = { regionOf: (venue: VenueId) => (venue === clinic.placement.venue ? REGION : undefined) };
  const routes = caseRoutesOf({ core: { cases: core.cases, gateways, holder: core.holder }, clock });
  /** As the server does: checked, carried out, checked. @returns the answer, or why not. */
  const ask = async (wanted: string, caller: Caller, parts: { params?: object; query?: object; body?: object } = {}): Promise<unknown> => {
    const route = routes.find(({ method, path }) => wanted === `${method} ${path}`) as Route;
    if (!route.roles.includes(caller.role)) return 'not allowed';
    const read = (schema: Route['body'], value: unknown): unknown => (schema === undefined ? undefined : schema.parse(value));
    try {
      const asked = {
        caller,
        params: read(route.params, parts.params),
        query: read(route.query, parts.query ?? {}),
        body: read(route.body, parts.body),
        address: '::1',
        writeDown: () => {},
        signal: AbortSignal.any([]),
      };
      return route.answer.parse(await route.handle(asked));
    } catch (error) {
      return codeOf(error) ?? (error as Error).constructor.name;
    }
  };
  return { core, clock, clinic, ask };
}

t.test('case routes: a clinician records a result over REST, once, in their own region', async (t) => {
  const { core, clinic, ask } = await opened(t);
  const [sticker, unknown] = [newSticker(), newSticker()];
  const happening = { type: 'sticker-link' as const, sticker, card: newCard() };
  await core.accept([await clinic.batch([{ happening, atMs: NOW - DAY }], NOW)]);
  const clinician = callerOf('clinician');
  const record = (of: Uint8Array, result: string, who = clinician, key = result) =>
    ask('POST /core/1/results', who, { body: { sticker: stickerText(of), result, key } });
  t.equal(await record(unknown, 'positive'), 'case.unknown_sticker');
  t.equal(await record(sticker, 'positive', callerOf('clinician', ['south'])), 'NotThere');
  t.equal(await record(sticker, 'positive', callerOf('health-officer')), 'not allowed');
  t.strictSame(await record(sticker, 'positive'), { state: 'positive' });
  t.strictSame(await record(sticker, 'positive'), { state: 'positive' });
  t.equal(await record(sticker, 'negative'), 'case.conflict');
  t.equal(await ask('POST /core/1/results', clinician, { body: { sticker: cardText(newCard()), result: 'void', key: 'k' } }), 'code.kind');
  const listed = await ask('GET /core/1/cases', callerOf('health-officer'));
  t.strictSame(listed, {
    cases: [
      {
        ...{ case: 1, state: 'confirmed', source: 'sticker', isDecided: false, confirmedAtMs: NOW, testedAtMs: NOW - DAY },
        ...{ raisedAtMs: NOW, changedAtMs: NOW, region: REGION },
      },
    ],
  });
  t.strictSame(await record(sticker, 'void'), { state: 'void' });
  t.strictSame(core.cases.open(), []);
  t.strictSame(await record(unknown, 'void'), { state: 'void' }, 'a roll of stickers that was lost');
});

t.test('case routes: a health officer raises, decides and lists the cases of their regions, and no others', async (t) => {
  const { core, ask } = await opened(t);
  const officer = callerOf('health-officer');
  const other = callerOf('health-officer', ['south']);
  const raise = (who: Caller, more: object = {}) =>
    ask('POST /core/1/cases', who, { body: { card: cardText(newCard()), state: 'suspected', region: REGION, key: 'one', ...more } });
  t.match(await raise(officer, { onsetAtMs: NOW - DAY }), { case: 1, state: 'suspected', source: 'officer', onsetAtMs: NOW - DAY });
  t.equal(await raise(other), 'NotThere');
  t.equal(await raise(officer, { key: 'two', onsetAtMs: NOW + 1 }), 'decode.out_of_range');
  const decide = (who: Caller, state: string, id = 1) =>
    ask('POST /core/1/cases/:case/decision', who, { params: { case: String(id) }, body: { state } });
  t.equal(await decide(other, 'confirmed'), 'NotThere');
  t.equal(await decide(officer, 'confirmed', 7), 'NotThere');
  t.match(await decide(officer, 'confirmed'), { state: 'confirmed', isDecided: true, confirmedAtMs: NOW });
  t.match(core.cases.open(), [{ state: 'confirmed' }]);
  t.match(await decide(officer, 'dismissed'), { state: 'dismissed' });
  t.strictSame(core.cases.open(), []);
  t.strictSame(await ask('GET /core/1/cases', other), { cases: [] });
  t.equal(((await ask('GET /core/1/cases', officer)) as { cases: unknown[] }).cases.length, 1);
});

t.test('case routes: a partner alerts, once for each key, in its own regions', async (t) => {
  const { core, ask } = await opened(t);
  const body = { card: cardText(newCard()), state: 'confirmed', region: REGION, key: 'alert-1', testedAtMs: NOW - DAY };
  const partner = callerOf('partner');
  t.equal(await ask('POST /core/1/alerts', callerOf('partner', ['south']), { body }), 'NotThere');
  t.match(await ask('POST /core/1/alerts', partner, { body }), { case: 1, state: 'confirmed', source: 'partner', confirmedAtMs: NOW });
  t.match(await ask('POST /core/1/alerts', partner, { body }), { case: 1 });
  t.equal(core.cases.list(0, 10).length, 1);
});

t.test('case routes: a key that was used for another case raises none, and is not answered with the other one', async (t) => {
  const { core, clock, ask } = await opened(t);
  const card = cardText(newCard());
  const confirmed = { card, state: 'confirmed', region: REGION, key: 'one' };
  for (const [wanted, who] of [
    ['POST /core/1/alerts', callerOf('partner', ['north', 'south'])],
    ['POST /core/1/cases', callerOf('health-officer', ['north', 'south'])],
  ] as const) {
    const raised = (await ask(wanted, who, { body: confirmed })) as { case: number };
    await clock.leap(1_000);
    const others = [
      { card: cardText(newCard()) },
      { state: 'suspected' },
      { region: 'south' },
      { testedAtMs: NOW - DAY },
      { onsetAtMs: NOW - DAY },
    ];
    for (const other of others)
      t.equal(await ask(wanted, who, { body: { ...confirmed, ...other } }), 'case.key_used', JSON.stringify(other));
    t.match(
      await ask(wanted, who, { body: confirmed }),
      { case: raised.case, confirmedAtMs: NOW + (raised.case - 1) * 1_000 },
      'the same, later',
    );
    core.cases.decide(raised.case, 'suspected', { onsetAtMs: NOW - DAY });
    t.match(
      await ask(wanted, who, { body: confirmed }),
      { case: raised.case, state: 'suspected' },
      'the same, once it was decided otherwise',
    );
  }
  t.equal(core.cases.list(0, 10).length, 2);
});

t.test('case routes: a long list comes a page at a time, each case once', async (t) => {
  const { ask } = await opened(t);
  const officer = callerOf('health-officer');
  for (let at = 0; at < 5; at++)
    await ask('POST /core/1/cases', officer, { body: { card: cardText(newCard()), state: 'suspected', region: REGION, key: `${at}` } });
  const seen: number[] = [];
  let cursor: string | undefined;
  do {
    const query = { limit: '2', ...(cursor === undefined ? {} : { cursor }) };
    const page = (await ask('GET /core/1/cases', officer, { query })) as { cases: { case: number }[]; next?: string };
    seen.push(...page.cases.map((one) => one.case));
    cursor = page.next;
  } while (cursor !== undefined);
  t.strictSame(seen, [1, 2, 3, 4, 5]);
});
