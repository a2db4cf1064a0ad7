/** A whole kiosk in this process: cards go in as a scanner types them, answers come out. */
import { PassThrough } from 'node:stream';
import { parseConfig } from '../../kiosk/config.ts';
import type { Feedback, FeedbackKind } from '../../kiosk/feedback.ts';
import { type KioskReady, type RunKioskOptions, runKiosk } from '../../kiosk/run-kiosk.ts';
import { silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import { typingOf } from '../support/typing-of.ts';
import { tellIfLong } from '../support/until.ts';

export interface RunningKiosk {
  readonly ready: KioskReady;
  readonly feedback: Feedback[];
  /** What the terminal showed. */
  readonly shown: string[];
  /** Types a line, and waits for the answer to it. */
  scan(text: string): Promise<FeedbackKind | undefined>;
  stop(): Promise<void>;
}

export async function startKiosk(json: Record<string, unknown>, options: Partial<RunKioskOptions> = {}): Promise<RunningKiosk> {
  const input = new PassThrough();
  const feedback: Feedback[] = [];
  const shown: string[] = [];
  let told = () => {};
  const stopping = new AbortController();
  const config = parseConfig({
    scanners: [{ kind: 'standard-input' }],
    page: { isOn: false },
    uplink: { firstBackoffMs: 10, longestBackoffMs: 100, ackTimeoutMs: 2_000 },
    ...json,
  });
  let running: Promise<void> = Promise.resolve();
  const ready = await new Promise<KioskReady>((resolve, reject) => {
    running = runKiosk(
      config,
      {
        clock: systemClock,
        log: silentLog,
        input: typingOf(input),
        terminal: { hasColour: false, write: (text) => shown.push(text) },
        onFeedback: (one) => {
          feedback.push(one);
          told();
        },
        onReady: resolve,
        ...options,
      },
      stopping.signal,
    );
    running.catch(reject);
  });
  return {
    ready,
    feedback,
    shown,
    scan: async (text) => {
      const before = feedback.length;
      const answered = new Promise<void>((resolve) => {
        told = resolve;
      });
      input.write(`${text}\n`);
      await tellIfLong('the answer to a scan', answered);
      return feedback[before]?.kind;
    },
    stop: async () => {
      stopping.abort();
      await tellIfLong('the kiosk to stop', running);
      input.destroy();
    },
  };
}
