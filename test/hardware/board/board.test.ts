import t, { type Test } from 'tap';
import { FirmataBoard, LONGEST_SILENCE_MS } from '../../../hardware/board/board.ts';
import { readBoardTemperatures, SAMPLE_EVERY_MS } from '../../../hardware/board/board-thermometer.ts';
import { GREETING_LONGEST_MS } from '../../../hardware/board/greeting.ts';
import type { Wiring } from '../../../hardware/board/wiring.ts';
import type { Reading } from '../../../hardware/thermometer/reading.ts';
import { ExpectedError } from '../../../protocol/errors.ts';
import type { CentiCelsius } from '../../../protocol/units.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import fc from '../../support/properties.ts';
import { FakeBoard, firmwareReport } from './fake-board.ts';

const WIRING: Wiring = {
  light: { kind: 'three', pins: { green: 8, yellow: 12, red: 13 } },
  buzzer: { kind: 'passive', pin: 6 },
  button: { pin: 7 },
  thermometer: { address: 0x5a },
};

function setUp(t: Test, wiring: Wiring = WIRING) {
  const clock = new ManualClock();
  let presses = 0;
  const board = new FirmataBoard({
    device: 'board',
    wiring,
    clock,
    onPress: () => {
      presses += 1;
    },
  });
  const stop = new AbortController();
  const plug = async (link = new FakeBoard()) => {
    const session = await board.open(async () => link, stop.signal);
    const running = session.run(stop.signal);
    running.catch(() => {});
    // johnny-five's interval for a button that is down ends with the session.
    t.teardown(async () => {
      const closing = session.close();
      await clock.advance(1_000);
      await closing;
    });
    await clock.advance(1);
    return { link, session, running };
  };
  return { clock, board, stop, plug, presses: () => presses };
}

/** Port 0, pin 7: down is low. */
const DOWN = Buffer.from([0x90, 0x00, 0x00]);
const UP = Buffer.from([0x90, 0x00, 0x01]);
/** johnny-five waits 7 ms by Node's own timers until contacts have stopped bouncing: a longer one that is set after it fires after it, however busy the machine. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 25));

t.test('board: is greeted, told what its pins are for, and left dark and silent', async (t) => {
  const { plug, stop } = setUp(t);
  const { link, session, running } = await plug();
  for (const message of ['f40801', 'f40c01', 'f40d01', 'f40603', 'f4070b', 'd001', 'f0780000f7', 'e60000']) {
    t.ok(link.told.includes(message), message);
  }
  stop.abort();
  await running;
  await session.close();
  t.ok(link.isClosed);
});

t.test('board: let go, its port stays open until it has heard that it is to be dark, or does not answer', async (t) => {
  const hears = setUp(t);
  const first = await hears.plug();
  hears.board.show([{ light: 'red', isSounding: true, forMs: 10_000 }]);
  hears.stop.abort();
  await first.running;
  first.link.told.length = 0;
  await first.session.close();
  t.equal(first.link.told.at(-1), 'e60000');
  t.equal(first.link.written.subarray(-4).toString('hex'), 'f06d00f7', 'asked last, and answered');
  t.equal(hears.clock.pending, 0);

  const { clock, stop, plug } = setUp(t);
  const { link, session, running } = await plug();
  link.isAnswering = false;
  stop.abort();
  await running;
  const closing = session.close();
  await clock.advance(400);
  t.notOk(link.isClosed);
  await clock.advance(200);
  await closing;
  t.ok(link.isClosed);
});

t.test('board: a signal lights and sounds step by step, and ends in the dark', async (t) => {
  const { clock, board, plug } = setUp(t);
  const { link } = await plug();
  link.told.length = 0;
  board.show([{ light: 'green', isSounding: true, forMs: 100 }, { light: 'green', forMs: 100 }, { forMs: 50 }]);
  await clock.advance(0);
  t.ok(link.told.includes('e60001'), 'pulses of half the time');
  t.match(link.told.at(-2), /^91/);
  await clock.advance(100);
  t.equal(link.told.at(-1), 'e60000');
  link.told.length = 0;
  await clock.advance(1_000);
  t.equal(link.told.filter((message) => message.startsWith('910000')).length > 0, true, 'pins 8, 12 and 13 low');
});

t.test('board: three lamps on pins that pulse light up, at the first plug and at the next', async (t) => {
  const { board, plug } = setUp(t, {
    light: { kind: 'three', pins: { green: 9, yellow: 10, red: 8 } },
    buzzer: { kind: 'active', pin: 11 },
  });
  for (let plugs = 0; plugs < 2; plugs++) {
    const { link, session, running } = await plug();
    t.ok(link.told.includes('f40903'), 'pin 9 pulses');
    t.ok(link.told.includes('f40801'), 'pin 8 can not');
    t.ok(link.told.includes('f40b01'), 'a buzzer that sounds by itself needs no pulses');
    board.show([{ light: 'green', isSounding: true, forMs: 100 }]);
    t.ok(link.told.at(-1)?.startsWith('91') || link.told.some((message) => message === 'e97f01'));
    link.unplug();
    await t.rejects(running, { code: 'device.gone' });
    await session.close();
  }
});

t.test('board: Firmata before 2.5, and 3.0, are device.unsupported', async (t) => {
  for (const version of [
    [2, 4],
    [3, 0],
    [1, 9],
  ] as const) {
    const { plug } = setUp(t);
    const link = new FakeBoard();
    link.version = version;
    await t.rejects(plug(link), { name: 'DeviceError', code: 'device.unsupported', message: /StandardFirmata/ });
    t.ok(link.isClosed);
  }
});

t.test('board: one that stays unsupported is asked anew some seconds later, not at once', async (t) => {
  const { clock, plug } = setUp(t);
  const old = () => {
    const link = new FakeBoard();
    link.version = [2, 3];
    return link;
  };
  await t.rejects(plug(old()), { code: 'device.unsupported' });
  let isOver = false;
  const second = plug(old()).catch(() => {
    isOver = true;
  });
  await clock.advance(4_900);
  t.notOk(isOver);
  await clock.advance(200);
  await second;
  t.ok(isOver);
});

t.test('board: wiring that it can not do is device.unsupported, by pin', async (t) => {
  const cases: readonly (readonly [Wiring, RegExp])[] = [
    [{ buzzer: { kind: 'passive', pin: 7 } }, /pin 7 .* no pwm/],
    [{ button: { pin: 14 } }, /pin 14/],
    [{ button: { pin: 40 } }, /pin 40/],
    [{ button: { pin: 1 } }, /pin 1 /],
    [{ proximity: { sensor: 'gp2y0a21', channel: 9, nearCentimetres: 20, supplyMillivolts: 5_000 } }, /A9/],
  ];
  for (const [wiring, message] of cases) await t.rejects(setUp(t, wiring).plug(), { code: 'device.unsupported', message });
});

t.test('board: one that says nothing is device.timeout, and is asked again and again until then', async (t) => {
  const { clock, plug } = setUp(t);
  const link = new FakeBoard();
  link.isAnswering = false;
  const opening = t.rejects(plug(link), { code: 'device.timeout' });
  await clock.advance(GREETING_LONGEST_MS);
  await opening;
  t.ok(link.written.length >= 4 * 10, 'each half second');
  t.ok(link.isClosed);
  t.equal(clock.pending, 0);
});

t.test('board: one that starts while it is asked, and says everything twice, is greeted once', async (t) => {
  const { clock, board, plug } = setUp(t);
  const link = new FakeBoard();
  link.isAnswering = false;
  const opening = plug(link);
  await clock.advance(2_600);
  link.isAnswering = true;
  link.feed(Buffer.concat([Buffer.from([0xf9, 2, 5]), firmwareReport(2, 5), Buffer.from([0xf9, 2, 5]), firmwareReport(2, 5)]));
  await clock.advance(600);
  await opening;
  t.ok(board.isNear);
});

t.test('board: silent for three seconds it is device.timeout; noise is silence, an answer is not', async (t) => {
  const { clock, plug } = setUp(t);
  const { link, running } = await plug();
  await clock.advance(10 * LONGEST_SILENCE_MS);
  link.isAnswering = false;
  const over = t.rejects(running, { code: 'device.timeout' });
  for (let second = 0; second < 5; second++) {
    link.feed(Buffer.from([0x11, 0xf0, 0x79, 0x12]));
    await clock.advance(1_000);
  }
  await over;
  t.equal(clock.pending, 0);
});

t.test('board: one that starts anew is device.gone, one unplugged too', async (t) => {
  const { plug, clock } = setUp(t);
  const first = await plug();
  const restarted = t.rejects(first.running, { code: 'device.gone', message: /started anew/ });
  first.link.feed(Buffer.concat([Buffer.from([0xf9, 2, 5]), firmwareReport(2, 5)]));
  await restarted;
  await first.session.close();
  const second = await plug();
  const gone = t.rejects(second.running, { code: 'device.gone' });
  second.link.unplug();
  await clock.advance(0);
  await gone;
});

t.test('board: a press is told once, and none that was under way when the board came', async (t) => {
  const { clock, plug, presses } = setUp(t);
  const { link } = await plug();
  link.feed(DOWN);
  await clock.advance(1);
  await settled();
  t.equal(presses(), 0);
  link.feed(UP);
  await clock.advance(1_000);
  await settled();
  link.feed(DOWN);
  await clock.advance(1);
  await settled();
  t.equal(presses(), 1);
  for (const level of [UP, DOWN, UP, DOWN]) link.feed(level);
  await clock.advance(1);
  await settled();
  t.equal(presses(), 1, 'bounces');
});

t.test('board: pulled out while the button is down, nothing of it goes on', async (t) => {
  const { clock, plug, presses } = setUp(t);
  const timersBefore = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  for (let plugs = 0; plugs < 5; plugs++) {
    const { link, session, running } = await plug();
    await clock.advance(500);
    link.feed(DOWN);
    await clock.advance(1);
    await settled();
    link.unplug();
    await t.rejects(running, { code: 'device.gone' });
    await session.close();
    await settled();
  }
  t.equal(presses(), 5);
  t.ok(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length <= timersBefore);
  t.equal(clock.pending, 0);
});

t.test('board: one instance serves every plug of one build, and another build gets its own', async (t) => {
  const { plug } = setUp(t);
  for (let plugs = 0; plugs < 20; plugs++) {
    const { link, session, running } = await plug();
    link.unplug();
    await t.rejects(running, { code: 'device.gone' });
    await session.close();
  }
  const built = (channels: number, isOdd = false) => {
    const board = new FakeBoard();
    if (isOdd) board.capabilities = Buffer.concat([board.capabilities.subarray(0, -4), Buffer.from([0x05, 1, 0x7f, 0xf7])]);
    const mapping = Array.from({ length: 20 }, (_, pin) => (pin >= 20 - channels ? pin - 20 + channels : 127));
    board.mapping = Buffer.from([0xf0, 0x6a, ...mapping, 0xf7]);
    return board;
  };
  const use = async (link: FakeBoard) => {
    const { session, running } = await plug(link);
    t.ok(link.told.includes('f4070b'));
    link.unplug();
    await t.rejects(running, { code: 'device.gone' });
    await session.close();
  };
  for (const channels of [5, 6, 5, 6]) await use(built(channels));
  for (const channels of [4, 3, 2, 1, 0]) await use(built(channels));
  await use(built(6, true));
  await t.rejects(plug(built(5, true)), { code: 'device.unsupported', message: /others at each start/ });
  await use(built(6));
});

t.test('board thermometer: a sample is two words read after a repeated start, a forehead is one reading', async (t) => {
  const { clock, board, plug, stop } = setUp(t);
  const { link } = await plug();
  const readings: Reading[] = [];
  const read = async () => {
    const sensor = { device: 'forehead', clock, isNear: () => board.isNear, sample: (signal: AbortSignal) => board.sample(signal) };
    for await (const reading of readBoardTemperatures(sensor, stop.signal)) readings.push(reading);
  };
  const reading = read();
  await clock.advance(10 * SAMPLE_EVERY_MS);
  t.strictSame(readings, []);
  link.object = 3_421 as CentiCelsius;
  await clock.advance(10 * SAMPLE_EVERY_MS);
  t.match(readings, [{ objectRaw: 3_421, ambientRaw: 3_421, device: 'forehead' }]);
  t.equal(link.stoppedReads, 0);
  stop.abort();
  await clock.advance(SAMPLE_EVERY_MS);
  await reading;
});

t.test('board thermometer: absent it is device.absent, and a board that does not answer is device.timeout', async (t) => {
  const { clock, board, plug, stop } = setUp(t);
  const { link } = await plug();
  link.hasSensor = false;
  await t.rejects(board.sample(stop.signal), { code: 'device.absent' });
  link.isAnswering = false;
  const late = t.rejects(board.sample(stop.signal), { code: 'device.timeout' });
  await clock.advance(1_000);
  await late;
  const aborted = t.rejects(board.sample(stop.signal));
  stop.abort();
  await aborted;
});

t.test('board: nothing of the libraries reaches the process', async (t) => {
  const { plug } = setUp(t);
  const heard = () => ['SIGINT', 'SIGTERM', 'exit', 'uncaughtException'].map((event) => process.listenerCount(event));
  const before = heard();
  const { link, session, running } = await plug();
  t.strictSame(heard(), before);
  link.unplug();
  await t.rejects(running, { code: 'device.gone' });
  await session.close();
  t.strictSame(heard(), before);
});

t.test('board: whatever it sends, the session goes on or ends with a code, and the next one works', async (t) => {
  const SEED = Number(process.env.SEED ?? 20261122);
  const likely = fc.constantFrom(0xf0, 0xf7, 0x79, 0x6c, 0x6a, 0x6e, 0x77, 0x71, 0x7f, 0xe0, 0x90, 0x91, 0xf9, 0x00, 0x5a, 0x07);
  const chunk = fc.array(fc.oneof(likely, fc.integer({ min: 0, max: 255 })), { maxLength: 120 }).map((bytes) => Uint8Array.from(bytes));
  const { clock, plug, presses } = setUp(t);
  await fc.assert(
    fc.asyncProperty(fc.array(chunk, { maxLength: 8 }), async (chunks) => {
      const { link, session, running } = await plug();
      let ended: unknown;
      running.catch((error: unknown) => {
        ended = error;
      });
      for (const bytes of chunks) link.feed(bytes);
      await clock.advance(1);
      if (ended !== undefined && !(ended instanceof ExpectedError)) throw ended;
      link.unplug();
      await clock.advance(1);
      if (!(ended instanceof ExpectedError)) throw new Error('still running, or a bug');
      const closing = session.close();
      await clock.advance(1_000);
      await closing;
    }),
    { seed: SEED, numRuns: 100 },
  );
  await settled();
  const { link } = await plug();
  await clock.advance(1_000);
  const before = presses();
  link.feed(UP);
  await clock.advance(1_000);
  await settled();
  link.feed(DOWN);
  await clock.advance(1);
  await settled();
  t.equal(presses(), before + 1);
  t.equal(clock.pending, 1, 'the next question to the board');
});
