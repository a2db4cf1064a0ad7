/** Opens HID scanners by what they are, each by one user at a time. */
import { DeviceError, ExpectedError } from '../../protocol/errors.ts';
import type { Closable } from '../byte-link.ts';
import { readPosScans } from '../scanner/hid-pos-scanner.ts';
import { type KeyboardScannerSettings, readTypedScans } from '../scanner/keyboard-scanner.ts';
import type { Scan } from '../scanner/scan.ts';
import { HID_PLACES, type HidDevice, type HidPlaces, listHid } from './hid-devices.ts';
import { HidDrivers } from './hid-link.ts';
import { type HidKind, kindOf } from './hid-scanners.ts';
import type { ReportLink } from './report-link.ts';

export interface Wanted {
  readonly kind: 'pos' | 'keyboard';
  readonly isWanted: (device: HidDevice) => boolean;
  /** Taken first where several will do: the one that was there before. */
  readonly port?: string;
  /** Keyboards: whether nobody else may see what is typed (the default). A POS scanner types nothing. */
  readonly isExclusive?: boolean;
}

/** An open scanner of either kind. */
export interface ScannerLink extends Closable {
  /** @param signal on abort it returns. @throws DeviceError as ReportLink's `read` does, after the scans that came before. */
  scans(settings: KeyboardScannerSettings, signal: AbortSignal): AsyncGenerator<Scan, void>;
}

type KnownKind = Exclude<HidKind, { readonly kind: 'other' }>;

export class HidScanners {
  readonly #drivers = new HidDrivers();
  readonly #places: HidPlaces;
  /** Places in use: two readers of one scanner would check a visitor in twice. */
  readonly #taken = new Set<string>();

  constructor(places: HidPlaces = HID_PLACES) {
    this.#places = places;
  }

  /**
   * Opens the first wanted device that nobody here has open.
   * @throws DeviceError `device.absent` when there is none, and what HidDrivers' openers throw.
   */
  async open({ kind, isWanted, port, isExclusive = true }: Wanted, signal: AbortSignal): Promise<ScannerLink> {
    const devices = await listHid(this.#places);
    signal.throwIfAborted();
    const free = devices
      .filter((device) => isWanted(device) && !this.#taken.has(device.place))
      .map((device) => ({ device, is: kindOf(device) }));
    const fitting = free.flatMap(({ device, is }) => (is.kind === kind ? [{ device, is }] : []));
    const found = fitting.find(({ device }) => device.port === port) ?? fitting[0];
    if (found === undefined) throw new DeviceError('device.absent', 'HID scanner: none is plugged in that is wanted');
    const { device, is } = found;
    const settings = kind === 'keyboard' && isExclusive ? device.libusb : device.hidraw;
    if (settings === undefined)
      throw new DeviceError('device.failed', 'HID scanner: can not be taken this way; only a USB keyboard can be exclusive');
    this.#taken.add(device.place);
    try {
      const link = await this.#drivers.opener(settings)(signal);
      await switchMode(link, device, is, signal);
      return new OpenScanner(link, is, () => this.#taken.delete(device.place));
    } catch (error) {
      this.#taken.delete(device.place);
      throw error;
    }
  }
}

class OpenScanner implements ScannerLink {
  readonly #link: ReportLink;
  readonly #is: KnownKind;
  readonly #release: () => void;

  constructor(link: ReportLink, is: KnownKind, release: () => void) {
    this.#link = link;
    this.#is = is;
    this.#release = release;
  }

  scans(settings: KeyboardScannerSettings, signal: AbortSignal): AsyncGenerator<Scan, void> {
    if (this.#is.kind === 'pos') return readPosScans(this.#link, this.#is.layout, settings, signal);
    return readTypedScans(this.#link, this.#is.layout, settings, signal);
  }

  async close(): Promise<void> {
    await this.#link.close();
    this.#release();
  }
}

/** Hand Held Products, Honeywell, who bought it, and Youjie, which is Honeywell's (usb.ids; WebHidBarcodeScanner, src/main.js). */
const HAND_HELD: ReadonlySet<string> = new Set(['0536', '0c2e', '23d0']);
const REDIRECT_OUTPUT = 254;

/**
 * A scanner of theirs that types has a POS interface beside its keyboard, and sends codes there once it is told to by a feature report. The maker
 * advises to send it always and to ignore a refusal.
 * Source: Hand Held Products, USB Interfaces User's Guide (application note of the 3800i), page 1-12, "Redirect Output":
 * https://manualarchiveguide.com/manuals/Hand-Held-Products-3800i-Application-Note-3389522?page=16
 */
async function switchMode(link: ReportLink, { vendorId, interfaceNumber }: HidDevice, is: KnownKind, signal: AbortSignal): Promise<void> {
  if (is.kind !== 'pos' || !HAND_HELD.has(vendorId)) return;
  const isKnown = is.descriptor.fields.some(({ kind, reportId }) => kind === 'feature' && reportId === REDIRECT_OUTPUT);
  if (!isKnown) return;
  try {
    await link.sendFeature(Uint8Array.of(REDIRECT_OUTPUT, interfaceNumber), signal);
  } catch (error) {
    if (error instanceof ExpectedError && error.code === 'device.failed') return;
    await link.close();
    throw error;
  }
}
