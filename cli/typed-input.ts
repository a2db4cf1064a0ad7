/**
 * Standard input for a scanner that types. A terminal is put into raw mode, so that what is scanned is not written on the screen and into
 * its scrollback; Ctrl-C and Ctrl-D then come as bytes and are given their meaning back here, when a person presses them. A scanner types
 * them, too, for a code that has such bytes in it, and nobody at the door is to stop a kiosk with a code.
 */

import { type Clock, systemClock } from '../protocol/time.ts';

const CTRL_C = 0x03;
const CTRL_D = 0x04;
/** A person's key stands so long alone; a scanner types the next one, its suffix at the latest, sooner. */
const ALONE_MS = 100;

/** Chunks kept for a reader that is busy; more stay in the kernel. */
const MOST_WAITING = 64;

export interface Keyboard {
  readonly isTTY?: boolean;
  on(event: 'data', listener: (chunk: Uint8Array) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'close' | 'end', listener: () => void): unknown;
  pause(): unknown;
  resume(): unknown;
  setRawMode(isRaw: boolean): unknown;
  destroy(): unknown;
}

/** @param signal on abort the terminal is as it was, and the input ends. */
export async function* typedInput(
  signal: AbortSignal,
  stdin: Keyboard = process.stdin,
  interrupt: () => void = () => void process.kill(process.pid, 'SIGINT'),
  clock: Clock = systemClock,
): AsyncGenerator<Uint8Array, void> {
  let hasEnded = false;
  let lastTypedAt = Number.NEGATIVE_INFINITY;
  let pressed: { readonly keys: Uint8Array; readonly cancel: () => void } | undefined;
  const end = () => {
    hasEnded = true;
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.destroy();
  };
  /** @returns what is to be read now: a key that may be a person's is held back until it has stood alone. */
  const typed = (keys: Uint8Array): Uint8Array[] => {
    pressed?.cancel();
    const before = pressed === undefined ? [] : [pressed.keys];
    pressed = undefined;
    const now = clock.monotonic();
    const isAlone = now - lastTypedAt >= ALONE_MS;
    lastTypedAt = now;
    const act = isAlone ? meaningOf(keys, interrupt, end) : undefined;
    if (act === undefined) return [...before, keys];
    const cancel = clock.after(ALONE_MS, () => {
      pressed = undefined;
      act();
    });
    pressed = { keys, cancel };
    return before;
  };
  if (signal.aborted) return end();
  signal.addEventListener('abort', end, { once: true });
  if (stdin.isTTY) stdin.setRawMode(true);
  try {
    for await (const chunk of chunksOf(stdin)) {
      if (stdin.isTTY) yield* typed(chunk);
      else yield chunk;
    }
  } catch (error) {
    // Destroyed under the reader by `end`.
    if (!hasEnded) throw error;
  } finally {
    pressed?.cancel();
    signal.removeEventListener('abort', end);
    if (stdin.isTTY) stdin.setRawMode(false);
  }
}

/** A key that is held down comes as several. */
function meaningOf(chunk: Uint8Array, interrupt: () => void, end: () => void): (() => void) | undefined {
  if (chunk.every((byte) => byte === CTRL_C)) return interrupt;
  return chunk.every((byte) => byte === CTRL_D) ? end : undefined;
}

/** As `for await` over the stream gives them, without its two turns of the event loop between a chunk's arrival and its reader. */
async function* chunksOf(stdin: Keyboard): AsyncGenerator<Uint8Array, void> {
  const waiting: Uint8Array[] = [];
  let isOver = false;
  let failure: Error | undefined;
  let wake = () => {};
  const over = (error?: Error) => {
    isOver = true;
    failure ??= error;
    wake();
  };
  stdin.on('data', (chunk) => {
    waiting.push(chunk);
    if (waiting.length >= MOST_WAITING) stdin.pause();
    wake();
  });
  stdin.on('error', over);
  stdin.on('end', () => over());
  stdin.on('close', () => over());
  for (;;) {
    const chunk = waiting.shift();
    if (chunk !== undefined) yield chunk;
    else if (failure !== undefined) throw failure;
    else if (isOver) return;
    else {
      stdin.resume();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}
