/**
 * From what a device sends to scans, for every kind of scanner: reads ahead of its consumer, so that a scan bears the time it came and silence
 * between scans is noticed while the consumer works.
 */
import type { Clock } from '../../protocol/time.ts';
import type { FramedAt } from './gap-framer.ts';
import type { Frame } from './line-framer.ts';
import { type RefusedScan, type Scan, textOf } from './scan.ts';

export interface PumpSettings {
  readonly device: string;
  readonly clock: Clock;
  /** What the scanner is set to put before and after each code; taken off where it is there. */
  readonly prefix?: string | undefined;
  readonly suffix?: string | undefined;
  /** Told of bytes that made no scan; the staff may be told, nothing else is to be done. */
  readonly onRefused?: (why: RefusedScan, lengthBytes: number) => void;
}

/** Makes frames of what comes, and of silence. */
export interface Framer<Chunk> {
  push(chunk: Chunk): void;
  /** The device is gone: gives up what is under way. Nothing is called after this. */
  end(): void;
}

export type OnFrame = (frame: Frame, at: FramedAt) => void;

/** Scans kept for a consumer that is behind. Past it nothing is read, and the device is held up by its link. */
const LONGEST_QUEUE = 64;

/**
 * @param read what the device sends, as its link gives it.
 * @param makeFramer is handed where its frames go.
 * @param signal on abort it returns.
 * @throws what `read` throws, after the scans that came before it.
 */
export async function* pumpScans<Chunk>(
  read: (signal: AbortSignal) => AsyncIterable<Chunk>,
  makeFramer: (onFrame: OnFrame) => Framer<Chunk>,
  { device, prefix = '', suffix = '', onRefused = () => {} }: PumpSettings,
  signal: AbortSignal,
): AsyncGenerator<Scan, void> {
  const queue: Scan[] = [];
  let wake = () => {};
  let makeRoom = () => {};
  let ended: { readonly error: unknown } | undefined;

  const framer = makeFramer((frame, scannedAt) => {
    if (frame.kind === 'refused') return onRefused(frame.why, frame.lengthBytes);
    const text = withoutAffixes(textOf(frame.bytes), prefix, suffix);
    if (text === '') return onRefused('empty', frame.bytes.length);
    queue.push({ text, scannedAt, device });
    wake();
  });

  const stop = new AbortController();
  const end = () => {
    stop.abort();
    makeRoom();
  };
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();

  const pump = async () => {
    for await (const chunk of read(stop.signal)) {
      framer.push(chunk);
      while (queue.length >= LONGEST_QUEUE && !stop.signal.aborted) {
        await new Promise<void>((resolve) => {
          makeRoom = resolve;
        });
      }
    }
  };
  const pumped = pump()
    .then(
      () => {
        ended = { error: undefined };
      },
      (error: unknown) => {
        ended = { error };
      },
    )
    .then(() => {
      framer.end();
      wake();
    });

  try {
    for (;;) {
      const scan = queue.shift();
      makeRoom();
      if (scan !== undefined && !signal.aborted) yield scan;
      else if (ended !== undefined || signal.aborted) break;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    if (!signal.aborted && ended?.error !== undefined) throw ended.error;
  } finally {
    signal.removeEventListener('abort', end);
    end();
    await pumped;
  }
}

/** A scanner that was replaced, or set anew, may send them or not: the code tells whether it is whole. */
function withoutAffixes(text: string, prefix: string, suffix: string): string {
  const body = text.startsWith(prefix) ? text.slice(prefix.length) : text;
  return suffix !== '' && body.endsWith(suffix) ? body.slice(0, -suffix.length) : body;
}
