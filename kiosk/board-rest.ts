/** How a kiosk without a screen says how it is: the screen's own words for it, as a board's. */
import type { Role } from '../protocol/enrol.ts';
import type { Answers } from './answers.ts';
import type { BoardRest } from './board-signals.ts';
import type { KioskConfig } from './config.ts';
import type { HealthSnapshot } from './health.ts';
import type { Moment } from './recorder.ts';
import { screenState } from './screen/rest.ts';
import type { SettingsKeeper } from './staff/settings.ts';

/** @returns the screen's rest; `offline` where the screen would say so in its strip, and `device-missing` for any device that a person can put back. */
export function boardRest(
  now: HealthSnapshot,
  { thermometers, sniffers, boards }: Pick<KioskConfig, 'thermometers' | 'sniffers' | 'boards'>,
  role: Role,
): BoardRest {
  const others = new Set(
    [...thermometers, ...sniffers, ...boards, ...boards.flatMap(({ thermometer }) => thermometer ?? [])].map(({ name }) => name),
  );
  const { rest } = screenState({
    health: () => now,
    direction: () => undefined,
    settings: () => ({ language: 'en', sound: 'normal', isOutOfOrder: now.settings?.isOutOfOrder ?? false }),
    isScanner: (device) => !others.has(device),
    isDesk: role === 'clinic',
  });
  if (rest !== 'ready' && rest !== 'desk-ready') return rest;
  if (now.devices.some(({ isUp }) => !isUp)) return 'device-missing';
  return !now.isOnline && now.linkWhy !== undefined ? 'offline' : rest;
}

/** Takes the kiosk out of use, or back into it, as the staff's menu does; the board says which. */
export function toggleUse(settings: SettingsKeeper, answers: Answers, at: Moment): void {
  const isOutOfOrder = !settings.now.isOutOfOrder;
  settings.change({ isOutOfOrder });
  answers.tell({ kind: isOutOfOrder ? 'out-of-order' : 'enrolled', isStoredOffline: false, at, seq: undefined, keyId: undefined });
}
