/** A byte link in memory: a test feeds it what the device would send and reads what was written to it. */
import type { ByteLink } from '../../hardware/byte-link.ts';
import { DeviceError } from '../../protocol/errors.ts';

export class FakeLink implements ByteLink {
  readonly #chunks: Uint8Array[] = [];
  #written = Buffer.alloc(0);
  #isGone = false;
  #isClosed = false;
  #wake: () => void = () => {};

  /** Lets a chunk arrive. */
  feed(bytes: Uint8Array | string): void {
    this.#chunks.push(Buffer.from(bytes));
    this.#wake();
  }

  /** Pulls the plug: what was fed is still read, then the reader gets `device.gone`. */
  unplug(): void {
    this.#isGone = true;
    this.#wake();
  }

  get written(): Buffer {
    return this.#written;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Chunks fed and not read yet. */
  get unread(): number {
    return this.#chunks.length;
  }

  async *read(signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const wake = () => this.#wake();
    signal.addEventListener('abort', wake);
    try {
      while (!signal.aborted) {
        const chunk = this.#chunks.shift();
        if (chunk !== undefined) yield chunk;
        else if (this.#isGone || this.#isClosed) throw new DeviceError('device.gone', 'fake link: unplugged');
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }

  async write(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#isGone || this.#isClosed) throw new DeviceError('device.gone', 'fake link: unplugged');
    this.#written = Buffer.concat([this.#written, bytes]);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake();
  }
}
