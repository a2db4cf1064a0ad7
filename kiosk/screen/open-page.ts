/** The page of a kiosk that is set up. */
import type { KioskConfig } from '../config.ts';
import { Page, type PageOptions } from '../page.ts';
import type { SetupDesk } from '../setup/setup-desk.ts';
import { setupRoutes } from '../setup/setup-routes.ts';
import type { Staff } from '../staff/open-staff.ts';

export interface OpenPageOptions extends Pick<PageOptions, 'onScan' | 'onStaff' | 'onBug' | 'health' | 'isDesk'> {
  readonly setup: SetupDesk;
  readonly config: KioskConfig;
  readonly staff: Staff;
}

/** @returns `undefined` where the configuration wants none. */
export function newPage({ config, staff, setup, ...options }: OpenPageOptions): Page | undefined {
  if (!config.page.isOn) return undefined;
  const { thermometers, sniffers, boards } = config;
  const parts = boards.flatMap(({ thermometer }) => thermometer ?? []);
  const others = new Set([...thermometers, ...sniffers, ...boards, ...parts].map(({ name }) => name));
  return new Page({
    ...options,
    port: config.page.port,
    direction: () => staff.front.direction,
    settings: () => staff.settings.now,
    isScanner: (device) => !others.has(device),
    staff: staff.door,
    routes: setupRoutes(
      setup,
      () => staff.settings.now.language,
      () => staff.door.isOpen,
    ),
    isSetupAsked: () => setup.isAsked,
  });
}
