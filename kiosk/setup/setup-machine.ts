/**
 * The rules of set-up, pure: what a person, the gateway or a device says leads to another state and to things to be done. Every step may be cut
 * off anywhere: it is kept before it is begun, begun anew by `resumed`, and doing it twice does what doing it once does.
 */
import type { SetupEffect, SetupInput, SetupMark, SetupNext, SetupState, SetupStep, Trial } from './setup-state.ts';
import { SETUP_STEPS } from './setup-state.ts';

export function next(state: SetupState, input: SetupInput): SetupNext {
  switch (input.kind) {
    case 'enrolling':
      return stay({ ...state, isBusy: state.step === 'enrol', why: undefined });
    case 'not-enrolled':
      return stay(state.step === 'enrol' ? { ...state, isBusy: !input.isFinal, why: input.why } : state);
    case 'not-label':
      return stay(state.step === 'enrol' && !state.isBusy ? { ...state, why: 'code.kind' } : state);
    case 'enrolled':
      return state.step === 'enrol' ? enter(state, 'name') : stay(state);
    case 'resumed':
      return { state: { ...state, isBusy: asks(state), why: undefined }, effects: questions(state) };
    case 'name':
      return state.step === 'name' ? asking({ ...state, name: input.name }, { kind: 'ask-place', name: input.name }) : stay(state);
    case 'placed':
      return placed({ ...state, place: input.place });
    case 'not-placed':
      return notPlaced(state, input.why);
    case 'use':
      return state.step === 'devices' ? asking(state, { kind: 'use', device: input.device, as: input.as }) : stay(state);
    case 'sniffer':
      return state.step === 'devices' ? asking(state, { kind: 'sniffer', isOn: input.isOn }) : stay(state);
    case 'not-used':
      return stay({ ...state, isBusy: false, why: input.why });
    case 'device':
      return stay({ ...state, devices: withDevice(state.devices, input) });
    case 'sight':
    case 'seen':
      return stay({ ...state, devices: tried(state.devices, input.device) });
    case 'next':
      return goOn(state);
    case 'again':
      return state.isBusy ? stay(state) : { state: { ...state, isBusy: asks(state), why: undefined }, effects: questions(state) };
    case 'delivered':
      return delivered(state, input);
    case 'step':
      return state.step === 'enrol' ? stay(state) : enter({ ...state, isAlone: state.step === 'done' || state.isAlone }, input.step);
  }
}

const stay = (state: SetupState): SetupNext => ({ state, effects: [] });
const asking = (state: SetupState, effect: SetupEffect): SetupNext => ({
  state: { ...state, isBusy: true, why: undefined },
  effects: [{ kind: 'keep', mark: markOf(state) }, effect],
});

const markOf = ({ step, name, isAlone }: SetupState): SetupMark => ({ step: isAlone ? 'done' : step, name });

/** Kept before anything of the step is begun. */
function enter(state: SetupState, step: SetupState['step']): SetupNext {
  const entered = { ...state, step, isAlone: state.isAlone && step !== 'done', why: undefined, delivery: undefined };
  const effects: SetupEffect[] = [{ kind: 'keep', mark: markOf(entered) }, ...questions(entered)];
  return { state: { ...entered, isBusy: asks(entered) }, effects };
}

/** What a step asks by itself. */
function questions({ step, name }: SetupState): SetupEffect[] {
  switch (step) {
    case 'name':
      return [{ kind: 'ask-place', name }];
    case 'delivery':
      return [...(name === undefined ? [] : [{ kind: 'ask-place', name } as const]), { kind: 'deliver' }];
    case 'enrol':
    case 'devices':
    case 'done':
      return [];
  }
}

const asks = (state: SetupState): boolean => questions(state).length > 0;

/** An entrance that has a name needs none; a name that was taken is not asked for again. */
function placed(state: SetupState): SetupNext {
  const isNamed = state.place?.entrance !== '';
  if (state.step !== 'name') return isNamed ? keeping({ ...state, name: undefined }) : stay(state);
  if (!isNamed) return stay({ ...state, isBusy: false });
  return enter({ ...state, name: undefined }, after(state));
}

const keeping = (state: SetupState): SetupNext => ({ state, effects: [{ kind: 'keep', mark: markOf(state) }] });

/** A gateway that is not reached holds up nobody: the name is kept, and told at the last step. A name that it refuses is asked for again. */
function notPlaced(state: SetupState, why: SetupState['why']): SetupNext {
  if (state.step !== 'name') return why === 'config.invalid' ? keeping({ ...state, name: undefined, why }) : stay(state);
  if (why === 'config.invalid') return keeping({ ...state, isBusy: false, name: undefined, why });
  return state.name === undefined ? stay({ ...state, isBusy: false, why }) : enter(state, after(state));
}

function goOn(state: SetupState): SetupNext {
  switch (state.step) {
    case 'name':
    case 'devices':
      return enter(state, after(state));
    // Nothing can be left out before there is an identity, and the end is an event that arrived.
    case 'enrol':
    case 'delivery':
    case 'done':
      return stay(state);
  }
}

function delivered(state: SetupState, { delivery }: Extract<SetupInput, { kind: 'delivered' }>): SetupNext {
  if (state.step !== 'delivery') return stay(state);
  const told = { ...state, isBusy: false, delivery };
  if (delivery.outcome !== 'delivered') return stay({ ...told, why: 'why' in delivery ? delivery.why : undefined });
  const done = { ...told, step: 'done', isAlone: false, why: undefined } as const;
  return keeping(done);
}

/** @returns the step behind this one; of a kiosk that does one alone, the end. */
function after({ step, isAlone }: SetupState): SetupStep | 'done' {
  if (isAlone || step === 'done') return 'done';
  return SETUP_STEPS[SETUP_STEPS.indexOf(step) + 1] ?? 'done';
}

function withDevice(devices: readonly Trial[], { device, as, isUp, why }: Extract<SetupInput, { kind: 'device' }>): Trial[] {
  const before = devices.find(({ name }) => name === device);
  const isTried = before?.isTried === true || (as === 'sniffer' && isUp);
  const trial = { name: device, kind: as, isUp, why, isTried };
  return before === undefined ? [...devices, trial] : devices.map((one) => (one === before ? trial : one));
}

const tried = (devices: readonly Trial[], device: string): Trial[] =>
  devices.map((one) => (one.name === device ? { ...one, isTried: true } : one));
