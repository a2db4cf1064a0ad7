/** What a kiosk needs of its process: terminal, standard input, systemd's socket. */
import type { Feedback } from '../kiosk/feedback.ts';
import type { KioskReady, RunKioskOptions } from '../kiosk/run-kiosk.ts';
import { askDisk } from '../kiosk/watchdog/disk-watch.ts';
import { systemClock } from '../protocol/time.ts';
import { onBareConsole } from './bare-console.ts';
import { type Level, openLog } from './log.ts';
import { notifySettings } from './service.ts';
import { typedInput } from './typed-input.ts';
import { VERSION } from './version.ts';

export type Output = 'text' | 'json';

/**
 * @param output `text` for staff who look at a terminal; `json` for a program: one object a line on standard output, `{"ready":…}` first,
 * then `{"kind":…,"isStoredOffline":…,"hasNotice":true,"keyId":hex,"seq":…}` for each answer given; `hasNotice` where it shows a notice alone.
 */
export function kioskDoors(output: Output, level: Level, signal: AbortSignal, onReady?: (ready: KioskReady) => void): RunKioskOptions {
  const { NO_COLOR, TERM } = process.env;
  const line = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
  const { isTTY = false, columns = 80 } = process.stdout;
  const isBare = isTTY && TERM === 'linux';
  const forPeople = {
    terminal: {
      write: (text: string) => void process.stdout.write(isBare ? onBareConsole(text, columns) : text),
      hasColour: isTTY && !NO_COLOR,
      isLatin: isBare,
    },
    ...(onReady && { onReady }),
  };
  const forPrograms = {
    onFeedback: ({ kind, isStoredOffline, hasNotice, keyId, seq }: Feedback) =>
      line({ kind, isStoredOffline, hasNotice, keyId: keyId && Buffer.from(keyId).toString('hex'), seq }),
    onReady: (ready: KioskReady) => line({ ready }),
  };
  const notify = notifySettings();
  return {
    clock: systemClock,
    log: openLog(level),
    input: typedInput(signal),
    version: VERSION,
    askDisk,
    // The service starts it anew; a switch that restarts the whole machine has done so before.
    restartMachine: () => void process.kill(process.pid, 'SIGTERM'),
    ...(notify && { notify }),
    ...(output === 'text' ? forPeople : forPrograms),
  };
}
