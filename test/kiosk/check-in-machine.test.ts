import t from 'tap';
import { dueMs, next } from '../../kiosk/check-in-machine.ts';
import { type Direction, type DoorPolicy, type Input, newState, type StaffCommand, type State } from '../../kiosk/check-in-state.ts';
import type { FeedbackKind } from '../../kiosk/feedback.ts';
import type { CheckIn, Happening, RowRef, Temperature } from '../../protocol/event.ts';
import type { KeyId, Seq } from '../../protocol/ids.ts';
import type { CentiCelsius } from '../../protocol/units.ts';
import fc from '../support/properties.ts';
import { cardOf, mono, POLICY } from './fixtures.ts';

const keyId = new Uint8Array(8) as KeyId;

/** Runs the machine as the flow does, against a store that keeps or refuses. */
class Door {
  state: State;
  nowMs = 1_000;
  readonly kept: Happening[] = [];
  refusal: 'refused-full' | 'refused-store' | undefined;

  constructor(direction: Direction, policy: DoorPolicy = POLICY) {
    this.state = newState(policy, direction);
  }

  scan(card: number, groupSize = 1): FeedbackKind[] {
    return this.put({ kind: 'scan', card: cardOf(card), groupSize, isSigned: true, atMs: mono(this.nowMs) });
  }

  staff(command: StaffCommand): FeedbackKind[] {
    return this.put({ kind: 'staff', command, atMs: mono(this.nowMs) });
  }

  /** @param estimate hundredths of a degree, after the offset. */
  read(estimate: number): FeedbackKind[] {
    const objectRaw = (estimate - POLICY.temperature.offset) as CentiCelsius;
    return this.put({
      kind: 'reading',
      reading: { objectRaw, ambientRaw: 2_200 as CentiCelsius, calibrationAgeDays: 12 },
      atMs: mono(this.nowMs),
    });
  }

  tick(): FeedbackKind[] {
    return this.put({ kind: 'tick', atMs: mono(this.nowMs) });
  }

  stranger(): FeedbackKind[] {
    return this.put({ kind: 'stranger', atMs: mono(this.nowMs) });
  }

  put(input: Input): FeedbackKind[] {
    const step = next(this.state, input);
    this.state = step.state;
    return step.effects.flatMap((effect) => {
      if (effect.kind === 'feedback') return [effect.feedback];
      if (this.refusal !== undefined) return this.put({ kind: 'refused', why: this.refusal });
      this.kept.push(effect.happening);
      return this.put({ kind: 'appended', ref: refOf(this.kept.length) });
    });
  }

  get types(): string[] {
    return this.kept.map(({ type }) => type);
  }
}

const refOf = (seq: number): RowRef => ({ keyId, seq: seq as Seq });

t.test('door in: a card is welcomed, and the same card again is already in and checked in again', async (t) => {
  const door = new Door('in');
  t.strictSame(door.scan(1, 4), ['welcome']);
  door.nowMs += 3_600_000;
  t.strictSame(door.scan(1), ['already-in']);
  t.strictSame(door.types, ['check-in', 'check-in']);
  t.strictSame((door.kept[0] as CheckIn).groupSize, 4);
});

t.test('door in: a card not seen for the dwell is welcomed again', async (t) => {
  const door = new Door('in');
  door.scan(1);
  door.nowMs += POLICY.dwellMs - 1;
  t.strictSame(door.scan(1), ['already-in'], 'each check-in extends');
  door.nowMs += POLICY.dwellMs;
  t.strictSame(door.scan(1), ['welcome']);
});

t.test('door out: goodbye, also for a card that nobody saw come in', async (t) => {
  const door = new Door('out');
  t.strictSame(door.scan(1), ['goodbye']);
  t.strictSame(door.types, ['check-out']);
});

t.test('door both: scans toggle, and within the again-window say what was said without another event', async (t) => {
  const door = new Door('both');
  t.strictSame(door.scan(1), ['welcome']);
  door.nowMs += 19_999;
  t.strictSame(door.scan(1), ['already-in']);
  door.nowMs += 1;
  t.strictSame(door.scan(1), ['goodbye']);
  door.nowMs += 10_000;
  t.strictSame(door.scan(1), ['already-out']);
  door.nowMs += 10_000;
  t.strictSame(door.scan(1), ['welcome']);
  t.strictSame(door.types, ['check-in', 'check-out', 'check-in']);
});

t.test('staff: a door changes what it is for, and keeps who is in', async (t) => {
  const door = new Door('in');
  door.scan(1);
  t.strictSame(door.staff('door-out'), ['door-out']);
  t.strictSame(door.scan(1), ['goodbye']);
  t.strictSame(door.staff('door-in'), ['door-in']);
  t.strictSame(door.scan(1), ['welcome']);
  t.strictSame(door.staff('door-both'), ['door-both']);
  t.strictSame(door.scan(1), ['already-in']);
});

t.test('undo: takes back the last scan once, within two minutes, and restores who was in', async (t) => {
  const door = new Door('both');
  t.strictSame(door.staff('undo'), ['nothing-to-undo']);
  door.scan(1);
  door.nowMs += 120_000;
  t.strictSame(door.staff('undo'), ['undone']);
  t.strictSame(door.kept[1], { type: 'undo', of: refOf(1) });
  t.strictSame(door.scan(1), ['welcome'], 'as if it had not been in');
  t.strictSame(door.staff('undo'), ['undone']);
  t.strictSame(door.staff('undo'), ['nothing-to-undo'], 'only the last');
  door.scan(2);
  door.nowMs += 120_001;
  t.strictSame(door.staff('undo'), ['nothing-to-undo'], 'too late');
});

t.test('undo: of a check-out puts the card back in', async (t) => {
  const door = new Door('both');
  door.scan(1);
  door.nowMs += 60_000;
  t.strictSame(door.scan(1), ['goodbye']);
  door.staff('undo');
  t.strictSame(door.scan(1), ['goodbye']);
});

t.test('undo: a reading that follows is of nobody', async (t) => {
  const door = new Door('in');
  door.scan(1);
  door.staff('undo');
  t.strictSame(door.read(3_650), []);
  t.strictSame(door.types, ['check-in', 'undo']);
});

t.test('a refused append: says so, and leaves everything as it was', async (t) => {
  for (const why of ['refused-full', 'refused-store'] as const) {
    const door = new Door('both');
    door.scan(1);
    const before = door.state;
    door.refusal = why;
    t.strictSame(door.scan(2), [why]);
    t.strictSame(door.state.cards, before.cards);
    t.strictSame(door.state.last, before.last);
    t.strictSame(door.staff('undo'), [why]);
    door.refusal = undefined;
    t.strictSame(door.staff('undo'), ['undone'], 'the undo that was refused may be said again');
    t.strictSame(door.scan(2), ['welcome']);
  }
});

t.test('a refused append: a reading that follows is not of whoever was served before', async (t) => {
  const door = new Door('in');
  door.scan(1);
  door.refusal = 'refused-store';
  door.scan(2);
  door.refusal = undefined;
  t.strictSame(door.read(3_900), []);
  t.strictSame(door.types, ['check-in']);
});

t.test('a scan that is no card: the reading that follows is of nobody', async (t) => {
  const door = new Door('in');
  door.scan(1);
  t.strictSame(door.stranger(), []);
  t.strictSame(door.read(3_900), []);
  t.strictSame(door.types, ['check-in']);
});

t.test('a reading: belongs to the scan before it, carries the policy it was judged by, and closes the pairing', async (t) => {
  const door = new Door('in');
  door.scan(1);
  door.nowMs += 19_999;
  t.strictSame(door.read(3_799), ['thank-you']);
  t.strictSame(door.kept[1], {
    type: 'temperature',
    card: cardOf(1),
    of: refOf(1),
    attempt: 1,
    objectRaw: 3_549,
    ambientRaw: 2_200,
    estimate: 3_799,
    threshold: 3_800,
    offsetId: 3,
    policyVersion: 7,
    calibrationAgeDays: 12,
    isRoomInRange: true,
  });
  t.strictSame(door.read(3_900), [], 'a second one is of nobody');
  t.strictSame(door.types, ['check-in', 'temperature']);
});

t.test('a reading: without a scan within the window is dropped', async (t) => {
  const door = new Door('in');
  door.scan(1);
  door.nowMs += 20_000;
  t.strictSame(door.read(3_900), []);
  door.nowMs += 5_001;
  t.strictSame(door.scan(2), ['welcome']);
  t.strictSame(door.types, ['check-in', 'check-in']);
});

t.test('a reading: taken first at a quiet door belongs to the scan within 5 s, after its answer', async (t) => {
  const door = new Door('in');
  t.strictSame(door.read(3_650), []);
  door.nowMs += 5_000;
  t.strictSame(door.scan(1), ['welcome', 'thank-you']);
  t.strictSame(door.types, ['check-in', 'temperature']);
  t.strictSame((door.kept[1] as Temperature).of, refOf(1));
});

t.test('a reading: the second one of a visitor never becomes the first one of the next', async (t) => {
  const door = new Door('in');
  door.scan(1);
  door.read(3_650);
  door.read(3_900);
  door.nowMs += 1_000;
  t.strictSame(door.scan(2), ['welcome']);
  t.strictSame(door.types, ['check-in', 'temperature', 'check-in']);
});

t.test('a reading: after a repeated scan of another card, which is answered without an event, is of nobody', async (t) => {
  const door = new Door('both');
  door.scan(1);
  door.scan(2);
  t.strictSame(door.scan(1), ['already-in']);
  t.strictSame(door.read(3_900), []);
  t.strictSame(door.types, ['check-in', 'check-in']);
});

t.test('high: asks for a second reading, and two send to the staff', async (t) => {
  const door = new Door('in');
  door.scan(1);
  t.strictSame(door.read(3_800), ['please-measure-again']);
  door.nowMs += 29_999;
  t.strictSame(door.read(3_850), ['please-see-staff']);
  t.strictSame(
    door.kept.filter(({ type }) => type === 'temperature').map((event) => (event as Temperature).attempt),
    [1, 2],
  );
});

t.test('high: then normal is thanked', async (t) => {
  const door = new Door('in');
  door.scan(1);
  door.read(3_800);
  t.strictSame(door.read(3_700), ['thank-you']);
});

t.test('high: without a second reading within 30 s the staff are asked to look', async (t) => {
  const door = new Door('in');
  door.scan(1);
  door.read(3_800);
  t.equal(dueMs(door.state), door.nowMs + 30_000);
  door.nowMs += 29_999;
  t.strictSame(door.tick(), []);
  door.nowMs += 1;
  t.strictSame(door.tick(), ['please-see-staff']);
  t.strictSame(door.tick(), [], 'said once');
  t.equal(dueMs(door.state), undefined);
});

t.test('high: a reading that comes before the late tick is not taken for the second', async (t) => {
  const door = new Door('in');
  door.scan(1);
  door.read(3_800);
  door.nowMs += 30_000;
  t.strictSame(door.read(3_900), ['please-see-staff']);
  t.strictSame(door.types, ['check-in', 'temperature']);
});

t.test('high: a new scan closes the older pairing without a word', async (t) => {
  const door = new Door('in');
  door.scan(1);
  door.read(3_800);
  t.strictSame(door.scan(2), ['welcome']);
  t.strictSame(door.read(3_600), ['thank-you']);
  t.strictSame((door.kept.at(-1) as Temperature).card, cardOf(2));
  door.nowMs += 60_000;
  t.strictSame(door.tick(), []);
});

t.test('memory: holds at most maxCards, and forgets the card seen longest ago', async (t) => {
  const door = new Door('in', { ...POLICY, maxCards: 3 });
  for (const card of [1, 2, 3, 1, 4]) {
    door.nowMs += 1;
    door.scan(card);
  }
  t.equal(door.state.cards.size, 3);
  t.strictSame(door.scan(1), ['already-in']);
  t.strictSame(door.scan(2), ['welcome'], 'the oldest');
});

t.test('memory: a tick forgets cards past the dwell, and cards out past the again-window', async (t) => {
  const door = new Door('both');
  door.scan(1);
  door.nowMs += 20_000;
  door.scan(1);
  door.scan(2);
  t.equal(door.state.cards.size, 2);
  door.nowMs += 20_000;
  door.tick();
  t.equal(door.state.cards.size, 1, 'the one that went out');
  door.nowMs += POLICY.dwellMs;
  door.tick();
  t.equal(door.state.cards.size, 0);
});

t.test('the runner: may put nothing but the answer while an append is pending, and no answer while none is', async (t) => {
  const { state } = next(newState(POLICY, 'in'), { kind: 'scan', card: cardOf(1), groupSize: 1, isSigned: true, atMs: mono(0) });
  t.throws(() => next(state, { kind: 'tick', atMs: mono(0) }), /passage is pending/);
  t.throws(() => next(newState(POLICY, 'in'), { kind: 'refused', why: 'refused-full' }), /nothing is pending/);
});

const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('scan' as const), card: fc.integer({ min: 0, max: 4 }) }),
    fc.record({ do: fc.constant('read' as const), estimate: fc.integer({ min: 3_700, max: 3_900 }) }),
    fc.record({ do: fc.constant('staff' as const), command: fc.constantFrom<StaffCommand>('undo', 'door-in', 'door-out', 'door-both') }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 40_000 }) }),
    fc.record({ do: fc.constantFrom('stranger' as const, 'tick' as const) }),
    fc.record({ do: fc.constant('store' as const), keeps: fc.boolean() }),
  ),
  { maxLength: 60 },
);
const POSITIVE = new Set<FeedbackKind>(['welcome', 'goodbye', 'undone', 'thank-you', 'please-measure-again']);

t.test(
  'any course of things: no promise without an append, no reading of anybody but who was served last, no undo but of the last',
  async () => {
    fc.assert(
      fc.property(steps, fc.constantFrom<Direction>('in', 'out', 'both'), (course, direction) => {
        const door = new Door(direction, { ...POLICY, maxCards: 3 });
        /** Who stands there, by the rules of the model: the last passage kept, until anybody else, or an undo, or time. */
        let served: { card: number; seq: number; atMs: number } | undefined;
        let last: { seq: number; atMs: number } | undefined;
        for (const step of course) {
          const before = door.kept.length;
          let said: FeedbackKind[] = [];
          if (step.do === 'wait') door.nowMs += step.ms;
          if (step.do === 'store') door.refusal = step.keeps ? undefined : 'refused-full';
          if (step.do === 'scan') said = door.scan(step.card);
          if (step.do === 'read') said = door.read(step.estimate);
          if (step.do === 'staff') said = door.staff(step.command);
          if (step.do === 'tick') said = door.tick();
          if (step.do === 'stranger') said = door.stranger();
          const added = door.kept.slice(before);
          if (said.filter((kind) => POSITIVE.has(kind)).length > added.length) throw new Error(`${said} said, ${added.length} kept`);
          if (door.refusal !== undefined && added.length > 0) throw new Error('kept by a store that refuses');
          for (const [index, event] of added.entries()) {
            const seq = before + index + 1;
            if (event.type === 'check-in' || event.type === 'check-out') {
              served = { card: step.do === 'scan' ? step.card : -1, seq, atMs: door.nowMs };
              last = { seq, atMs: door.nowMs };
            }
            if (event.type === 'temperature') {
              if (served === undefined || event.of.seq !== served.seq) throw new Error('a reading of somebody else');
              if (Buffer.compare(event.card, cardOf(served.card)) !== 0) throw new Error('a reading of another card');
              if (door.nowMs - served.atMs > 50_000) throw new Error('a reading out of any window');
            }
            if (event.type === 'undo') {
              if (last === undefined || event.of.seq !== last.seq || door.nowMs - last.atMs > 120_000)
                throw new Error('an undo of something else');
              last = undefined;
              served = undefined;
            }
          }
          if (step.do === 'stranger' || (step.do === 'scan' && added.length === 0 && step.card !== served?.card)) served = undefined;
          if (door.state.cards.size > 3) throw new Error('too many cards held');
          if (door.state.pending !== undefined) throw new Error('left pending');
        }
      }),
      { numRuns: 2_000 },
    );
  },
);
