import t from 'tap';
import type { KeyboardLink } from '../../hardware/evdev/keyboards.ts';
import { keyboardOpener, type Via } from '../../kiosk/open-keyboard.ts';
import { DeviceError, type ErrorCode } from '../../protocol/errors.ts';

const never = new AbortController().signal;
type Outcome = 'opens' | ErrorCode;

/** @returns the way that was taken, or the code that was told. */
const tried = async (via: Via, usb: Outcome, evdev: Outcome): Promise<string> => {
  const way = (name: string, outcome: Outcome) => async () => {
    if (outcome !== 'opens') throw new DeviceError(outcome, name);
    return { name } as unknown as KeyboardLink;
  };
  return await keyboardOpener(
    via,
    way('usb', usb),
    way('evdev', evdev),
  )(never).then(
    (link) => (link as unknown as { name: string }).name,
    (error: DeviceError) => `${error.message} ${error.code}`,
  );
};

t.test('keyboard: left to itself it is taken over USB, else as an input device', async (t) => {
  t.equal(await tried('auto', 'opens', 'opens'), 'usb');
  for (const code of ['device.no_driver', 'device.absent', 'device.denied', 'device.failed'] as const)
    t.equal(await tried('auto', code, 'opens'), 'evdev', code);
  t.equal(await tried('auto', 'device.busy', 'opens'), 'usb device.busy', 'another program has it: it is not taken another way');
});

t.test('keyboard: where neither way serves, the error that says more is told', async (t) => {
  t.equal(await tried('auto', 'device.absent', 'device.absent'), 'usb device.absent');
  t.equal(await tried('auto', 'device.denied', 'device.no_driver'), 'usb device.denied');
  t.equal(await tried('auto', 'device.no_driver', 'device.denied'), 'evdev device.denied');
});

t.test('keyboard: what the configuration says is done, and nothing else', async (t) => {
  t.equal(await tried('usb', 'device.denied', 'opens'), 'usb device.denied');
  t.equal(await tried('evdev', 'opens', 'device.no_driver'), 'evdev device.no_driver');
});

t.test('keyboard: a bug, or an abort, on the first way is not hidden by the second', async (t) => {
  const second = async () => ({}) as KeyboardLink;
  const bug = keyboardOpener('auto', () => Promise.reject(new TypeError('bug')), second);
  await t.rejects(bug(never), TypeError);
  const aborted = keyboardOpener('auto', () => Promise.reject(new DeviceError('device.absent', 'usb')), second);
  await t.rejects(aborted(AbortSignal.abort()), { code: 'device.absent' });
});
