/** Tells the page, the terminal, systemd and the gateway how the kiosk does: at once what changed, and the queue every second. */
import { encodeKioskState } from '../protocol/kiosk-state.ts';
import type { Clock } from '../protocol/time.ts';
import type { Feedback } from './feedback.ts';
import { type HealthSnapshot, reportOf } from './health.ts';
import type { Page } from './page.ts';
import type { Language } from './screen/languages.ts';
import { statusWords, steadyWords } from './status-words.ts';
import type { Notifier } from './systemd.ts';
import { printFeedback, type StatusPrinter, type Terminal } from './terminal.ts';

export interface Audience {
  readonly page: Page | undefined;
  readonly printer: StatusPrinter | undefined;
  readonly notifier: Notifier | undefined;
  /** Publishes the retained state. */
  readonly say: (payload: Uint8Array) => void;
}

const LOOK_EVERY_MS = 1_000;
const SAY_EVERY_MS = 60_000;
const NOTIFY_EVERY_MS = 10_000;

/** Until abort. The gateway hears of a change within a second, and of the queue once a minute. */
export async function announce(
  audience: Audience,
  health: () => HealthSnapshot,
  version: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let said = '';
  let saidMs = Number.NEGATIVE_INFINITY;
  let notifiedMs = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    const snapshot = health();
    const nowMs = clock.monotonic();
    show(audience, snapshot);
    audience.page?.beat();
    const words = steadyWords(snapshot);
    if (snapshot.isOnline && (words !== said || nowMs - saidMs >= SAY_EVERY_MS)) {
      audience.say(encodeKioskState(reportOf(snapshot, version)));
      saidMs = nowMs;
    }
    said = words;
    if (nowMs - notifiedMs >= NOTIFY_EVERY_MS) {
      notifiedMs = nowMs;
      // Not waited for: the page and the gateway hear on while systemd is slow.
      audience.notifier?.status(statusWords(snapshot, true)).catch(() => {});
    }
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}

/** What changed is shown at once to whoever stands at the door. */
export function show(audience: Audience, snapshot: HealthSnapshot): void {
  audience.page?.refresh();
  audience.printer?.print(snapshot);
}

/** Prints an answer: where a screen shows it, nobody waits for the terminal. */
export function printAnswer({ page }: Audience, terminal: Terminal | undefined, feedback: Feedback, language: Language): void {
  if (terminal === undefined) return;
  if (page?.isOpen === true) setImmediate(() => printFeedback(terminal, feedback, language));
  else printFeedback(terminal, feedback, language);
}
