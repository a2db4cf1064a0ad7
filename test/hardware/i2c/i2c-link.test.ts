import t from 'tap';
import { openI2c } from '../../../hardware/i2c/i2c-link.ts';
import { type Answer, errno, FakeNative } from '../../support/fake-native.ts';

const PATH = '/dev/i2c-1';
const ADDRESS = 0x5a;
const never = new AbortController().signal;
/** I2C_FUNC_SMBUS_READ_WORD_DATA alone, and with I2C_FUNC_SMBUS_PEC. */
const WORDS = 0x0020_0000;
const WORDS_WITH_PEC = 0x0020_0008;

const opened = async (answer: Answer, functions = 0x0eff_0009) => {
  const native = new FakeNative();
  native.functions = functions;
  native.placeSensor(PATH, answer);
  return { native, link: await openI2c(() => native, { path: PATH, address: ADDRESS })(never) };
};

const echo: Answer = (command, answerBytes) => new Uint8Array(answerBytes).fill(command);

t.test('I2C: what the controller can do is told', async (t) => {
  for (const [functions, ability] of [
    [0x0eff_0009, 'transfers'],
    [WORDS_WITH_PEC, 'checked'],
    [WORDS, 'unchecked'],
  ] as const) {
    const { link } = await opened(echo, functions);
    t.equal(link.ability, ability);
    t.equal(await link.readWord(0x07, never), 0x0707);
    await link.close();
  }
  await t.rejects(opened(echo, 0), { code: 'device.failed' });
});

t.test('I2C: transfers begun together are made one after another', async (t) => {
  let underWay = 0;
  let most = 0;
  const { native, link } = await opened(async (command, answerBytes) => {
    underWay += 1;
    most = Math.max(most, underWay);
    await new Promise((resolve) => setImmediate(resolve));
    underWay -= 1;
    return echo(command, answerBytes);
  });
  const answers = await Promise.all([1, 2, 3].map((command) => link.transfer(Uint8Array.of(command), 1, never)));
  t.strictSame(
    answers.map(([byte]) => byte),
    [1, 2, 3],
  );
  t.equal(most, 1);
  await link.close();
  t.equal(native.open, 0);
});

t.test('I2C: what goes wrong on the bus is told by its code, and hinders no later transfer', async (t) => {
  let fails: string | undefined;
  const { link } = await opened((command, answerBytes) => {
    if (fails !== undefined) throw errno(fails);
    return echo(command, answerBytes);
  });
  for (const [code, meaning] of Object.entries({
    ENXIO: 'device.absent',
    EREMOTEIO: 'device.absent',
    ENODEV: 'device.absent',
    ETIMEDOUT: 'device.timeout',
    EBADMSG: 'device.failed',
    EIO: 'device.failed',
    EOPNOTSUPP: 'device.failed',
  })) {
    fails = code;
    await t.rejects(link.transfer(Uint8Array.of(7), 3, never), { code: meaning }, code);
  }
  fails = undefined;
  t.equal((await link.transfer(Uint8Array.of(7), 3, never)).length, 3);
  await link.close();
});

t.test('I2C: an error that is no errno is a bug, and stays one', async (t) => {
  const { link } = await opened(() => {
    throw new TypeError('bug');
  });
  await t.rejects(link.transfer(Uint8Array.of(7), 3, never), TypeError);
  await link.close();
});

t.test('I2C: on abort it rejects at once; closing waits for the transfer, and then the link is closed for good', async (t) => {
  let finish = () => {};
  const { native, link } = await opened(
    (command, answerBytes) =>
      new Promise((resolve) => {
        finish = () => resolve(echo(command, answerBytes));
      }),
  );
  const stop = new AbortController();
  const transfer = link.transfer(Uint8Array.of(7), 3, stop.signal);
  await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  await t.rejects(transfer, { name: 'AbortError' });
  const closing = link.close();
  t.equal(native.open, 1, 'not under a transfer');
  finish();
  await closing;
  await link.close();
  t.equal(native.open, 0);
  await t.rejects(link.transfer(Uint8Array.of(7), 3, never), { code: 'device.gone' });
});

t.test('I2C: what hinders an opening is told by its code', async (t) => {
  const native = new FakeNative();
  const open = openI2c(() => native, { path: PATH, address: ADDRESS });
  await t.rejects(open(never), { code: 'device.absent' });
  native.placeSensor(PATH, echo);
  for (const [errnoName, code] of Object.entries({ EACCES: 'device.denied', EBUSY: 'device.busy', ENOTTY: 'device.failed' })) {
    native.refusals.set(PATH, errnoName);
    await t.rejects(open(never), { code }, errnoName);
  }
  await t.rejects(open(AbortSignal.abort()), { name: 'AbortError' });
  t.equal(native.open, 0);
});
