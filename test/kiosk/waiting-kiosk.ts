/** A kiosk that may not have enrolled yet, in this process: texts go in as its scanner types them, answers come out. */
import { PassThrough } from 'node:stream';
import { parseConfig } from '../../kiosk/config.ts';
import type { FeedbackKind } from '../../kiosk/feedback.ts';
import { type KioskReady, type RunKioskOptions, runKiosk } from '../../kiosk/run-kiosk.ts';
import { type Log, silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import { typingOf } from '../support/typing-of.ts';
import { until } from '../support/until.ts';

export interface WaitingKiosk {
  /** Resolves once it takes cards; never, when it does not. */
  readonly ready: Promise<KioskReady>;
  /** Resolves when it has ended; rejects with what it died of. */
  readonly ended: Promise<void>;
  readonly said: FeedbackKind[];
  readonly shown: string[];
  type(text: string): void;
  /** Types a line. @returns the answer to it. */
  scan(text: string): Promise<FeedbackKind | undefined>;
  stop(): Promise<void>;
}

export function startWaitingKiosk(dataDir: string, options: Partial<RunKioskOptions> = {}, json: object = {}): WaitingKiosk {
  const input = new PassThrough();
  const said: FeedbackKind[] = [];
  const shown: string[] = [];
  const stopping = new AbortController();
  const config = parseConfig({
    dataDir,
    scanners: [{ kind: 'standard-input' }],
    page: { isOn: false },
    uplink: { firstBackoffMs: 10, longestBackoffMs: 100, ackTimeoutMs: 2_000 },
    ...json,
  });
  const { promise: ready, resolve: onReady } = Promise.withResolvers<KioskReady>();
  const ended = runKiosk(
    config,
    {
      clock: systemClock,
      log: silentLog,
      input: typingOf(input),
      terminal: { hasColour: false, write: (text) => shown.push(text) },
      onFeedback: ({ kind }) => said.push(kind),
      onReady,
      ...options,
    },
    stopping.signal,
  );
  ended.catch(() => {});
  return {
    ready,
    ended,
    said,
    shown,
    type: (text) => void input.write(`${text}\n`),
    async scan(text) {
      const before = said.length;
      input.write(`${text}\n`);
      await until(() => said.length > before);
      return said[before];
    },
    async stop() {
      stopping.abort();
      await ended;
      input.destroy();
    },
  };
}

/** Whoever logs this event at debug stops there: nothing after it is done. @returns the log, and whether the point was come to. */
export function deadlyLog(event: string): { log: Log; hasDied: () => boolean } {
  let hasDied = false;
  const debug = (said: string) => {
    if (said !== event) return;
    hasDied = true;
    throw new Error(`killed at ${event}`);
  };
  return { log: { ...silentLog, debug }, hasDied: () => hasDied };
}
