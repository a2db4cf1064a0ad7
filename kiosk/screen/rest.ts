/** What the screen shows while nobody is being answered, and what it tells the staff below that. Of the kiosk alone, never of a visitor. */
import type { Direction } from '../check-in-state.ts';
import type { HealthSnapshot } from '../health.ts';
import type { StaffSettings } from '../staff/settings.ts';
import { statusWords } from '../status-words.ts';
import type { Fault } from '../watchdog/faults.ts';
import { WIFI_FAULTS } from '../watchdog/wifi-watch.ts';
import type { Rest, ShownFault } from './words.ts';

/** `ready`: come. `off`: not now. */
export type RestTone = 'ready' | 'off' | 'wait' | 'stop';

export const REST_LOOKS: Readonly<Record<Rest, { readonly tone: RestTone; readonly sign: string }>> = {
  ready: { tone: 'ready', sign: 'scan' },
  'desk-ready': { tone: 'ready', sign: 'scan' },
  starting: { tone: 'off', sign: 'clock' },
  'not-set-up': { tone: 'wait', sign: 'label' },
  'device-missing': { tone: 'wait', sign: 'unplugged' },
  'out-of-order': { tone: 'off', sign: 'wrench' },
  'not-storing': { tone: 'stop', sign: 'store' },
  lost: { tone: 'stop', sign: 'cut' },
  'not-connected': { tone: 'stop', sign: 'cut' },
};

export interface ScreenSources {
  readonly health: () => HealthSnapshot;
  /** `undefined` where there is no door. */
  readonly direction: () => Direction | undefined;
  readonly settings: () => Pick<StaffSettings, 'language' | 'sound' | 'isOutOfOrder'>;
  /** Whether cards can not be scanned without the device of that name. */
  readonly isScanner: (device: string) => boolean;
  readonly isDesk: boolean;
}

/** @returns all that the page is told of the kiosk. */
export function screenState({ health, direction, settings, isScanner, isDesk }: ScreenSources) {
  const now = health();
  const { language, sound, isOutOfOrder } = settings();
  const lacking = now.devices.filter(({ isUp }) => !isUp);
  const scanners = now.devices.filter(({ name }) => isScanner(name));
  const isBlind = scanners.length > 0 && scanners.every(({ isUp }) => !isUp);
  return {
    rest: restOf(now, isOutOfOrder, isBlind, isDesk),
    language,
    sound,
    direction: direction(),
    isOnline: now.isOnline,
    queued: now.queued,
    missing: lacking.map(({ name }) => name).filter((name) => !(isBlind && isScanner(name))),
    /** What staff can do something about. */
    faults: (now.faults ?? []).filter(isShown),
    /** For whoever looks after the kiosk: names of devices, where they are and since when they are missing, and codes. */
    status: statusWords(now, true),
  };
}

/** What is for whoever set the machine up stands in the status line alone. */
const isShown = (fault: Fault): fault is ShownFault => fault !== 'kiosk.stalled' && !WIFI_FAULTS.some((wifi) => wifi === fault);

function restOf({ isAwaitingCode, storeWhy }: HealthSnapshot, isOutOfOrder: boolean, isBlind: boolean, isDesk: boolean): Rest {
  if (isAwaitingCode === true) return 'not-set-up';
  if (storeWhy !== undefined) return 'not-storing';
  if (isOutOfOrder) return 'out-of-order';
  if (isBlind) return 'device-missing';
  return isDesk ? 'desk-ready' : 'ready';
}
