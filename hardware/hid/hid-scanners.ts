/** HID devices that are scanners, as they appear. */
import { codeOf } from '../../protocol/errors.ts';
import type { Log } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import { fingerprintOf } from '../scanner/fingerprints.ts';
import { type PosLayout, posLayoutOf } from '../scanner/hid-pos-codec.ts';
import { bootKeyboardLayout, type KeyboardLayout, keyboardLayoutOf } from '../scanner/keyboard-reports.ts';
import { HID_PLACES, type HidDevice, type HidPlaces, hidNameOf, listHid, presentHid } from './hid-devices.ts';
import { parseReportDescriptor, type ReportDescriptor } from './report-descriptor.ts';

/** What its report descriptor says that an interface is. */
export type HidKind =
  | { readonly kind: 'pos'; readonly layout: PosLayout; readonly descriptor: ReportDescriptor }
  | { readonly kind: 'keyboard'; readonly layout: KeyboardLayout }
  | { readonly kind: 'other' };

/** A device that can not be told, because its descriptor is damaged or of an unheard-of size, is `other`. */
export function kindOf(device: HidDevice): HidKind {
  const descriptor = descriptorOf(device);
  const pos = descriptor && posLayoutOf(descriptor);
  if (descriptor !== undefined && pos !== undefined) return { kind: 'pos', layout: pos, descriptor };
  const keyboard = descriptor !== undefined ? keyboardLayoutOf(descriptor) : device.isBootKeyboard ? bootKeyboardLayout() : undefined;
  return keyboard === undefined ? { kind: 'other' } : { kind: 'keyboard', layout: keyboard };
}

function descriptorOf({ descriptor }: HidDevice): ReportDescriptor | undefined {
  if (descriptor.length === 0) return undefined;
  try {
    return parseReportDescriptor(descriptor);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return { fields: [], applications: [], hasReportIds: false };
  }
}

/**
 * @returns whether a kiosk may take it unasked: every POS scanner, because such a device is nothing else; of keyboards only those whose maker
 * makes scanners of them (fingerprints.ts), never a person's.
 */
export function isScanner(device: HidDevice): boolean {
  const { kind } = kindOf(device);
  if (kind === 'pos') return true;
  return kind === 'keyboard' && fingerprintOf(device) !== undefined;
}

export interface FoundHid {
  /** As it was when it was found. */
  readonly device: HidDevice;
  /** Fit for an event and a log. */
  readonly name: string;
}

export interface HidDiscovery {
  readonly clock: Clock;
  readonly log: Log;
  /** Says which are wanted. */
  readonly isWanted: (device: HidDevice) => boolean;
  readonly places?: HidPlaces;
}

const LOOK_EVERY_MS = 1_000;
/** sysfs shows an interface some milliseconds before its driver has bound. */
const LOOKS_AFTER_CHANGE = 5;
const MOST_DEVICES = 8;

/**
 * Wanted devices, each once, as they appear; at most MOST_DEVICES. One that goes away is not told of: its key stays good for when it comes back.
 * Of several with one key, as many are told as were there at once.
 * @param signal on abort it returns.
 */
export async function* watchHid(
  { clock, log, isWanted, places = HID_PLACES }: HidDiscovery,
  signal: AbortSignal,
): AsyncGenerator<FoundHid, void> {
  const told = new Map<string, number>();
  let toldCount = 0;
  let seen = '';
  let looksLeft = 0;
  while (!signal.aborted && toldCount < MOST_DEVICES) {
    const present = await presentHid(places);
    if (present !== seen) looksLeft = LOOKS_AFTER_CHANGE;
    seen = present;
    if (present !== '' && looksLeft > 0) {
      looksLeft -= 1;
      const counts = new Map<string, number>();
      for (const device of (await listHid(places)).filter(isWanted)) {
        const ordinal = (counts.get(device.key) ?? 0) + 1;
        counts.set(device.key, ordinal);
        if (ordinal <= (told.get(device.key) ?? 0) || toldCount === MOST_DEVICES || signal.aborted) continue;
        told.set(device.key, ordinal);
        toldCount += 1;
        yield { device, name: hidNameOf(device, ordinal) };
      }
    }
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
  if (!signal.aborted) log.warn('devices.too_many', { most: MOST_DEVICES });
}
