/**
 * A serial device made of a pseudo-terminal: the kiosk opens its path with the real serialport, the test holds the other end.
 * `unplug` hangs the terminal up as the kernel does for a USB device; `plug` brings it back, another terminal under the same stable name,
 * as udev does in /dev/serial/by-id. Needs no root, and no child process: only the openpty(3) of node-pty's binary is used, whose public
 * `spawn` needs a child and whose `open` reads both ends itself.
 */
import { closeSync, rmSync, symlinkSync, write } from 'node:fs';
import { createRequire } from 'node:module';
import { ReadStream } from 'node:tty';
import { promisify } from 'node:util';

interface Opened {
  readonly master: number;
  readonly slave: number;
  /** The slave's path. */
  readonly pty: string;
}

const require = createRequire(import.meta.url);
const openPty: (columns: number, rows: number) => Opened = require('@lydell/node-pty/requireBinary.js').requireBinary('pty.node').open;

const writeDescriptor = promisify(write);
/** Nothing tells that a terminal takes bytes again. */
const aMoment = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

interface Terminal {
  readonly opened: Opened;
  readonly master: ReadStream;
  readonly slave: ReadStream;
}

export class PtyDevice {
  /** The stable name. Dangling, or not there, while unplugged. */
  readonly path: string;
  #terminal: Terminal | undefined;
  #received = Buffer.alloc(0);
  #writing: Promise<unknown> = Promise.resolve();
  #wake: () => void = () => {};
  /** Told of what the kiosk writes, as it comes; nothing is kept then. */
  onReceived: ((bytes: Uint8Array) => void) | undefined;

  /** @param path where the stable link is to be, for example in `t.testdir()`. Starts unplugged. */
  constructor(path: string) {
    this.path = path;
  }

  /** The terminal's own path, another after each plug. */
  get terminalPath(): string {
    return this.#plugged().opened.pty;
  }

  /** What the kiosk has written to the device, since it was made. */
  get received(): Buffer {
    return this.#received;
  }

  /** Plugs in. Throws when it is plugged in already. */
  plug(): void {
    if (this.#terminal !== undefined) throw new Error('pty: plugged in already');
    const opened = openPty(80, 24);
    // Holds the slave open, so that the master does not read an error while the kiosk is away; raw, so that nothing is echoed to the device.
    const slave = new ReadStream(opened.slave);
    slave.setRawMode(true);
    const master = new ReadStream(opened.master);
    master.on('data', (bytes: Buffer) => {
      if (this.onReceived !== undefined) this.onReceived(bytes);
      else this.#received = Buffer.concat([this.#received, bytes]);
      this.#wake();
    });
    master.on('error', () => {});
    slave.on('error', () => {});
    symlinkSync(opened.pty, this.path);
    this.#terminal = { opened, master, slave };
  }

  /** The device takes nothing more: what the kiosk writes stays in the kernel. */
  stopTaking(): void {
    this.#plugged().master.pause();
  }

  /** When it resolves the terminal has hung up and its name is gone. Unplugging twice changes nothing. */
  async unplug(): Promise<void> {
    const terminal = this.#terminal;
    if (terminal === undefined) return;
    this.#terminal = undefined;
    rmSync(this.path, { force: true });
    // A descriptor closed under a write may be another file's by the time it is written.
    await this.#writing;
    await closed(terminal.master);
    await closed(terminal.slave);
    // The stream of the slave reopened it under a descriptor of its own.
    closeSync(terminal.opened.slave);
  }

  /**
   * Resolves when the kernel has taken all bytes: for more than its few kilobytes, not before the kiosk reads. Unplugged in the middle,
   * it stops there.
   */
  async send(bytes: Uint8Array | string): Promise<void> {
    const terminal = this.#plugged();
    let rest = Buffer.from(bytes);
    while (rest.length > 0 && terminal === this.#terminal) {
      const writing = writeDescriptor(terminal.opened.master, rest);
      this.#writing = writing.catch(() => {});
      try {
        rest = rest.subarray((await writing).bytesWritten);
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
        await aMoment();
      }
    }
  }

  /** Resolves when the kiosk has written at least that much. */
  async receivedAtLeast(lengthBytes: number): Promise<Buffer> {
    while (this.#received.length < lengthBytes) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#received;
  }

  #plugged(): Terminal {
    if (this.#terminal === undefined) throw new Error('pty: not plugged in');
    return this.#terminal;
  }
}

const closed = (stream: ReadStream): Promise<void> =>
  new Promise((resolve) => {
    stream.once('close', resolve);
    stream.destroy();
  });
