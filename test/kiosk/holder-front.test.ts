import t from 'tap';
import type { Feedback } from '../../kiosk/feedback.ts';
import type { HolderAnswer } from '../../kiosk/holder-ask.ts';
import { HolderFront } from '../../kiosk/holder-front.ts';
import { encodeCode } from '../../protocol/code.ts';
import { HolderError, LinkError } from '../../protocol/errors.ts';
import type { HolderAction } from '../../protocol/holder.ts';
import { newKeyCode } from '../../protocol/key-code.ts';
import { deriveVisitor } from '../../protocol/visitor.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { toldFront } from './told-front.ts';

function open(answers: (HolderAnswer | Error)[]) {
  const clock = new ManualClock();
  const [said, inner, asked]: [string[], string[], HolderAction[]] = [[], [], []];
  const door = toldFront('both', inner);
  const front = new HolderFront(door, {
    ask: (action) => {
      asked.push(action);
      const answer = answers.shift() ?? new Error('not asked');
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    clock,
    onFeedback: ({ kind }: Feedback) => said.push(kind),
  });
  const at = () => ({ wallMs: clock.wall(), monotonicMs: clock.monotonic() });
  return { front, clock, said, inner, asked, at, press: (command: 'holder' | 'holder-revoke' | 'undo') => front.command(command, at()) };
}

const stub = (): string => encodeCode({ kind: 'key', keyCode: newKeyCode() });
const NO_NOTICE: HolderAnswer = { kind: 'notices', notices: 0, isRevoked: false };

t.test("holder's mode: outside of it the door has everything, inside nothing; it leaves by itself", async (t) => {
  const { front, clock, said, inner, at, press } = open([]);
  front.scan(stub(), at());
  press('holder-revoke');
  press('undo');
  t.strictSame(inner, ['scan', 'holder-revoke', 'undo']);
  press('holder');
  const card = encodeCode({ kind: 'unsigned', card: deriveVisitor(newKeyCode()).card });
  for (const text of [card, 'nonsense', '']) front.scan(text, at());
  front.noScan(at());
  t.strictSame(said, new Array(5).fill('holder-scan-key'));
  await clock.advance(44_999);
  t.equal(said.length, 5);
  await clock.advance(1);
  t.equal(said.at(-1), 'holder-left');
  front.scan(card, at());
  t.strictSame(inner, ['scan', 'holder-revoke', 'undo', 'scan']);
});

t.test("holder's mode: each answer has its words, and a failure says whose turn it is", async (t) => {
  const cases: readonly (readonly [(HolderAnswer | Error)[], string, HolderAction[]])[] = [
    [[NO_NOTICE], 'holder-no-notice', ['read']],
    [[{ ...NO_NOTICE, notices: 2 }], 'holder-notice', ['read']],
    [
      [
        { ...NO_NOTICE, isRevoked: true },
        { kind: 'receipt', isAllDone: true },
      ],
      'holder-erased',
      ['read', 'receipt'],
    ],
    [
      [
        { ...NO_NOTICE, isRevoked: true },
        { kind: 'receipt', isAllDone: false },
      ],
      'holder-erasing',
      ['read', 'receipt'],
    ],
    [[new LinkError('link.refused', 'gone')], 'holder-unreached', ['read']],
    [[new HolderError('holder.not_reached', 'no core')], 'holder-unreached', ['read']],
    [[new HolderError('holder.too_often', 'wait')], 'holder-refused', ['read']],
  ];
  for (const [answers, words, actions] of cases) {
    const { front, clock, said, asked, at, press } = open([...answers]);
    press('holder');
    front.scan(stub(), at());
    front.scan(stub(), at());
    await clock.advance(0);
    t.strictSame(said, ['holder-scan-key', 'holder-asking', words], 'a second one while it asks counts for nothing');
    t.strictSame(asked, actions);
    await clock.advance(20_000);
    t.equal(said.at(-1), 'holder-left', 'an answer does not stand for whoever comes next');
  }
});

t.test("holder's mode: a card is taken back by showing the key code for that, and for nothing else", async (t) => {
  const { front, clock, said, asked, at, press } = open([NO_NOTICE, { kind: 'receipt', isAllDone: false }, NO_NOTICE]);
  press('holder');
  front.scan(stub(), at());
  await clock.advance(0);
  press('holder-revoke');
  front.scan(stub(), at());
  await clock.advance(0);
  front.scan(stub(), at());
  await clock.advance(0);
  t.strictSame(asked, ['read', 'revoke', 'read'], 'the next one only looks again');
  t.strictSame(
    said.filter((kind) => kind !== 'holder-asking'),
    ['holder-scan-key', 'holder-no-notice', 'holder-scan-to-revoke', 'holder-erasing', 'holder-no-notice'],
  );
  press('holder');
  t.equal(said.at(-1), 'holder-left');
});
