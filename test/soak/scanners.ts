/** Scanners at the byte door of a kiosk, one of each kind: real terminals of the kernel, and HID devices under node-hid's own JavaScript. */
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { RunKioskOptions } from '../../kiosk/run-kiosk.ts';
import { FakeHidBus, type FakeHidDevice } from '../support/fake-hid.ts';
import { HONEYWELL_FORMAT, posDescriptor, posReports } from '../support/pos-format.ts';
import { PtyDevice } from '../support/pty.ts';
import { bootReport, keysOf } from '../support/typing.ts';
import { typingOf } from '../support/typing-of.ts';

export const KINDS = ['serial', 'hid-pos', 'keyboard', 'standard-input'] as const;
export type ScannerKind = (typeof KINDS)[number];

export interface SoakScanner {
  /** What the kiosk's settings say of it. */
  readonly settings: Record<string, unknown>;
  readonly options: Partial<RunKioskOptions>;
  /** What a code is on this door, in pieces of a size that `random` gives; each is one write or report. */
  readonly pieces: (code: string, random: () => number) => (string | Uint8Array)[];
  /** How many of them, at the end, complete it: with the first of these it is whole. */
  readonly lastPieces: number;
  /** When it resolves the machine has the piece. */
  readonly send: (piece: string | Uint8Array) => Promise<void>;
  /** Whether the plug can be pulled. */
  readonly hasPlug: boolean;
  readonly unplug: () => Promise<void>;
  /** Under the same name, in a socket that `random` chooses where it has several. */
  readonly plug: (random: () => number) => void;
}

/** Part of a code, never all of it, and then the plug. */
export async function breakOff(scanner: SoakScanner, code: string, random: () => number): Promise<void> {
  const pieces = scanner.pieces(code, random);
  const most = pieces.length - scanner.lastPieces;
  for (const piece of pieces.slice(0, Math.floor(random() * (most + 1)))) await scanner.send(piece);
  await scanner.unplug();
}

const CHUNK_BYTES = 64;

/** A stream of bytes in chunks of 1 to 64. */
function chunks(text: string, random: () => number): string[] {
  const cut: string[] = [];
  for (let at = 0; at < text.length; ) {
    const size = 1 + Math.floor(random() * CHUNK_BYTES);
    cut.push(text.slice(at, at + size));
    at += size;
  }
  return cut;
}

export function makeScanner(kind: ScannerKind, dir: string): SoakScanner {
  switch (kind) {
    case 'serial':
      return serialScanner(dir);
    case 'hid-pos':
      return hidScanner(dir, { kind: 'hid-pos' }, { descriptor: posDescriptor(HONEYWELL_FORMAT) }, 1, (code) =>
        posReports(HONEYWELL_FORMAT, code),
      );
    case 'keyboard':
      // Enter goes down, and up.
      return hidScanner(dir, { kind: 'keyboard' }, {}, keysOf('\r').length, (code) => keysOf(`${code}\r`).map(bootReport));
    case 'standard-input':
      return typingScanner();
  }
}

function serialScanner(dir: string): SoakScanner {
  const device = new PtyDevice(join(dir, 'scanner'));
  device.plug();
  return {
    settings: { kind: 'serial', name: 'door', path: device.path, framing: 'line' },
    options: {},
    pieces: (code, random) => chunks(`${code}\r`, random),
    lastPieces: 1,
    send: (piece) => device.send(piece),
    hasPlug: true,
    unplug: () => device.unplug(),
    plug: () => device.plug(),
  };
}

const IDS = { vendorId: 'fffe', productId: '0001' };

function hidScanner(
  dir: string,
  settings: Record<string, unknown>,
  options: { readonly descriptor?: Uint8Array },
  lastPieces: number,
  pieces: (code: string) => Uint8Array[],
): SoakScanner {
  const bus = new FakeHidBus(join(dir, 'bus'));
  const device: FakeHidDevice = bus.plug({ ...IDS, ...options });
  return {
    settings: { name: 'door', ...IDS, ...settings },
    options: { hidPlaces: bus.places },
    pieces,
    lastPieces,
    send: async (piece) => device.send(Buffer.from(piece)),
    hasPlug: true,
    unplug: async () => device.unplug(),
    plug: (random) => device.plug(`1-${1 + Math.floor(random() * 4)}`),
  };
}

function typingScanner(): SoakScanner {
  const input = new PassThrough();
  return {
    settings: { kind: 'standard-input' },
    options: { input: typingOf(input) },
    pieces: (code, random) => chunks(`${code}\n`, random),
    lastPieces: 1,
    send: async (piece) => {
      if (!input.write(piece)) await new Promise<void>((resolve) => input.once('drain', resolve));
    },
    hasPlug: false,
    unplug: async () => {},
    plug: () => {},
  };
}
