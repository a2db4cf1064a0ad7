import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { WishSwitch } from '../../kiosk/update/wish-switch.ts';
import { ManualClock } from '../support/manual-clock.ts';

function machine(t: Test) {
  const state = t.testdir({ running: 'b\n', lasting: 'a\n' });
  const clock = new ManualClock();
  return {
    state,
    clock,
    slots: new WishSwitch({ state, wishes: state, clock }),
    wish: () => readFileSync(join(state, 'slot-wish'), 'utf8'),
  };
}

t.test('wish switch: what runs and what lasts is as the machine tells', async (t) => {
  const { slots, state } = machine(t);
  t.equal(slots.running(), 'b');
  t.equal(slots.lasting(), 'a');
  writeFileSync(join(state, 'running'), 'c\n');
  t.throws(() => slots.running(), { code: 'config.invalid' });
});

t.test('wish switch: keeping ends when the machine has kept, and is not asked for twice', async (t) => {
  const { slots, state, clock, wish } = machine(t);
  let isKept = false;
  const keeping = slots.keep().then(() => {
    isKept = true;
  });
  await clock.advance(1_000);
  t.equal(wish(), 'keep\n');
  t.equal(isKept, false);
  writeFileSync(join(state, 'lasting'), 'b\n');
  await clock.advance(200);
  await keeping;
  writeFileSync(join(state, 'slot-wish'), 'none');
  await slots.keep();
  t.equal(wish(), 'none');
});

t.test('wish switch: a machine that does not keep is told of', async (t) => {
  const { slots, clock } = machine(t);
  const failed = t.rejects(slots.keep(), { code: 'store.failed' });
  await clock.advance(31_000);
  await failed;
});

t.test('wish switch: trying and leaving are asked for', async (t) => {
  const { slots, wish } = machine(t);
  await slots.tryOther();
  t.equal(wish(), 'try\n');
  await slots.leave();
  t.equal(wish(), 'leave\n');
});
