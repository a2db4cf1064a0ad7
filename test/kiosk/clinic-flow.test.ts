import t from 'tap';
import { ClinicFlow, DESK_COMMANDS, type DeskCommand } from '../../kiosk/clinic-flow.ts';
import type { DoorRules } from '../../kiosk/door-rules.ts';
import type { Feedback, FeedbackKind } from '../../kiosk/feedback.ts';
import { issuerOf, signCard, signSticker } from '../../protocol/card.ts';
import { clinicianDigestOf } from '../../protocol/clinic.ts';
import { encodeCode } from '../../protocol/code.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { type ErrorCode, StoreError } from '../../protocol/errors.ts';
import type { Happening } from '../../protocol/event.ts';
import type { DeploymentId, KeyId, Seq } from '../../protocol/ids.ts';
import type { StickerStanding } from '../../protocol/sticker-mark.ts';
import { uuidOfPublicKey } from '../../protocol/visitor.ts';
import { ManualClock } from '../support/manual-clock.ts';
import fc from '../support/properties.ts';

const DEPLOYMENT = '0123456789abcdef' as DeploymentId;
const WINDOW_MS = 60_000;
const LIFE_MS = 3_600_000;
const issuerKey = generateSigningKey();
const stranger = generateSigningKey();

const secret = new Uint8Array(16).fill(9);
const CLINICIAN = encodeCode({ kind: 'clinician', secret });
const UNKNOWN_CLINICIAN = encodeCode({ kind: 'clinician', secret: new Uint8Array(16).fill(8) });
const stickerOf = (index: number): Uint8Array => new Uint8Array(16).fill(index);
const cardOf = (index: number) => uuidOfPublicKey(Buffer.from(`visitor ${index}`));
const sticker = (index: number, key = issuerKey): string => encodeCode(signSticker(stickerOf(index), DEPLOYMENT, key));
const card = (index: number, key = issuerKey): string => encodeCode(signCard(cardOf(index), DEPLOYMENT, key));
const resultCode = (result: 'positive' | 'negative' | 'void'): string => encodeCode({ kind: 'result', result });

function desk(refusing?: () => ErrorCode | undefined, toldOfSticker?: (sticker: Uint8Array) => StickerStanding) {
  const clock = new ManualClock();
  const said: Feedback[] = [];
  const kept: Happening[] = [];
  const rules: DoorRules = {
    policy: {} as DoorRules['policy'],
    direction: undefined,
    trust: { deployment: DEPLOYMENT, issuers: [issuerOf(rawPublicKey(issuerKey))], mayTakeUnsigned: false },
    isWithdrawn: (one) => Buffer.compare(one, cardOf(99)) === 0,
    clinic: { stickerLifeMs: LIFE_MS, clinicians: [clinicianDigestOf(secret)] },
  };
  const flow = new ClinicFlow({
    rules,
    windowMs: WINDOW_MS,
    append: (happening) => {
      const code = refusing?.();
      if (code !== undefined) throw new StoreError(code, 'outbox: refuses');
      kept.push(happening);
      return { keyId: new Uint8Array(8) as KeyId, seq: kept.length as Seq };
    },
    isOnline: () => true,
    ...(toldOfSticker && { toldOfSticker }),
    clock,
    onFeedback: (feedback) => said.push(feedback),
  });
  const at = () => ({ wallMs: clock.wall(), monotonicMs: clock.monotonic() });
  const last = (): FeedbackKind | undefined => said.at(-1)?.kind;
  return {
    clock,
    flow,
    rules,
    said,
    kept,
    scan: (text: string) => {
      flow.scan(text, at());
      return last();
    },
    press: (command: DeskCommand) => {
      flow.command(command, at());
      return last();
    },
    last,
  };
}

t.test('clinic desk: sticker and card are linked in either order, and nobody is checked in', async (t) => {
  const { scan, kept } = desk();
  t.equal(scan(sticker(1)), 'scan-card-now');
  t.equal(scan(card(1)), 'sticker-linked');
  t.equal(scan(card(2)), 'scan-sticker-now');
  t.equal(scan(sticker(2)), 'sticker-linked');
  t.strictSame(kept, [
    { type: 'sticker-link', sticker: stickerOf(1), card: cardOf(1) },
    { type: 'sticker-link', sticker: stickerOf(2), card: cardOf(2) },
  ]);
});

t.test('clinic desk: a result needs a clinician, then a sticker, then a word: pressed, scanned or typed', async (t) => {
  const { scan, press, kept } = desk();
  t.equal(press('positive'), 'no-test-yet');
  t.equal(scan(sticker(1)), 'scan-card-now');
  t.equal(press('positive'), 'no-test-yet', 'a sticker alone is none');
  for (const [index, choose] of [() => press('positive'), () => scan(resultCode('negative')), () => scan('3')].entries()) {
    t.equal(scan(CLINICIAN), 'scan-test-sticker');
    t.equal(press('negative'), 'no-test-yet', 'a clinician alone is none');
    t.equal(scan(card(1)), 'not-a-sticker');
    t.equal(scan(sticker(index + 1)), 'choose-result');
    t.equal(choose(), 'result-recorded');
    t.equal(choose(), 'no-test-yet', 'one code, one result');
  }
  const clinician = clinicianDigestOf(secret);
  t.strictSame(
    kept,
    (['positive', 'negative', 'void'] as const).map((result, index) => ({
      ...{ type: 'sticker-result', sticker: stickerOf(index + 1), clinician, result },
    })),
  );
});

t.test('clinic desk: what was begun and not gone on with in time is forgotten', async (t) => {
  for (const begin of [[sticker(1)], [card(1)], [CLINICIAN], [CLINICIAN, sticker(1)]]) {
    const { scan, press, kept, clock, last } = desk();
    for (const text of begin) scan(text);
    await clock.advance(WINDOW_MS - 1);
    t.not(last(), 'took-too-long');
    await clock.advance(1);
    t.equal(last(), 'took-too-long');
    t.equal(press('positive'), 'no-test-yet');
    t.equal(scan(card(2)), 'scan-sticker-now');
    t.strictSame(kept, []);
  }
  const { scan, press } = desk();
  scan(CLINICIAN);
  scan(sticker(1));
  t.equal(press('cancel'), 'desk-cleared');
  t.equal(press('positive'), 'no-test-yet');
});

t.test('clinic desk: each refusal has its own word, and keeps nothing', async (t) => {
  const { scan, press, kept, clock } = desk();
  scan(sticker(1));
  scan(card(1));
  t.equal(scan(sticker(1)), 'sticker-used');
  t.equal(scan(card(2)), 'scan-sticker-now');
  t.equal(scan(sticker(1)), 'sticker-used');
  t.equal(scan(sticker(2)), 'sticker-linked', 'the card stays read, and another sticker is taken for it');
  for (const result of ['positive', 'void'] as const) {
    scan(CLINICIAN);
    t.equal(scan(sticker(result === 'void' ? 2 : 1)), 'choose-result');
    press(result);
  }
  scan(CLINICIAN);
  t.equal(scan(sticker(1)), 'result-there-already');
  t.equal(scan(sticker(2)), 'sticker-void');
  t.equal(kept.length, 4);
  t.equal(scan(UNKNOWN_CLINICIAN), 'clinician-unknown');
  t.equal(scan(sticker(3, stranger)), 'sticker-refused');
  t.equal(scan(card(3, stranger)), 'card-refused');
  t.equal(scan(card(99)), 'card-withdrawn');
  t.equal(scan('4006381333931'), 'not-a-sticker');
  t.equal(scan(encodeCode({ kind: 'staff', secret, command: 'undo' })), 'not-a-sticker');
  t.equal(scan(encodeCode({ kind: 'key', keyCode: new Uint8Array(16) })), 'keep-at-home');
  scan(sticker(4));
  scan(card(4));
  await clock.advance(LIFE_MS + 1);
  scan(CLINICIAN);
  t.equal(scan(sticker(4)), 'sticker-expired');
  t.equal(kept.length, 5);
});

t.test('clinic desk: without a policy that says so no code is good, and a new one holds from the next scan on', async (t) => {
  const { scan, flow, rules } = desk();
  const { clinic, ...others } = rules;
  flow.adopt(others);
  t.equal(scan(CLINICIAN), 'clinician-unknown');
  flow.adopt({ ...others, clinic: { stickerLifeMs: LIFE_MS, clinicians: clinic?.clinicians ?? [] } });
  t.equal(scan(CLINICIAN), 'scan-test-sticker');
});

t.test('clinic desk: a store that refuses is said, and the sticker is free again', async (t) => {
  let code: ErrorCode | undefined = 'store.full';
  const { scan, kept } = desk(() => code);
  scan(sticker(1));
  t.equal(scan(card(1)), 'refused-full');
  code = 'store.failed';
  scan(sticker(1));
  t.equal(scan(card(1)), 'refused-store');
  code = undefined;
  t.equal(scan(sticker(1)), 'scan-card-now');
  t.equal(scan(card(1)), 'sticker-linked');
  t.equal(kept.length, 1);
});

t.test(
  'clinic desk: whatever is scanned and pressed, what is said to be kept is kept, each sticker once, and a result only behind a clinician',
  async () => {
    const texts = [sticker(1), sticker(2), card(1), card(2), CLINICIAN, UNKNOWN_CLINICIAN, resultCode('positive'), '2', 'x'];
    const step = fc.oneof(
      fc.constantFrom(...texts).map((text) => ({ text })),
      fc.constantFrom(...DESK_COMMANDS).map((command) => ({ command })),
      fc.integer({ min: 1, max: WINDOW_MS }).map((waitMs) => ({ waitMs })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { scan, press, kept, said, clock } = desk();
        for (const one of steps) {
          const before = { kept: kept.length, said: said.length };
          if ('waitMs' in one) await clock.advance(one.waitMs);
          else if ('text' in one) scan(one.text);
          else press(one.command);
          const told = said.slice(before.said);
          const promised = told.filter(({ kind }) => kind === 'sticker-linked' || kind === 'result-recorded');
          if (promised.length !== kept.length - before.kept) return false;
          if (told.some(({ kind, seq }) => (seq !== undefined) !== (kind === 'sticker-linked' || kind === 'result-recorded'))) return false;
          if (!('waitMs' in one) && told.length !== 1) return false;
        }
        const links = kept.flatMap((one) => (one.type === 'sticker-link' ? [Buffer.from(one.sticker).toString('hex')] : []));
        return new Set(links).size === links.length;
      }),
      { numRuns: 300 },
    );
  },
);

t.test('clinic desk: nothing of what was scanned is said', async (t) => {
  const { scan, said, press } = desk();
  for (const text of [sticker(1), card(1), CLINICIAN, sticker(1)]) scan(text);
  press('negative');
  const words = JSON.stringify(said, (_key, value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value));
  for (const one of [stickerOf(1), cardOf(1), secret, clinicianDigestOf(secret)]) t.notMatch(words, Buffer.from(one).toString('hex'));
  for (const text of [sticker(1), card(1), CLINICIAN]) t.notMatch(words, text);
});

t.test('clinic flow: what all desks are told of a sticker weighs as much as what this one has seen', (t) => {
  const told = new Map<number, StickerStanding>([
    [1, 'linked'],
    [2, 'done'],
    [3, 'void'],
    [4, 'expired'],
  ]);
  const { scan, press, kept } = desk(undefined, (one) => told.get(one[0] ?? 0) ?? 'free');
  t.equal(scan(sticker(1)), 'sticker-used');
  t.equal(scan(sticker(2)), 'sticker-used');
  t.equal(scan(sticker(3)), 'sticker-void');
  t.equal(scan(sticker(4)), 'sticker-expired');
  scan(CLINICIAN);
  t.equal(scan(sticker(2)), 'result-there-already');
  t.equal(scan(sticker(1)), 'choose-result', 'linked at another desk, and its result may come at this one');
  press('cancel');
  t.strictSame(kept, []);
  scan(sticker(5));
  scan(card(1));
  told.set(5, 'free');
  t.equal(scan(sticker(5)), 'sticker-used', 'told of nothing yet, it knows what it did itself');
  told.set(5, 'void');
  t.equal(scan(sticker(5)), 'sticker-void');
  t.end();
});
