/** What a kiosk is handed by the process that it runs in. */
import type { HidPlaces } from '../hardware/hid/hid-devices.ts';
import type { Typing } from '../hardware/scanner/typing.ts';
import type { KioskId } from '../protocol/ids.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { KioskConfig } from './config.ts';
import type { Feedback } from './feedback.ts';
import type { SetupDesk } from './setup/setup-desk.ts';
import type { NotifySettings } from './systemd.ts';
import type { Terminal } from './terminal.ts';
import type { AskDisk } from './watchdog/disk-watch.ts';

export interface RunKioskOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Where answers are printed. */
  readonly terminal?: Terminal | undefined;
  /** Standard input, for a scanner of that kind. */
  readonly input?: Typing | undefined;
  /** systemd's socket and watchdog, where there are any. */
  readonly notify?: NotifySettings | undefined;
  /** Of this software: 1 to 32 of 0-9, A-Z, a-z, `.`, `+` and `-`. */
  readonly version?: string | undefined;
  /** Told of every answer as it is given. */
  readonly onFeedback?: ((feedback: Feedback) => void) | undefined;
  /** Told once scans are taken. */
  readonly onReady?: ((ready: KioskReady) => void) | undefined;
  /** Whether the operating system has set its clock from outside in this boot; systemd-timesyncd is asked when left out. */
  readonly isClockSynced?: (() => boolean) | undefined;
  /** Asks the disk whether it answers; nobody does when left out. */
  readonly askDisk?: AskDisk;
  /** Where HID devices are looked for; the machine's own places when left out. */
  readonly hidPlaces?: HidPlaces;
  /** Reads the configuration anew, with what set-up has kept. @throws ConfigError. */
  readonly readConfig?: () => KioskConfig;
  /** Told of set-up at the start, for a face of it. */
  readonly onSetup?: (setup: SetupDesk) => void;
  /** Has the machine started anew, from the slot that was chosen; returns at once. Without it the kiosk takes no releases. */
  readonly restartMachine?: () => void;
  /** A step of set-up that is to be done anew. */
  readonly setupStep?: 'name' | 'devices' | 'delivery';
  /** It runs to deliver what waits, and ends: its own start and end are no events, of which the last would always wait. */
  readonly isErrand?: true;
}

export interface KioskReady {
  readonly kiosk: KioskId;
  /** `undefined` when there is no page. */
  readonly pageUrl: string | undefined;
}
