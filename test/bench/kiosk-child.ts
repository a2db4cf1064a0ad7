/** A whole kiosk in a process of its own, as `vestibule kiosk run` wires it, for kiosk.bench.ts: tells when each answer was given. */
import { fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { raisePriority } from '../../cli/priority.ts';
import { typedInput } from '../../cli/typed-input.ts';
import { parseConfig } from '../../kiosk/config.ts';
import { runKiosk } from '../../kiosk/run-kiosk.ts';
import { silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import { spentReader } from './fsync-library.ts';

export interface KioskChildOptions {
  readonly dataDir: string;
  readonly trustPath: string;
  /** A serial port; standard input when left out. */
  readonly scannerPath?: string;
}

export type ToKioskChild = { readonly kind: 'take-floor' | 'stop' };

export type FromKioskChild =
  | { readonly kind: 'ready'; readonly pageUrl: string; readonly hasPriority: boolean }
  /** Times of CLOCK_MONOTONIC, which all processes share; `readMs`: when the bytes were last read from standard input;
   * `syncedMs`: what the main thread has spent in fsync so far. */
  | { readonly kind: 'answer'; readonly feedback: string; readonly atMs: number; readonly readMs: number | null; readonly syncedMs: number }
  | { readonly kind: 'floor'; readonly tookMs: number; readonly syncedMs: number };

const BLOCK = Buffer.alloc(4_096, 0x5a);
const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

const { dataDir, trustPath, scannerPath } = JSON.parse(process.argv[2] ?? '{}') as KioskChildOptions;
const send = (message: FromKioskChild): void => {
  process.send?.(message);
};
const spentMs = spentReader(process.env.FSYNC_COUNT_FILE ?? '');
const stopping = new AbortController();
const floorFile = openSync(join(dataDir, '..', 'floor.bin'), 'w');

process.on('message', (message: ToKioskChild) => {
  if (message.kind === 'stop') {
    stopping.abort();
    return;
  }
  const startedMs = nowMs();
  writeSync(floorFile, BLOCK, 0, BLOCK.length, 0);
  fdatasyncSync(floorFile);
  send({ kind: 'floor', tookMs: nowMs() - startedMs, syncedMs: spentMs() });
});

let readMs: number | null = null;
process.stdin.on('data', () => {
  readMs = nowMs();
});

const config = parseConfig({
  dataDir,
  trustPath,
  scanners: [
    scannerPath === undefined ? { kind: 'standard-input' } : { kind: 'serial', name: 'scanner', path: scannerPath, framing: 'line' },
  ],
  page: { isOn: true, port: 0 },
});

await runKiosk(
  config,
  {
    clock: systemClock,
    log: silentLog,
    input: typedInput(stopping.signal),
    terminal: {
      hasColour: false,
      write: (text) => {
        process.stdout.write(text);
      },
    },
    isClockSynced: () => true,
    onFeedback: ({ kind }) => send({ kind: 'answer', feedback: kind, atMs: nowMs(), readMs, syncedMs: spentMs() }),
    onReady: ({ pageUrl }) => {
      void raisePriority(process.pid).then((hasPriority) => send({ kind: 'ready', pageUrl: pageUrl ?? '', hasPriority }));
    },
  },
  stopping.signal,
);
process.exit(0);
