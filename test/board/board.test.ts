/**
 * The kiosk's board driver against a board: the real serial port of the kiosk, real firmware in a simulated ATmega328P, an MLX90614 that is as
 * strict as its datasheet, lamps and buzzer watched at the pins.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t, { type Test } from 'tap';
import type { Reading } from '../../hardware/thermometer/reading.ts';
import { Answers } from '../../kiosk/answers.ts';
import { parseConfig } from '../../kiosk/config.ts';
import type { Feedback, FeedbackKind } from '../../kiosk/feedback.ts';
import { runBoard } from '../../kiosk/run-board.ts';
import type { CentiCelsius, EpochMillis, MonotonicMillis } from '../../protocol/units.ts';
import { Happenings } from '../support/happenings.ts';
import { LogRecorder } from '../support/log-recorder.ts';
import { suiteSize } from '../support/suite-size.ts';
import { boardFirmware } from './firmware.ts';
import { PINS, PluggedUno } from './plugged-uno.ts';

const { isFull } = suiteSize();
const firmware = boardFirmware();
const FOREHEAD = 3_421 as CentiCelsius;
const ROOM = 2_215 as CentiCelsius;
/** Twice what is known (docs/decisions/0014-boards.md); an instance of the libraries for each plug would be 25 kB. */
const MOST_BYTES_A_PLUG = 8_000;
/** What code that is compiled meanwhile may add in a whole run. */
const NOISE_BYTES = 524_288;

const answer = (kind: FeedbackKind): Feedback => ({
  kind,
  isStoredOffline: false,
  at: { wallMs: 0 as EpochMillis, monotonicMs: 0 as MonotonicMillis },
  seq: undefined,
  keyId: undefined,
});

function setUp(t: Test, parts: Record<string, unknown> = {}) {
  const board = new PluggedUno(firmware, join(t.testdir(), 'board'));
  const config = parseConfig({
    dataDir: '/nowhere',
    trustPath: '/nowhere',
    boards: [
      {
        kind: 'firmata',
        name: 'board',
        path: board.path,
        light: { kind: 'three', pins: { green: PINS.green, yellow: PINS.yellow, red: PINS.red } },
        buzzer: { kind: 'passive', pin: PINS.buzzer },
        button: { pin: PINS.button },
        ...parts,
      },
    ],
  }).boards[0];
  if (config === undefined) throw new Error('no board');
  /** Without the errors themselves, whose stacks would be taken for a leak. */
  const reports = new Happenings<{ readonly device: string; readonly isUp: boolean; readonly code: string }>();
  const readings = new Happenings<Reading>();
  const presses = new Happenings<string>();
  const answers = new Answers();
  const log = new LogRecorder();
  const stop = new AbortController();
  const running = runBoard(
    {
      clock: board.clock,
      log,
      random: () => 0.5,
      answers,
      onButton: (_device, press) => presses.add(press),
      onReading: readings.add,
      onReport: (report) => reports.add({ device: report.device, isUp: report.isUp, code: report.isUp ? 'up' : report.why.code }),
    },
    config,
    stop.signal,
  );
  t.teardown(async () => {
    stop.abort();
    await running;
    await board.end();
  });
  const pause = (ms: number) => board.clock.sleep(ms, new AbortController().signal);
  const lastOf = (device: string, all: readonly { readonly device: string; readonly isUp: boolean }[]) =>
    all.findLast((report) => report.device === device);
  const isUp = (device = 'board') => reports.until((all) => lastOf(device, all)?.isUp === true);
  const isDown = (device = 'board') => reports.until((all) => lastOf(device, all)?.isUp === false);
  /** From when it was first there. */
  const said = (device = 'board') => {
    const states = reports.all.filter((report) => report.device === device).map(({ code }) => code);
    return states.slice(states.indexOf('up'));
  };
  return { board, answers, readings, presses, log, stop, running, pause, isUp, isDown, said };
}

/** Watches a lamp until it has gone out `times` times. @returns how long it was lit each time, of the board's own time. */
function pulsesOf({ uno }: PluggedUno, pin: number, times: number): Promise<number[]> {
  return new Promise((resolve) => {
    const lit: number[] = [];
    let sinceMs = 0;
    const end = uno.watch(pin, (isHigh, atMs) => {
      if (isHigh) sinceMs = atMs;
      else if (lit.push(atMs - sinceMs) === times) {
        end();
        resolve(lit);
      }
    });
  });
}

const thermometer = { thermometer: { model: 'mlx90614', name: 'forehead' } };

t.test('board: each answer is a rhythm at the lamps and at the buzzer', async (t) => {
  const { board, answers, isUp, said } = setUp(t);
  board.plug();
  await isUp();
  t.strictSame(said(), ['up']);

  let edgesAtMs: number[] = [];
  const end = board.uno.watch(PINS.buzzer, (_isHigh, atMs) => edgesAtMs.push(atMs));
  const welcome = pulsesOf(board, PINS.green, 1);
  answers.tell(answer('welcome'));
  const [long = 0] = await welcome;
  t.ok(long > 800, `one long green light: ${long} ms`);
  const apartMs = edgesAtMs.slice(1).map((atMs, index) => atMs - (edgesAtMs[index] ?? 0));
  const medianMs = apartMs.toSorted((a, b) => a - b)[apartMs.length >> 1] ?? 0;
  t.ok(edgesAtMs.length > 50, `${edgesAtMs.length} edges at the buzzer`);
  t.ok(Math.abs(medianMs - 0.51) < 0.03, `every ${medianMs} ms: an Uno's 976 Hz`);

  edgesAtMs = [];
  const note = pulsesOf(board, PINS.green, 2);
  answers.tell(answer('already-in'));
  const twoShort = await note;
  t.ok(
    twoShort.every((ms) => ms < 500),
    'two short lights',
  );
  t.equal(edgesAtMs.length, 0, 'without a sound');
  end();

  const stop = pulsesOf(board, PINS.red, 10);
  answers.tell(answer('refused-full'));
  t.equal((await stop).length, 10, 'ten fast red lights');
  const again = pulsesOf(board, PINS.yellow, 1);
  answers.tell(answer('please-measure-again'));
  await again;
  const replaced = pulsesOf(board, PINS.green, 1);
  answers.tell(answer('welcome'));
  await replaced;
  t.notOk(board.uno.isHigh(PINS.yellow), 'a new answer replaces the one that is playing');
});

t.test('board: a light of one housing pulses its three pins', async (t) => {
  const { board, answers, isUp } = setUp(t, { light: { kind: 'rgb', pins: { red: 9, green: 10, blue: 11 } } });
  board.plug();
  await isUp();
  const green = pulsesOf(board, 10, 1);
  answers.tell(answer('welcome'));
  await green;
  // Yellow is red and half of green: the green pin pulses at 490 Hz.
  const pulses = pulsesOf(board, 10, 20);
  answers.tell(answer('please-measure-again'));
  t.ok(Math.max(...(await pulses)) < 3);
});

t.test('board: the button is counted, held or not, and nothing while it bounces', async (t) => {
  const { board, presses, isUp, pause } = setUp(t);
  board.press(true);
  board.plug();
  await isUp();
  await pause(400);
  t.strictSame(presses.all, [], 'held while the board starts, it is none');
  board.press(false);
  await pause(400);
  for (const isDown of [true, false, true, false, true]) {
    board.press(isDown);
    await pause(3);
  }
  await pause(200);
  board.press(false);
  await presses.until((all) => all.length === 1);
  for (const isDown of [true, false, true, false]) {
    board.press(isDown);
    await pause(200);
  }
  await presses.until((all) => all.length === 2);
  board.press(true);
  await presses.until((all) => all.length === 3);
  board.press(false);
  await pause(1_000);
  t.strictSame(presses.all, ['once', 'twice', 'held']);
});

t.test('board: a strict MLX90614 is read, each forehead once', async (t) => {
  const { board, readings, log, isUp, pause } = setUp(t, thermometer);
  board.plug();
  await isUp('forehead');
  t.strictSame(readings.all, [], 'the room is no forehead');
  for (let count = 1; count <= 3; count++) {
    board.sensor.object = FOREHEAD;
    await readings.until((all) => all.length === count);
    board.sensor.object = ROOM;
    const before = board.sensor.goodReads;
    while (board.sensor.goodReads < before + 10) await pause(20);
  }
  t.match(readings.all, [{ objectRaw: FOREHEAD, ambientRaw: ROOM, device: 'forehead' }, { objectRaw: FOREHEAD }, { objectRaw: FOREHEAD }]);
  t.equal(board.sensor.badReads, 0, 'each read came after a repeated start');
  t.notMatch(log.text, /34[.,]?21/);
});

t.test('board: a sensor whose wire comes off, or whose answers are damaged, is down by itself and comes back', async (t) => {
  const { board, readings, isUp, isDown, said } = setUp(t, thermometer);
  board.plug();
  await isUp('forehead');
  board.sensor.isThere = false;
  await isDown('forehead');
  t.strictSame(said('forehead'), ['up', 'device.absent']);
  board.sensor.isThere = true;
  await isUp('forehead');
  board.sensor.isNoisy = true;
  await isDown('forehead');
  t.equal(said('forehead').at(-1), 'device.timeout');
  board.sensor.isNoisy = false;
  await isUp('forehead');
  t.strictSame(said(), ['up'], 'the board was never down');
  board.sensor.object = FOREHEAD;
  await readings.until((all) => all.length === 1);
});

t.test('board: with a proximity sensor, only somebody who stands near is measured', async (t) => {
  const { board, readings, isUp, pause } = setUp(t, { ...thermometer, proximity: { sensor: 'gp2y0a21', pin: 'A0', nearCentimetres: 25 } });
  board.sensor.object = FOREHEAD;
  board.plug();
  await isUp('forehead');
  const before = board.sensor.goodReads;
  while (board.sensor.goodReads < before + 6) await pause(50);
  t.strictSame(readings.all, [], 'warm, but nobody is near: a lamp, a radiator');
  board.approach(1.3); // 20 cm
  await readings.until((all) => all.length === 1);
  board.approach(0.45); // 75 cm
  await pause(1_500);
  board.approach(1.3);
  await readings.until((all) => all.length === 2);
});

t.test(
  'board: one that hangs is device.timeout, one that is reset device.gone, and each is back within its start and a second',
  async (t) => {
    const { board, readings, isUp, isDown, said } = setUp(t, thermometer);
    board.plug();
    await isUp();
    board.wedge();
    await isDown();
    t.equal(said().at(-1), 'device.timeout');
    board.reset();
    await isUp();

    await isUp('forehead');
    const resetMs = board.clock.monotonic();
    board.reset();
    await isDown();
    t.equal(said().at(-1), 'device.gone');
    await isUp();
    t.comment(`up again ${Math.round(board.clock.monotonic() - resetMs)} ms after its reset`);
    await isUp('forehead');
    board.sensor.object = FOREHEAD;
    await readings.until((all) => all.length === 1);
  },
);

t.test('board: noise between its messages, endless or cut short, changes nothing', async (t) => {
  const { board, answers, presses, readings, isUp, said, pause } = setUp(t, thermometer);
  board.plug();
  await isUp('forehead');
  await pause(400);
  const noises = [
    Buffer.from([0xf0, 0x79, 0xf0, 0x6e, 0x7f, 0x01, 0x01, 0xf7]),
    Buffer.from([0xf0, 0x6a, ...Array.from({ length: 20 }, () => 0), 0xf7]),
    Buffer.concat([Buffer.from([0xf0, 0x77]), Buffer.alloc(20_000, 0x11)]),
    Buffer.alloc(5_000, 0xff),
  ];
  for (const noise of noises) await board.babble(noise);
  board.sensor.object = FOREHEAD;
  await readings.until((all) => all.length === 1);
  board.press(true);
  await presses.until((all) => all.length === 1);
  const lit = pulsesOf(board, PINS.green, 1);
  answers.tell(answer('welcome'));
  await lit;
  t.strictSame(said(), ['up']);
});

t.test('board: when the kiosk stops it is left dark and silent', async (t) => {
  const { board, answers, stop, running, isUp, pause } = setUp(t);
  board.plug();
  await isUp();
  answers.tell(answer('please-see-staff'));
  while (!board.uno.isHigh(PINS.yellow)) await pause(5);
  stop.abort();
  await running;
  await pause(100);
  t.notOk(board.uno.isHigh(PINS.yellow));
  let edges = 0;
  board.uno.watch(PINS.buzzer, () => {
    edges += 1;
  });
  await pause(100);
  t.equal(edges, 0);
});

const collect = (): (() => void) => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
};

t.test('board: pulled out and put back again and again, it works each time within a second and leaves nothing behind', async (t) => {
  const rounds = isFull ? 200 : 100;
  const { board, answers, isUp, isDown, said, pause } = setUp(t, thermometer);
  const gc = collect();
  const heapBytes = async () => {
    // What has not run for some collections, the libraries' start among it, is compiled away: not before it is measured, but by it.
    for (let round = 0; round < 12; round++) {
      gc();
      await pause(5);
    }
    return process.memoryUsage().heapUsed;
  };
  const openFiles = () => readdirSync('/proc/self/fd').length;
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  board.plug();
  await isUp('forehead');
  const backMs: number[] = [];
  let filesBefore = 0;
  let heapBefore = 0;
  for (let round = 0; round < rounds; round++) {
    // What a plug first makes, the libraries' own start, is no leak.
    if (round === Math.floor(rounds / 4)) {
      heapBefore = await heapBytes();
      filesBefore = openFiles();
    }
    if (round % 3 === 0) answers.tell(answer('please-see-staff'));
    if (round % 4 === 0) board.press(true);
    await board.unplug();
    await isDown();
    board.press(false);
    board.plug();
    const pluggedMs = board.clock.monotonic();
    await isUp();
    backMs.push(board.clock.monotonic() - pluggedMs);
    await isUp('forehead');
  }
  const grownBytes = (await heapBytes()) - heapBefore;
  const grownRounds = rounds * 0.75;
  const inOrderMs = backMs.toSorted((a, b) => a - b);
  const [medianMs = 0, mostMs = 0, slowestMs = 0] = [0.5, 0.95, 1].map((part) => inOrderMs[Math.ceil(rounds * part) - 1]);
  const startMs = board.uno.startMs;
  const [median, most, slowest, start] = [medianMs, mostMs, slowestMs, startMs].map(Math.round);
  t.comment(
    `${rounds} plugs: back after ${median} ms (median), ${most} ms (95 of 100), ${slowest} ms (slowest); its own start takes ${start} ms`,
  );
  t.comment(`${Math.round(grownBytes / grownRounds)} bytes of heap a plug, ${timers()} timers at the end`);
  t.ok(openFiles() <= filesBefore + 1, `${openFiles()} open files, ${filesBefore} before`);
  t.ok(grownBytes < NOISE_BYTES + grownRounds * MOST_BYTES_A_PLUG, `${Math.round(grownBytes / grownRounds)} bytes of heap a plug`);
  t.ok(mostMs < startMs + 1_000, 'back within its start and a second');
  t.ok(timers() < 20, `${timers()} timers`);
  t.ok(board.clock.pending < 10, `${board.clock.pending} waits of the driver`);
  t.ok(said().every((state) => state === 'up' || state === 'device.gone' || state === 'device.absent'));
  const lit = pulsesOf(board, PINS.green, 1);
  answers.tell(answer('welcome'));
  await lit;
});
