/**
 * The radio process: the entry of a child that the kiosk starts (open-radio.ts) to keep noble's native code apart. Does one order, tells
 * what it hears through the pipe on descriptor 3, and ends when the pipe does or when its adapter is lost.
 *
 * May not: store or log anything, on any output; recover (a new process does).
 */
import { Socket } from 'node:net';
import { DecodeError, DeviceError, ExpectedError } from '../../protocol/errors.ts';
import { placeOf } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import { HeardBuffer } from './heard-buffer.ts';
import { type NobleSniffer, startNobleSniffer } from './noble-sniffer.ts';
import { startNobleThermometer } from './noble-thermometer.ts';
import {
  decodeOrder,
  encodeAnswer,
  FrameReader,
  RADIO_FAULTS,
  type RadioAnswer,
  type RadioOrder,
  type ThermometerOrder,
} from './radio-frames.ts';

const PIPE_DESCRIPTOR = 3;
/** Ten answers a second: each costs both processes a wake-up. */
const TELL_EVERY_MS = 100;
const TELLS_PER_CHECK = 10;
/** What a reader that is behind may leave in our memory. */
const MOST_UNREAD_BYTES = 65_536;

interface Radio {
  /** Only a sniffer scans. */
  rescan?(): void;
  stop(): void;
}

const pipe = new Socket({ fd: PIPE_DESCRIPTOR, readable: true, writable: true });
const frames = new FrameReader();
const heard = new HeardBuffer();
const ending = new AbortController();
let radio: Radio | undefined;
let isOrdered = false;

const tell = (answer: RadioAnswer): void => {
  if (!ending.signal.aborted) pipe.write(encodeAnswer(answer));
};

const end = (): void => {
  if (ending.signal.aborted) return;
  ending.abort();
  radio?.stop();
  pipe.end();
};

const fail = (error: unknown): void => {
  const code = error instanceof ExpectedError ? error.code : 'device.failed';
  const bugAt = error instanceof ExpectedError ? undefined : (placeOf(error).at ?? 'unknown:0');
  tell({ type: 'fault', fault: RADIO_FAULTS.find((fault) => fault === code) ?? 'device.failed', bugAt });
  end();
};

async function sniff(adapter: number | undefined): Promise<void> {
  const sniffer: NobleSniffer = await startNobleSniffer(adapter, {
    onUp: () => tell({ type: 'up' }),
    onReport: (report) => heard.add(report),
    onRefused: () => heard.refuse(),
    onDisturbed: () => heard.disturb(),
    onFault: fail,
  });
  take(sniffer);
  for (let tells = 1; !ending.signal.aborted; tells++) {
    await systemClock.sleep(TELL_EVERY_MS, ending.signal);
    const isDue = tells % TELLS_PER_CHECK === 0;
    if (isDue) await sniffer.check();
    // Nothing is said while the reader is behind; what does not fit meanwhile is counted.
    if ((heard.isWorthTelling || isDue) && pipe.writableLength < MOST_UNREAD_BYTES) tell(heard.take());
  }
}

async function measure(order: ThermometerOrder): Promise<void> {
  const thermometer = await startNobleThermometer(order, systemClock, {
    onUp: () => tell({ type: 'up' }),
    onMeasurement: (value) => tell({ type: 'measurement', value }),
    onFault: fail,
  });
  take(thermometer);
  while (!ending.signal.aborted) {
    await systemClock.sleep(TELL_EVERY_MS * TELLS_PER_CHECK, ending.signal);
    await thermometer.check();
    tell(heard.take());
  }
}

/** The pipe may have ended while the radio was started. */
function take(started: Radio): void {
  radio = started;
  if (ending.signal.aborted) started.stop();
}

function obey(order: RadioOrder): void {
  if (order.type === 'rescan') {
    radio?.rescan?.();
    return;
  }
  if (isOrdered) throw new DecodeError('decode.unsupported', 'radio order: a second one');
  isOrdered = true;
  (order.type === 'sniff' ? sniff(order.adapter) : measure(order)).catch(fail);
}

pipe.on('data', (chunk: Buffer) => {
  try {
    for (const frame of frames.push(chunk)) obey(decodeOrder(frame));
  } catch (error) {
    fail(error instanceof DecodeError ? new DeviceError('device.failed', 'radio: an order that can not be read', { cause: error }) : error);
  }
});
pipe.on('end', end);
// Written to after the kiosk has gone.
pipe.on('error', end);
