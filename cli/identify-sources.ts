/** Opens what may be a scanner and hands on what it sends, as bytes: for a person who looks at it, with no kiosk. */

import { findPorts } from '../hardware/discover.ts';
import { type HidDevice, listHid } from '../hardware/hid/hid-devices.ts';
import { HidDrivers } from '../hardware/hid/hid-link.ts';
import { isScanner, kindOf } from '../hardware/hid/hid-scanners.ts';
import { fingerprintOf } from '../hardware/scanner/fingerprints.ts';
import { readPosReport } from '../hardware/scanner/hid-pos-codec.ts';
import { KeyboardCodec } from '../hardware/scanner/keyboard-codec.ts';
import { PressedKeys } from '../hardware/scanner/keyboard-reports.ts';
import { listSerialPorts, openSerial } from '../hardware/serial-link.ts';
import { codeOf } from '../protocol/errors.ts';

export interface Listener {
  readonly onOpen: () => void;
  readonly onBytes: (bytes: Uint8Array) => void;
}

/** One thing that may speak. */
export interface Source {
  /** Such as `serial port /dev/ttyACM0`. Tells no serial number. */
  readonly name: string;
  /** Where the speed is the listener's to choose. */
  readonly hasSpeed: boolean;
  /** Whether it can not be opened again. */
  readonly isOnce?: true;
  /** Opens it and gives what it sends until abort. @throws DeviceError as openSerial and HidDrivers' openers do. */
  readonly listen: (listener: Listener, baudRate: number, signal: AbortSignal) => Promise<void>;
}

/** @param path a port or a link to one. */
export const serialSource = (path: string, name = `serial port ${path}`): Source => ({
  name,
  hasSpeed: true,
  listen: async ({ onOpen, onBytes }, baudRate, signal) => {
    const link = await openSerial({ path, baudRate })(signal);
    onOpen();
    try {
      for await (const chunk of link.read(signal)) onBytes(chunk);
    } finally {
      await link.close();
    }
  },
});

/** @returns every USB serial port that may be a scanner, every POS scanner, and of what types only what is known as a scanner. */
export async function findSources(): Promise<readonly Source[]> {
  const ports = await findPorts({ list: listSerialPorts, except: [] }).catch((error: unknown) => {
    if (codeOf(error) === undefined) throw error;
    return [];
  });
  const drivers = new HidDrivers();
  const hid = await listHid();
  return [
    ...ports.map(({ path, name }) => serialSource(path, `serial port ${name}`)),
    ...hid.flatMap((device) => hidSource(device, drivers) ?? []),
  ];
}

/** @returns `undefined` for what is none. */
export function hidSource(device: HidDevice, drivers: HidDrivers): Source | undefined {
  const is = kindOf(device);
  const known = fingerprintOf(device);
  const isScannerThatTypes = is.kind === 'keyboard' && isScanner(device);
  const settings = is.kind === 'pos' ? device.hidraw : isScannerThatTypes ? (device.libusb ?? device.hidraw) : undefined;
  if (settings === undefined || is.kind === 'other') return undefined;
  const what = is.kind === 'pos' ? 'HID POS scanner' : 'scanner that types';
  return {
    name: `${what} ${known?.name ?? `${device.vendorId}:${device.productId}`}${socketOf(device)}`,
    hasSpeed: false,
    listen: async ({ onOpen, onBytes }, _baudRate, signal) => {
      const bytesOf = is.kind === 'pos' ? posBytes(is.layout) : typedBytes(is.layout);
      const link = await drivers.opener(settings)(signal);
      onOpen();
      try {
        for await (const report of link.read(signal)) {
          const bytes = bytesOf(report);
          if (bytes.length > 0) onBytes(bytes);
        }
      } finally {
        await link.close();
      }
    },
  };
}

/** Only a USB socket: what a driver says in its place is an adapter's address, or what the device would have it say. */
const socketOf = ({ port }: HidDevice): string => (/^\d+-[\d.]+$/.test(port) ? ` at ${port}` : '');

type KindOfHid = ReturnType<typeof kindOf>;
type PosLayout = Extract<KindOfHid, { kind: 'pos' }>['layout'];
type KeyboardLayout = Extract<KindOfHid, { kind: 'keyboard' }>['layout'];

/** With the symbology identifier in front, as other scanners send it. */
function posBytes(layout: PosLayout): (report: Uint8Array) => Uint8Array {
  let isContinued = false;
  return (report) => {
    const part = readPosReport(layout, report);
    if (part === undefined || part === 'cut') return new Uint8Array();
    const head = isContinued ? '' : (part.identifier ?? '');
    isContinued = part.isContinued;
    return Buffer.concat([Buffer.from(head, 'latin1'), part.bytes]);
  };
}

function typedBytes(layout: KeyboardLayout): (report: Uint8Array) => Uint8Array {
  const keys = new PressedKeys(layout);
  const codec = new KeyboardCodec();
  return (report) => {
    const pressed = keys.push(report);
    return Buffer.from(pressed === undefined ? '' : codec.pressed(pressed), 'latin1');
  };
}
