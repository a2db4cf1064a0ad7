/**
 * Serial barcode scanner driver.
 *
 * Room: one open link in, scans out. May touch: the link it is handed.
 * May not: open, reopen, retry, store, or log what was scanned.
 */
import type { Clock } from '../../protocol/time.ts';
import type { ByteLink } from '../byte-link.ts';
import { type Framing, GapFramer } from './gap-framer.ts';
import { type RefusedScan, type Scan, textOf } from './scan.ts';

export interface ScannerSettings {
  readonly device: string;
  readonly clock: Clock;
  /** `auto` when left out. */
  readonly framing?: Framing;
  /** Told of bytes that made no scan; the staff may be told, nothing else is to be done. */
  readonly onRefused?: (why: RefusedScan, lengthBytes: number) => void;
}

/** Scans kept for a consumer that is behind. Past it nothing is read, and the device is held up by the kernel. */
const LONGEST_QUEUE = 64;

/**
 * Reads ahead of its consumer, so that a scan bears the time it came and silence between scans is noticed while the consumer works.
 * @param signal on abort it returns.
 * @throws DeviceError what `link.read` throws, after the scans that came before it.
 */
export async function* readScans(
  link: ByteLink,
  { device, clock, framing = 'auto', onRefused = () => {} }: ScannerSettings,
  signal: AbortSignal,
): AsyncGenerator<Scan, void> {
  const queue: Scan[] = [];
  let wake = () => {};
  let makeRoom = () => {};
  let ended: { readonly error: unknown } | undefined;

  const framer = new GapFramer(framing, clock, (frame, scannedAt) => {
    if (frame.kind === 'refused') return onRefused(frame.why, frame.lengthBytes);
    const text = textOf(frame.bytes);
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
    for await (const chunk of link.read(stop.signal)) {
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
