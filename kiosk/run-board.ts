/** A configured board, supervised: it shows each answer, its button turns the door round, and its thermometer is a device of its own. */
import { FirmataBoard } from '../hardware/board/board.ts';
import { readBoardTemperatures } from '../hardware/board/board-thermometer.ts';
import type { Signal } from '../hardware/board/signal.ts';
import type { Wiring } from '../hardware/board/wiring.ts';
import type { Closable } from '../hardware/byte-link.ts';
import { openSerial } from '../hardware/serial-link.ts';
import { type DeviceReport, HARDWARE_BACKOFF, supervise } from '../hardware/supervise.ts';
import type { Reading } from '../hardware/thermometer/reading.ts';
import { Ending } from '../hardware/until-abort.ts';
import { DeviceError } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { Answers } from './answers.ts';
import { ButtonPresses, type Press } from './board-button.ts';
import { type BoardRest, REST_EVERY_MS, REST_SIGNALS, signalOf } from './board-signals.ts';
import type { KioskConfig } from './config.ts';

export type BoardConfig = KioskConfig['boards'][number];

export interface BoardOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** Every answer of the door. */
  readonly answers: Answers;
  /** How the kiosk is while nobody is answered; it is taken for ready where nobody says. */
  readonly rest?: (() => BoardRest) | undefined;
  /** A board's button was pressed; once only shows the last answer again, which is done by then. */
  readonly onButton: (device: string, press: Press) => void;
  readonly onReading: (reading: Reading) => void;
  readonly onReport: (report: DeviceReport) => void;
}

/**
 * A board that comes back works within its own start and one second. One that starts anew without end, for want of current, is slowed like any
 * device: each open costs memory (hardware/supervise.ts), and at two opens a second for days that would be the whole kiosk's.
 */
export const BOARD_BACKOFF = { ...HARDWARE_BACKOFF, longestWaitMs: 500 };
/** No port is opened for the thermometer: it may be asked again soon, however long it has been away. */
const SENSOR_BACKOFF = { ...HARDWARE_BACKOFF, longestWaitMs: 500, longestUsedWaitMs: 500 };
/** How long the thermometer waits for its board before it is called absent. */
const BOARD_LONGEST_MS = 5_000;

/** Runs it until abort; then it is dark and silent and its port is released. */
export async function runBoard(options: BoardOptions, config: BoardConfig, signal: AbortSignal): Promise<void> {
  const { clock, log, random, answers, onButton, onReport } = options;
  const { name: device, path, baudRate } = config;
  let last: Signal = [];
  let shownMs = Number.NEGATIVE_INFINITY;
  const show = (signal: Signal) => {
    last = signal;
    shownMs = clock.monotonic();
    board.show(signal);
  };
  const presses = new ButtonPresses(clock, (press) => {
    if (press === 'once') show(last);
    onButton(device, press);
  });
  const board = new FirmataBoard({
    device,
    wiring: wiringOf(config),
    clock,
    onPress: () => presses.down(),
    onRelease: () => presses.up(),
  });
  const stopShowing = answers.listen((answer) => show(signalOf(answer)));
  /** No rest breaks in on an answer. */
  const tellRest = async (): Promise<void> => {
    while (!signal.aborted) {
      await clock.sleep(REST_EVERY_MS, signal);
      const rest = REST_SIGNALS[options.rest?.() ?? 'ready'];
      if (!signal.aborted && rest.length > 0 && clock.monotonic() - shownMs >= REST_EVERY_MS) board.show(rest);
    }
  };
  const open = openSerial({ path, baudRate });
  await Promise.all([
    supervise(
      {
        device,
        clock,
        log,
        onReport,
        backoff: { ...BOARD_BACKOFF, random },
        open: (opening) => board.open(open, opening),
        use: (session, ending) => session.run(ending),
      },
      signal,
    ),
    runThermometer(options, board, config, signal),
    tellRest(),
  ]);
  presses.stop();
  stopShowing();
}

async function runThermometer(options: BoardOptions, board: FirmataBoard, config: BoardConfig, signal: AbortSignal): Promise<void> {
  const { clock, log, random, onReading, onReport } = options;
  if (config.thermometer === undefined) return;
  const { name: device } = config.thermometer;
  await supervise<Closable & { readonly boardEnded: AbortSignal }>(
    {
      device,
      clock,
      log,
      onReport,
      backoff: { ...SENSOR_BACKOFF, random },
      isUpOnceOpen: false,
      open: async (opening) => {
        const session = await board.session(BOARD_LONGEST_MS, opening);
        if (session === undefined) throw new DeviceError('device.absent', `${device}: its board ${config.name} is not there`);
        return { boardEnded: session.ended, close: async () => {} };
      },
      use: async ({ boardEnded }, ending, markUp) => {
        const either = new Ending(ending, boardEnded);
        const sensor = { device, clock, isNear: () => board.isNear, sample: (asked: AbortSignal) => board.sample(asked), onAlive: markUp };
        try {
          for await (const reading of readBoardTemperatures(sensor, either.signal)) onReading(reading);
        } finally {
          either.release();
        }
      },
    },
    signal,
  );
}

const wiringOf = ({ light, buzzer, button, proximity, thermometer }: BoardConfig): Wiring => ({
  light,
  buzzer,
  button,
  proximity: proximity === undefined ? undefined : { ...proximity, channel: Number(proximity.pin.slice(1)) },
  thermometer,
});
