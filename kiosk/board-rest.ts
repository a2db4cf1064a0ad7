/** How a kiosk without a screen says how it is: the screen's own words for it, as a board's. */
import type { Role } from '../protocol/enrol.ts';
import type { Answers } from './answers.ts';
import type { Press } from './board-button.ts';
import type { BoardRest } from './board-signals.ts';
import type { Direction } from './check-in-state.ts';
import type { KioskConfig } from './config.ts';
import type { FrontCommand } from './front.ts';
import type { HealthSnapshot } from './health.ts';
import type { Moment } from './recorder.ts';
import { screenState } from './screen/rest.ts';
import type { SetupDesk } from './setup/setup-desk.ts';
import type { SettingsKeeper } from './staff/settings.ts';

/**
 * @returns the screen's rest; `device-missing` for any device that a person can put back; `fault` for what the screen says below its rest,
 * `offline` for what it says in its strip.
 */
export function boardRest(
  now: HealthSnapshot,
  { thermometers, sniffers, boards }: Pick<KioskConfig, 'thermometers' | 'sniffers' | 'boards'>,
  role: Role,
): BoardRest {
  const others = new Set(
    [...thermometers, ...sniffers, ...boards, ...boards.flatMap(({ thermometer }) => thermometer ?? [])].map(({ name }) => name),
  );
  const { rest, faults } = screenState({
    health: () => now,
    direction: () => undefined,
    settings: () => ({ language: 'en', sound: 'normal', isOutOfOrder: now.settings?.isOutOfOrder ?? false }),
    isScanner: (device) => !others.has(device),
    isDesk: role === 'clinic',
  });
  if (rest !== 'ready' && rest !== 'desk-ready') return rest;
  if (now.devices.some(({ isUp }) => !isUp)) return 'device-missing';
  if (faults.length > 0) return 'fault';
  return !now.isOnline && now.linkWhy !== undefined ? 'offline' : rest;
}

export interface ButtonDesk {
  readonly setup: Pick<SetupDesk, 'isTrying' | 'put'>;
  readonly settings: SettingsKeeper;
  readonly answers: Answers;
  readonly direction: Direction | undefined;
  readonly command: (command: FrontCommand) => void;
}

/** Does what a press says; while devices are tried it says that the board works. */
export function obeyButton({ setup, settings, answers, direction, command }: ButtonDesk, device: string, press: Press, at: Moment): void {
  if (setup.isTrying) setup.put({ kind: 'sight', device });
  else if (press === 'twice') command('undo');
  // As the staff would: in, out, in again.
  else if (press === 'thrice') command(direction === 'in' ? 'door-out' : 'door-in');
  else if (press === 'held') {
    const isOutOfOrder = !settings.now.isOutOfOrder;
    settings.change({ isOutOfOrder });
    answers.tell({ kind: isOutOfOrder ? 'out-of-order' : 'enrolled', isStoredOffline: false, at, seq: undefined, keyId: undefined });
  }
}
