/** What an image sets its kiosk to: one file of settings, which its unit is given. */
import type { Tree } from './tree.ts';

/** Where the image keeps what is its own. */
export const HOME = 'usr/lib/vestibule';
const UNIT = 'etc/systemd/system/vestibule-kiosk.service';

/** @param settings as `parseConfig` of the kiosk takes them. The kiosk's unit must be in the tree. */
export function addKioskSettings(root: Tree, settings: object): void {
  root.addFile(`${HOME}/kiosk.json`, `${JSON.stringify(settings, undefined, 2)}\n`);
  const run = /^ExecStart=(.+)$/m.exec(Buffer.from(root.file(UNIT)).toString())?.[1];
  if (run === undefined) throw new Error('the unit of the kiosk starts nothing');
  root.addFile(`${UNIT}.d/settings.conf`, `[Service]\nExecStart=\nExecStart=${run} --config /${HOME}/kiosk.json\n`);
}
