/** Sends, in order and one after another, what a library writes without waiting. */
import { DeviceError } from '../../protocol/errors.ts';
import type { ByteLink } from '../byte-link.ts';

/** A board takes 5 kB a second; what is further behind is not heard in time. */
const MOST_PENDING_BYTES = 4_096;

export class LinkWriter {
  readonly #link: ByteLink;
  readonly #signal: AbortSignal;
  readonly #onFailed: (error: unknown) => void;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #sending: Promise<void> | undefined;
  #hasFailed = false;

  /**
   * @param signal on abort nothing more is sent.
   * @param onFailed told once: what `link.write` threw, or DeviceError `device.failed` when the device takes less than it is sent.
   */
  constructor(link: ByteLink, signal: AbortSignal, onFailed: (error: unknown) => void) {
    this.#link = link;
    this.#signal = signal;
    this.#onFailed = onFailed;
  }

  /** Never throws; after a failure or an abort it drops what it is given. */
  send(bytes: Uint8Array): void {
    if (this.#hasFailed || this.#signal.aborted) return;
    if (this.#pendingBytes + bytes.length > MOST_PENDING_BYTES) {
      this.#fail(new DeviceError('device.failed', `board: has not taken ${this.#pendingBytes} bytes`));
      return;
    }
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    this.#sending ??= this.#sendPending();
  }

  /** Resolves once everything has left, or nothing more will. */
  async sent(): Promise<void> {
    await this.#sending;
  }

  async #sendPending(): Promise<void> {
    try {
      while (this.#pending.length > 0) {
        const bytes = Buffer.concat(this.#pending);
        this.#pending = [];
        this.#pendingBytes = 0;
        await this.#link.write(bytes, this.#signal);
      }
    } catch (error) {
      if (!this.#signal.aborted) this.#fail(error);
    } finally {
      this.#sending = undefined;
    }
  }

  #fail(error: unknown): void {
    this.#hasFailed = true;
    this.#pending = [];
    this.#onFailed(error);
  }
}
