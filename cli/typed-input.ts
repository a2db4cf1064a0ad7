/**
 * Standard input for a scanner that types. A terminal is put into raw mode, so that what is scanned is not written on the screen and into
 * its scrollback; Ctrl-C and Ctrl-D then come as bytes and are given their meaning back here, when a person presses them. A scanner types
 * them, too, for a code that has such bytes in it, and nobody at the door is to stop a kiosk with a code.
 */

import type { Typing, TypingListener } from '../hardware/scanner/typing.ts';
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

/**
 * Nothing is read before somebody listens.
 * @param signal on abort the terminal is as it was, and the input ends.
 */
export const typedInput = (
  signal: AbortSignal,
  stdin: Keyboard = process.stdin,
  interrupt: () => void = () => void process.kill(process.pid, 'SIGINT'),
  clock: Clock = systemClock,
): Typing => new TypedInput(signal, stdin, interrupt, clock);

/** The same for a command that reads at its leisure: no chunk is taken before the one before it is done with. */
export async function* typedChunks(typing: Typing): AsyncGenerator<Uint8Array, void> {
  for (;;) {
    const chunk = await new Promise<Uint8Array | undefined>((resolve, reject) => {
      const leave = typing.listen({
        chunk: (bytes) => {
          leave();
          resolve(bytes);
        },
        over: (failure) => (failure === undefined ? resolve(undefined) : reject(failure)),
      });
    });
    if (chunk === undefined) return;
    yield chunk;
  }
}

class TypedInput implements Typing {
  readonly #signal: AbortSignal;
  readonly #stdin: Keyboard;
  readonly #interrupt: () => void;
  readonly #clock: Clock;
  readonly #waiting: Uint8Array[] = [];
  #listener: TypingListener | undefined;
  #isOpen = false;
  #isOver = false;
  #failure: Error | undefined;
  #lastTypedAt = Number.NEGATIVE_INFINITY;
  #pressed: { readonly keys: Uint8Array; readonly cancel: () => void } | undefined;

  constructor(signal: AbortSignal, stdin: Keyboard, interrupt: () => void, clock: Clock) {
    this.#signal = signal;
    this.#stdin = stdin;
    this.#interrupt = interrupt;
    this.#clock = clock;
  }

  listen(listener: TypingListener): () => void {
    // At once: what is asked for next is typed unseen.
    if (!this.#isOpen) this.#open();
    this.#listener = listener;
    queueMicrotask(() => {
      if (this.#listener === listener) this.#begin();
    });
    return () => {
      if (this.#listener === listener) this.#listener = undefined;
    };
  }

  /** Hands on what has waited. */
  #begin(): void {
    while (this.#listener !== undefined && this.#waiting.length > 0) this.#listener.chunk(this.#waiting.shift() ?? new Uint8Array());
    if (this.#isOver) this.#tellOver();
    else this.#stdin.resume();
  }

  #open(): void {
    this.#isOpen = true;
    if (this.#signal.aborted) {
      this.#end();
      return;
    }
    this.#signal.addEventListener('abort', this.#end, { once: true });
    const stdin = this.#stdin;
    if (stdin.isTTY) stdin.setRawMode(true);
    stdin.on('data', (chunk) => {
      if (this.#isOver) return;
      if (stdin.isTTY) this.#type(chunk);
      else this.#give(chunk);
    });
    stdin.on('error', (error) => this.#over(error));
    stdin.on('end', () => this.#over());
    stdin.on('close', () => this.#over());
  }

  /** A key that may be a person's is held back until it has stood alone. */
  #type(keys: Uint8Array): void {
    const held = this.#pressed;
    held?.cancel();
    this.#pressed = undefined;
    if (held !== undefined) this.#give(held.keys);
    const now = this.#clock.monotonic();
    const isAlone = now - this.#lastTypedAt >= ALONE_MS;
    this.#lastTypedAt = now;
    const act = isAlone ? meaningOf(keys, this.#interrupt, this.#end) : undefined;
    if (act === undefined) {
      this.#give(keys);
      return;
    }
    const cancel = this.#clock.after(ALONE_MS, () => {
      this.#pressed = undefined;
      act();
    });
    this.#pressed = { keys, cancel };
  }

  #give(bytes: Uint8Array): void {
    if (this.#listener !== undefined) this.#listener.chunk(bytes);
    else this.#waiting.push(bytes);
    if (this.#waiting.length >= MOST_WAITING) this.#stdin.pause();
  }

  /** Destroys the input under its listener, which is no failure of it. */
  readonly #end = (): void => {
    this.#over();
    this.#stdin.destroy();
  };

  #over(failure?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = failure;
    this.#pressed?.cancel();
    this.#signal.removeEventListener('abort', this.#end);
    if (this.#stdin.isTTY) this.#stdin.setRawMode(false);
    this.#tellOver();
  }

  #tellOver(): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.over(this.#failure);
  }
}

/** A key that is held down comes as several. */
function meaningOf(chunk: Uint8Array, interrupt: () => void, end: () => void): (() => void) | undefined {
  if (chunk.every((byte) => byte === CTRL_C)) return interrupt;
  return chunk.every((byte) => byte === CTRL_D) ? end : undefined;
}
