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

/**
 * Nothing is read before the first `next`. Handed on as it comes, without the turns of the event loop and the generators between a chunk's
 * arrival and its reader that a stream has: somebody waits.
 * @param signal on abort the terminal is as it was, and the input ends.
 */
export function typedInput(
  signal: AbortSignal,
  stdin: Keyboard = process.stdin,
  interrupt: () => void = () => void process.kill(process.pid, 'SIGINT'),
  clock: Clock = systemClock,
): AsyncIterableIterator<Uint8Array, undefined> {
  const input = new TypedInput(signal, stdin, interrupt, clock);
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => input.next(),
    return: async () => input.leave(),
  };
}

type Next = IteratorResult<Uint8Array, undefined>;
const OVER: Next = { done: true, value: undefined };

class TypedInput {
  readonly #signal: AbortSignal;
  readonly #stdin: Keyboard;
  readonly #interrupt: () => void;
  readonly #clock: Clock;
  readonly #waiting: Uint8Array[] = [];
  #reader: { readonly give: (next: Next) => void; readonly fail: (error: Error) => void } | undefined;
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

  async next(): Promise<Next> {
    if (!this.#isOpen) this.#open();
    const value = this.#waiting.shift();
    if (value !== undefined) return { done: false, value };
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isOver) return OVER;
    this.#stdin.resume();
    return new Promise((give, fail) => {
      this.#reader = { give, fail };
    });
  }

  leave(): typeof OVER {
    this.#over();
    return OVER;
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

  #give(value: Uint8Array): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.give({ done: false, value });
    if (reader === undefined) this.#waiting.push(value);
    if (this.#waiting.length >= MOST_WAITING) this.#stdin.pause();
  }

  /** Destroys the input under its reader, which is no failure of it. */
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
    const reader = this.#reader;
    this.#reader = undefined;
    if (failure === undefined) reader?.give(OVER);
    else reader?.fail(failure);
  }
}

/** A key that is held down comes as several. */
function meaningOf(chunk: Uint8Array, interrupt: () => void, end: () => void): (() => void) | undefined {
  if (chunk.every((byte) => byte === CTRL_C)) return interrupt;
  return chunk.every((byte) => byte === CTRL_D) ? end : undefined;
}
