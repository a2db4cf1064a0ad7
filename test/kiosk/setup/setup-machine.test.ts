import t from 'tap';
import { next } from '../../../kiosk/setup/setup-machine.ts';
import {
  newSetup,
  PORT_USES,
  SETUP_STEPS,
  type SetupEffect,
  type SetupInput,
  type SetupMark,
  type SetupState,
} from '../../../kiosk/setup/setup-state.ts';
import type { ErrorCode } from '../../../protocol/errors.ts';
import fc from '../../support/properties.ts';

const play = (from: SetupState, ...inputs: readonly SetupInput[]): { state: SetupState; effects: SetupEffect[] } => {
  let state = from;
  const effects: SetupEffect[] = [];
  for (const input of inputs) {
    const step = next(state, input);
    state = step.state;
    effects.push(...step.effects);
  }
  return { state, effects };
};
const at = (step: SetupMark['step'], name?: string) => newSetup({ step, name });
const kinds = (effects: readonly SetupEffect[]) => effects.map(({ kind }) => kind);
const DELIVERED = { kind: 'delivered', delivery: { outcome: 'delivered', tookMs: 120 } } as const;
const unnamed = { kind: 'placed', place: { venue: 'Library', entrance: '' } } as const;
const named = { kind: 'placed', place: { venue: 'Library', entrance: 'Garden gate' } } as const;

t.test('set-up: label, name, devices, delivery, done', async (t) => {
  const { state, effects } = play(
    at('enrol'),
    { kind: 'not-label' },
    { kind: 'enrolling' },
    { kind: 'enrolled' },
    unnamed,
    { kind: 'name', name: 'Garden gate' },
    named,
  );
  t.equal(state.step, 'devices');
  t.strictSame(
    effects.filter(({ kind }) => kind === 'ask-place'),
    [
      { kind: 'ask-place', name: undefined },
      { kind: 'ask-place', name: 'Garden gate' },
    ],
  );
  const tried = play(
    state,
    { kind: 'device', device: 'front', as: 'scanner', isUp: true, why: undefined },
    { kind: 'sight', device: 'front' },
    { kind: 'device', device: 'front', as: 'scanner', isUp: true, why: undefined },
    { kind: 'next' },
  );
  t.match(tried.state, { step: 'delivery', isBusy: true, devices: [{ name: 'front', isTried: true }] });
  t.match(play(tried.state, DELIVERED).state, { step: 'done', isBusy: false });
});

t.test('set-up: an entrance that the operator named is not asked for', async (t) => {
  t.equal(play(at('enrol'), { kind: 'enrolled' }, named).state.step, 'devices');
});

t.test('set-up: a gateway that is not reached holds up no name, and hears it at the last step', async (t) => {
  const { state } = play(
    at('name'),
    { kind: 'not-placed', why: 'link.refused' },
    { kind: 'name', name: 'Gate' },
    { kind: 'not-placed', why: 'link.refused' },
  );
  t.match(state, { step: 'devices', name: 'Gate' });
  const last = play(state, { kind: 'next' });
  t.strictSame(kinds(last.effects), ['keep', 'ask-place', 'deliver']);
  t.equal(play(last.state, named).state.name, undefined, 'told once');
});

t.test('set-up: a name that another entrance has is asked for again', async (t) => {
  const { state, effects } = play(at('name'), { kind: 'name', name: 'Gate' }, { kind: 'not-placed', why: 'config.invalid' });
  t.match(state, { step: 'name', name: undefined, why: 'config.invalid', isBusy: false });
  t.same(effects.at(-1), { kind: 'keep', mark: { step: 'name', name: undefined } });
});

t.test('set-up: an event that does not arrive is no end, and can be sent again', async (t) => {
  const { state } = play(at('delivery'), { kind: 'delivered', delivery: { outcome: 'waiting', why: 'link.refused' } });
  t.match(state, { step: 'delivery', why: 'link.refused', isBusy: false });
  t.equal(play(state, { kind: 'next' }).state.step, 'delivery', 'nor left out');
  t.strictSame(kinds(play(state, { kind: 'again' }).effects), ['deliver']);
});

t.test('set-up: one step of a kiosk that is set up is done alone, and a kill in it leaves the kiosk set up', async (t) => {
  const { state, effects } = play(at('done'), { kind: 'step', step: 'devices' });
  t.same(effects, [{ kind: 'keep', mark: { step: 'done', name: undefined } }]);
  t.equal(play(state, { kind: 'next' }).state.step, 'done');
  t.equal(play(at('enrol'), { kind: 'step', step: 'devices' }).state.step, 'enrol', 'not before it has enrolled');
});

const codes = fc.constantFrom<ErrorCode>('link.refused', 'config.invalid', 'device.gone');
const input: fc.Arbitrary<SetupInput> = fc.oneof(
  fc.constantFrom<SetupInput>(
    { kind: 'not-label' },
    { kind: 'enrolling' },
    { kind: 'enrolled' },
    { kind: 'resumed' },
    { kind: 'next' },
    { kind: 'again' },
    unnamed,
    named,
    DELIVERED,
    { kind: 'name', name: 'Gate' },
    { kind: 'name', name: 'Door' },
    { kind: 'sight', device: 'front' },
    { kind: 'step', step: 'name' },
    { kind: 'step', step: 'devices' },
    { kind: 'step', step: 'delivery' },
  ),
  codes.map((why): SetupInput => ({ kind: 'not-placed', why })),
  codes.map((why): SetupInput => ({ kind: 'not-used', why })),
  fc.tuple(codes, fc.boolean()).map(([why, isFinal]): SetupInput => ({ kind: 'not-enrolled', why, isFinal })),
  fc.constantFrom(...PORT_USES).map((as): SetupInput => ({ kind: 'use', device: 'front', as })),
);

t.test('set-up: killed after any input it goes on where it was, and comes to its end', async (t) => {
  fc.assert(
    fc.property(fc.array(input, { maxLength: 12 }), (inputs) => {
      let state = at('enrol');
      let kept: SetupMark = { step: 'enrol', name: undefined };
      for (const one of inputs) {
        const { state: after, effects } = next(state, one);
        for (const effect of effects) if (effect.kind === 'keep') kept = effect.mark;
        // What is kept is never ahead of what was done, and behind it by nothing but a step done alone.
        if (after.isAlone) t.equal(kept.step, 'done');
        else if (kept.step !== after.step) t.fail(`${one.kind}: kept ${kept.step}, at ${after.step}`);
        if (kept.name !== after.name && after.step !== 'name') t.fail(`${one.kind}: the name ${after.name} is not kept`);
        state = after;
      }
      const again = play(
        newSetup(kept),
        { kind: 'resumed' },
        { kind: 'enrolled' },
        unnamed,
        { kind: 'next' },
        { kind: 'next' },
        named,
        DELIVERED,
      );
      return again.state.step === 'done';
    }),
  );
  t.equal(SETUP_STEPS.length, 4);
});
