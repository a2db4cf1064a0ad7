/** What a kiosk can find wrong with its own road, and who mends it: one table for screen, terminal, state topic and systemd. */
import type { ErrorCode } from '../../protocol/errors.ts';

export const FAULTS = [
  'kiosk.stalled',
  'store.hung',
  'store.low',
  'link.stuck',
  'device.silent',
  'clock.wrong',
  'wifi.refused',
  'wifi.wrong_key',
  'wifi.not_found',
] as const satisfies readonly ErrorCode[];
export type Fault = (typeof FAULTS)[number];

/** `restart`: the process is no good any more. `itself`: the kiosk has tried something, and goes on trying. `person`: nothing here helps. */
type Mend = 'restart' | 'itself' | 'person';

export const MENDS: Readonly<Record<Fault, Mend>> = {
  // It is over when it is seen; one that lasts is the watchdog's.
  'kiosk.stalled': 'itself',
  'store.hung': 'restart',
  'store.low': 'person',
  // As a rule it is the gateway that can not commit: started anew, the kiosk would be no better off, and forget who is in.
  'link.stuck': 'itself',
  'device.silent': 'itself',
  'clock.wrong': 'person',
  'wifi.refused': 'person',
  'wifi.wrong_key': 'person',
  'wifi.not_found': 'person',
};

/** In the terminal's line, the page's, and `systemctl status`; the screen's own words are in kiosk/screen/languages. */
export const FAULT_WORDS: Readonly<Record<Fault, string>> = {
  'kiosk.stalled': 'was stopped for seconds',
  'store.hung': 'the disk does not answer',
  'store.low': 'the disk is nearly full',
  'link.stuck': 'connected, and nothing is acknowledged',
  'device.silent': 'is the scanner alive? people pass, and nothing is scanned',
  'clock.wrong': 'the clock is wrong',
  'wifi.refused': 'Wi-Fi is not set up',
  'wifi.wrong_key': 'wrong Wi-Fi passphrase',
  'wifi.not_found': 'Wi-Fi network not found',
};

/** Whether a new start of the process may mend one of them: then systemd is not told that all is well. */
export const wantsRestart = (faults: readonly Fault[]): boolean => faults.some((fault) => MENDS[fault] === 'restart');
