/** The staff's part of a kiosk, wired: what they chose, their cards in front of the front, their menu behind the page. */
import type { Log } from '../../protocol/log.ts';
import type { KioskConfig } from '../config.ts';
import type { Front } from '../front.ts';
import type { DoorSettings } from '../health.ts';
import { SettingsKeeper } from './settings.ts';
import { StaffDoor, type StaffDoorOptions } from './staff-door.ts';
import { StaffFront, type StaffFrontOptions } from './staff-front.ts';

export interface Staff {
  readonly front: StaffFront;
  readonly settings: SettingsKeeper;
  readonly door: StaffDoor;
}

export interface StaffOptions extends Omit<StaffFrontOptions, 'settings' | 'retentionMs'>, Pick<StaffDoorOptions, 'health' | 'deliver'> {
  readonly config: Pick<KioskConfig, 'dataDir' | 'page' | 'outbox'>;
  readonly log: Log;
  /** Something was chosen: worth telling everybody. */
  readonly onSettings: () => void;
}

export function openStaff(inner: Front, options: StaffOptions): Staff {
  const { dataDir, page, outbox } = options.config;
  const settings = new SettingsKeeper(dataDir, { language: page.language, sound: page.sound }, options.log, options.onSettings);
  const front = new StaffFront(inner, { ...options, settings, retentionMs: outbox.retentionMs });
  return { front, settings, door: new StaffDoor({ ...options, front, settings }) };
}

/** @returns what the kiosk's state tells of it. */
export const settingsOf = ({ front, settings }: Staff): DoorSettings => {
  const { language, sound, isOutOfOrder } = settings.now;
  return { ...(front.direction && { direction: front.direction }), language, sound, isOutOfOrder };
};
