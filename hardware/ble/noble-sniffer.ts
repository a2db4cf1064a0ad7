/**
 * Listens to advertisements through noble's HCI layer.
 *
 * Room: one adapter, one attempt. It never recovers by itself: noble keeps its adapter's number for ever, so whatever is wrong is told by
 * `onFault`, and whoever supervises begins anew in a new process.
 * May not: store, send or log what it hears.
 *
 * Noble's upper layers are left out: they keep each address that was ever heard (gap.js `_discoveries`, bindings.js `_addresses`, noble.js
 * `_peripherals`), mix one advertisement's fields into the next, and ask every device for more (active scanning).
 * Source: Bluetooth Core Specification 5.4, Vol 4, Part E, 7.8.10, 7.8.11, 7.8.64, 7.8.65 (scanning), 7.7.65.2, 7.7.65.13 (reports).
 */
import { DeviceError } from '../../protocol/errors.ts';
import type { AdvertisingReport } from './advertisement.ts';
import { chooseAdapter, errorOf, type Hci, newHci } from './noble.ts';

export interface SnifferEvents {
  /** The controller has said that it scans. */
  readonly onUp: () => void;
  readonly onReport: (report: AdvertisingReport) => void;
  /** A packet of the controller could not be read, or a report came in pieces. */
  readonly onRefused: () => void;
  /** Another program has told the controller to stop, or to filter duplicates. */
  readonly onDisturbed: () => void;
  /** Once: nothing will be heard any more. */
  readonly onFault: (error: DeviceError) => void;
}

/** Units of 0.625 ms. Half of the time is left to Wi-Fi, with which small computers share the antenna. */
const SCAN_INTERVAL = 0x00a0;
const SCAN_WINDOW = 0x0050;
const COMMAND_PACKET = 0x01;
const LE_SET_SCAN_PARAMETERS = 0x200b;
const LE_SET_EXTENDED_SCAN_PARAMETERS = 0x2041;
/** Bits 5 and 6 of an extended report's event type: more is to come, or the rest was lost. */
const INCOMPLETE = 0x60;

export interface NobleSniffer {
  /** Ends the scan and starts it anew. */
  rescan(): void;
  /** Looks whether the adapter is still there; to be called each second or so. */
  check(): Promise<void>;
  /** Stops scanning and lets go of the adapter; blocks for up to a second, as the native socket does. */
  stop(): void;
}

/**
 * @param adapter index; the first that serves where `undefined`.
 * @throws DeviceError `device.no_driver`, `device.absent`, `device.failed`.
 */
export async function startNobleSniffer(adapter: number | undefined, events: SnifferEvents): Promise<NobleSniffer> {
  const { index, isOwn, isThere } = await chooseAdapter(adapter);
  const hci = await newHci();
  hci._deviceId = index;
  hci._userChannel = isOwn;
  let isFailed = false;
  const fail = (error: DeviceError) => {
    if (isFailed) return;
    isFailed = true;
    events.onFault(error);
  };
  listenForFaults(hci, fail);
  listenForReports(hci, events);
  const scan = prepareScan(hci, events, fail);
  let isStarted = false;
  hci.on('stateChange', (state) => {
    if (state === 'poweredOn') {
      // Said after every change of the scan parameters.
      if (!isStarted) scan();
      isStarted = true;
    } else {
      fail(stateError(state));
    }
  });
  hci.init();
  return {
    rescan: scan,
    check: async () => {
      if (!(await isThere())) fail(new DeviceError('device.gone', 'Bluetooth: the adapter is switched off or gone'));
    },
    stop: () => {
      if (!isFailed) hci.setScanEnabled(false, false);
      hci.stop();
    },
  };
}

const stateError = (state: string): DeviceError =>
  state === 'poweredOff'
    ? new DeviceError('device.gone', 'Bluetooth: the adapter is switched off or gone')
    : new DeviceError('device.no_driver', 'Bluetooth: the adapter has no Low Energy');

/** Noble passes over errors of binding and writing; each is the end here. */
function listenForFaults(hci: Hci, fail: (error: DeviceError) => void): void {
  const { _socket: socket } = hci;
  socket.on('error', (error) => fail(errorOf(error)));
  for (const bind of ['bindRaw', 'bindUser'] as const) {
    const original = socket[bind].bind(socket);
    const noticing = (device?: number, parameters?: unknown): number => {
      try {
        return original(device, parameters);
      } catch (error) {
        // Before noble calls everything `unsupported`.
        fail(errorOf(error instanceof Error ? error : new Error('bind')));
        throw error;
      }
    };
    // Methods of a native class can not be assigned to.
    Object.defineProperty(socket, bind, { value: noticing });
  }
}

function listenForReports(hci: Hci, { onReport, onRefused, onDisturbed }: SnifferEvents): void {
  const pass = (address: string, addressType: string, rssi: number, bytes: Uint8Array) =>
    onReport({ address: Buffer.from(address.replaceAll(':', ''), 'hex'), isRandomAddress: addressType === 'random', rssi, bytes });
  const read = hci.onSocketData.bind(hci);
  hci.onSocketData = (packet) => {
    try {
      read(packet);
    } catch (error) {
      // Noble reads past the end of a packet that is cut short.
      if (!(error instanceof RangeError) && !(error instanceof TypeError)) throw error;
      onRefused();
    }
  };
  hci.on('leAdvertisingReport', (_status, _type, address, addressType, bytes, rssi) => pass(address, addressType, rssi, bytes));
  hci.on('leExtendedAdvertisingReport', (_status, type, address, addressType, _power, rssi, bytes) => {
    if ((type & INCOMPLETE) === 0) pass(address, addressType, rssi, bytes);
    else onRefused();
  });
  // Only the raw channel shows commands, and only those of others.
  hci.on('leScanEnableSetCmd', (isEnabled, isFiltered) => {
    if (!isEnabled || isFiltered) onDisturbed();
  });
}

/** @returns starts the scan, or starts it anew. */
function prepareScan(hci: Hci, { onUp }: SnifferEvents, fail: (error: DeviceError) => void): () => void {
  /** What was asked and not answered yet, in order. */
  const asked: boolean[] = [];
  const enable = hci.setScanEnabled.bind(hci);
  hci.setScanEnabled = (isEnabled, isFiltered) => {
    asked.push(isEnabled);
    enable(isEnabled, isFiltered);
  };
  hci.setScanParameters = () => hci._socket.write(passiveScanParameters(hci._isExtended));
  hci.on('leScanEnableSet', (status) => {
    // Controllers may refuse to stop what does not run.
    if (asked.shift() !== true) return;
    if (status === 0) onUp();
    else fail(new DeviceError('device.failed', `Bluetooth: the controller refuses to scan, status ${status}`));
  });
  return () => {
    hci.setScanEnabled(false, false);
    hci.setScanParameters();
    hci.setScanEnabled(true, false);
  };
}

/** Noble's own parameters ask every device that is heard for a scan response; these only listen. */
function passiveScanParameters(isExtended: boolean): Buffer {
  const body = isExtended ? Buffer.alloc(8) : Buffer.alloc(7);
  if (isExtended) {
    // own address type, filter policy | LE 1M | passive
    body.writeUInt8(0x01, 2);
    body.writeUInt16LE(SCAN_INTERVAL, 4);
    body.writeUInt16LE(SCAN_WINDOW, 6);
  } else {
    // passive | interval, window | own address type, filter policy
    body.writeUInt16LE(SCAN_INTERVAL, 1);
    body.writeUInt16LE(SCAN_WINDOW, 3);
  }
  const header = Buffer.alloc(4);
  header.writeUInt8(COMMAND_PACKET, 0);
  header.writeUInt16LE(isExtended ? LE_SET_EXTENDED_SCAN_PARAMETERS : LE_SET_SCAN_PARAMETERS, 1);
  header.writeUInt8(body.length, 3);
  return Buffer.concat([header, body]);
}
