/**
 * Waits for one thermometer through noble, and passes on what it indicates.
 *
 * Room: one adapter, one thermometer, one attempt after the other. A thermometer that sleeps is waited for; anything else that goes wrong ends
 * it by `onFault`, and whoever supervises begins anew in a new process. Sends no pairing request of its own.
 * May not: store or log what was measured, or the address.
 */
import { DeviceError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import { type Characteristic, chooseAdapter, type Noble, newNoble, type Peripheral } from './noble.ts';
import type { ThermometerOrder } from './radio-frames.ts';

export interface ThermometerEvents {
  /** The adapter works, and the thermometer is waited for. */
  readonly onUp: () => void;
  /** One indication, as it came. */
  readonly onMeasurement: (value: Uint8Array) => void;
  /** Once: nothing will be measured any more. */
  readonly onFault: (error: DeviceError) => void;
}

/** Assigned numbers, as noble writes them. */
const SERVICE = '1809';
const CHARACTERISTIC = '2a1c';
/** From a connection to an answer of the thermometer that it will indicate. */
const SETUP_LONGEST_MS = 15_000;
/** A thermometer that ends the connection is asleep soon after; nobody measures twice within this. */
const AGAIN_AFTER_MS = 500;

export interface NobleThermometer {
  /** Looks whether the adapter is still there; to be called each second or so. */
  check(): Promise<void>;
  stop(): void;
}

/** @throws DeviceError `device.no_driver`, `device.absent`. */
export async function startNobleThermometer(order: ThermometerOrder, clock: Clock, events: ThermometerEvents): Promise<NobleThermometer> {
  const adapter = await chooseAdapter(order.adapter);
  const noble = await newNoble(adapter);
  const ending = new AbortController();
  const fail = (error: DeviceError) => {
    if (ending.signal.aborted) return;
    ending.abort();
    events.onFault(error);
  };
  // Noble tells of a connection that failed in these words alone when it has not met the peripheral before.
  noble.on('warning', () => fail(new DeviceError('device.failed', 'thermometer: the connection failed')));
  noble.on('stateChange', (state) => {
    if (ending.signal.aborted) return;
    if (state !== 'poweredOn') {
      fail(new DeviceError(state === 'poweredOff' ? 'device.gone' : 'device.failed', 'thermometer: the adapter can not be used'));
      return;
    }
    events.onUp();
    visitUntil(noble, order, clock, events, ending.signal).catch((cause: unknown) =>
      fail(cause instanceof DeviceError ? cause : new DeviceError('device.failed', 'thermometer: it does not answer as one', { cause })),
    );
  });
  return {
    check: async () => {
      if (!(await adapter.isThere())) fail(new DeviceError('device.gone', 'thermometer: the adapter is switched off or gone'));
    },
    stop: () => {
      ending.abort();
      noble.stop();
    },
  };
}

/** One visit after the other. A thermometer answers when it is switched on, for as long as it likes. */
async function visitUntil(
  noble: Noble,
  { address, isRandomAddress }: ThermometerOrder,
  clock: Clock,
  { onMeasurement }: ThermometerEvents,
  signal: AbortSignal,
): Promise<void> {
  const id = Buffer.from(address).toString('hex');
  while (!signal.aborted) {
    const peripheral = await noble.connectAsync(id, { addressType: isRandomAddress ? 'random' : 'public' });
    const left = new Promise<void>((resolve) => {
      peripheral.once('disconnect', () => resolve());
    });
    await within(clock, listen(peripheral, onMeasurement));
    await left;
    await clock.sleep(AGAIN_AFTER_MS, signal);
  }
}

async function listen(peripheral: Peripheral, onMeasurement: (value: Uint8Array) => void): Promise<void> {
  const { characteristics } = await peripheral.discoverSomeServicesAndCharacteristicsAsync([SERVICE], [CHARACTERISTIC]);
  const measurement: Characteristic | undefined = characteristics.find(({ uuid }) => uuid === CHARACTERISTIC);
  if (measurement === undefined) throw new DeviceError('device.failed', 'thermometer: it has no temperature measurement');
  measurement.on('data', (value: Uint8Array) => onMeasurement(new Uint8Array(value)));
  await measurement.subscribeAsync();
}

/** @throws DeviceError `device.timeout`. */
async function within(clock: Clock, work: Promise<void>): Promise<void> {
  let cancel = () => {};
  const late = new Promise<never>((_resolve, reject) => {
    cancel = clock.after(SETUP_LONGEST_MS, () =>
      reject(new DeviceError('device.timeout', `thermometer: not ready after ${SETUP_LONGEST_MS} ms`)),
    );
  });
  try {
    await Promise.race([work, late]);
  } finally {
    cancel();
  }
}
