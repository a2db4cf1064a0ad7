/**
 * Serial ports as byte links. The only importer of serialport.
 *
 * It stands on serialport's binding, not on its stream: the stream reads ahead, keeps a write that came too late for the *next*
 * device, and spins at full load when a read meets the end of a hung-up port (docs/decisions/0006-devices.md).
 */
import { readSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { SerialPort } from 'serialport';
import { DeviceError } from '../protocol/errors.ts';
import type { ByteLink } from './byte-link.ts';
import { untilAbort } from './until-abort.ts';

export interface SerialSettings {
  /** A stable name: an entry of /dev/serial/by-id, or whatever the operator wrote. */
  readonly path: string;
  /** Ignored by most USB devices. */
  readonly baudRate: number;
  readonly dataBits?: 7 | 8;
  readonly parity?: 'none' | 'even' | 'odd';
  readonly stopBits?: 1 | 2;
  /** Sets DTR and RTS after opening; left out, both stay as the driver opens them (raised, on Linux). */
  readonly dtr?: boolean | undefined;
  readonly rts?: boolean | undefined;
}

/** As much of a port as serialport lists. */
export interface SerialPortInfo {
  readonly path: string;
  /** Four hexadecimal digits of a USB device; `undefined` where there is no such device behind the port. */
  readonly vendorId: string | undefined;
  readonly productId: string | undefined;
}

type Port = Awaited<ReturnType<typeof SerialPort.binding.open>>;
type PolledPort = Extract<Port, { poller: unknown }>;

/** Linux keeps at most this much in a line discipline (N_TTY_BUF_SIZE), so that one read can empty it. */
const CHUNK_BYTES = 4096;

const writeDescriptor = promisify(write);

/** A byte link whose speed can be changed while it is open. */
export interface SerialByteLink extends ByteLink {
  /**
   * @param baudRate for what comes and goes from now on. USB devices ignore it.
   * @throws DeviceError `device.gone` when unplugged or closed, `device.failed` for a speed that the port does not have.
   */
  setBaudRate(baudRate: number): Promise<void>;
}

/** @returns an opener of that port, locked against every other program that locks (flock), and emptied of stale input. */
export function openSerial(settings: SerialSettings): (signal: AbortSignal) => Promise<SerialByteLink> {
  return async (signal) => {
    signal.throwIfAborted();
    const port = await openPort(settings);
    const link = new SerialLink(port);
    try {
      signal.throwIfAborted();
      if (settings.dtr !== undefined || settings.rts !== undefined) await raise(port, settings);
    } catch (error) {
      await link.close();
      throw error;
    }
    return link;
  };
}

/**
 * Every serial port the machine knows of.
 * @throws DeviceError `device.failed` where there is no udev to ask (a container, for one).
 */
export async function listSerialPorts(): Promise<readonly SerialPortInfo[]> {
  try {
    const ports = await SerialPort.list();
    return ports.map(({ path, vendorId, productId }) => ({ path, vendorId, productId }));
  } catch (error) {
    throw new DeviceError('device.failed', 'serial ports: could not be listed', { cause: error });
  }
}

async function openPort({ path, baudRate, dataBits = 8, parity = 'none', stopBits = 1 }: SerialSettings): Promise<PolledPort> {
  let port: Port;
  try {
    port = await SerialPort.binding.open({ path, baudRate, dataBits, parity, stopBits, lock: true });
  } catch (error) {
    throw openingError(error);
  }
  if ('poller' in port) return port;
  await port.close();
  throw new DeviceError('device.failed', 'serial port: this platform is not supported');
}

type OpeningCode = 'device.absent' | 'device.denied' | 'device.busy' | 'device.gone' | 'device.failed';

/** The binding tells errors apart only by the C library's words (strerror), which Node does not translate. */
const OPENING: readonly (readonly [RegExp, OpeningCode, string])[] = [
  [/No such (file|device)|Not a directory/, 'device.absent', 'nothing is plugged in under that path'],
  [/Permission denied|Operation not permitted/, 'device.denied', 'this user may not open it'],
  [/busy|Cannot lock port/, 'device.busy', 'another program has it open'],
  [/Input\/output error/, 'device.gone', 'unplugged while it was opened'],
  [/Inappropriate ioctl/, 'device.failed', 'that path is no serial port'],
];

function openingError(cause: unknown): DeviceError {
  const words = cause instanceof Error ? cause.message : '';
  const [, code, meaning] = OPENING.find(([pattern]) => pattern.test(words)) ?? [undefined, 'device.failed' as const, 'not opened'];
  return new DeviceError(code, `serial port: ${meaning}`, { cause });
}

async function raise(port: Port, { dtr = true, rts = true }: SerialSettings): Promise<void> {
  try {
    await port.set({ brk: false, cts: false, dsr: false, dtr, rts });
  } catch (error) {
    throw new DeviceError('device.failed', 'serial port: DTR and RTS were not taken', { cause: error });
  }
}

class SerialLink implements SerialByteLink {
  readonly #port: PolledPort;
  readonly #chunk = Buffer.alloc(CHUNK_BYTES);
  /** A read that an abort left behind; the next reader takes it up, so that no byte is lost. */
  #pending: Promise<Uint8Array> | undefined;
  /** System calls under way. A descriptor must not be closed under them: the number may be another file's by then. */
  readonly #calls = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  constructor(port: PolledPort) {
    this.#port = port;
  }

  async *read(signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    while (!signal.aborted) {
      this.#pending ??= this.#readSome();
      this.#pending.catch(() => {});
      const chunk = await untilAbort(this.#pending, signal);
      if (chunk === undefined) return;
      this.#pending = undefined;
      yield chunk;
    }
  }

  async write(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await untilAbort(this.#send(bytes.slice()), signal);
    signal.throwIfAborted();
  }

  async setBaudRate(baudRate: number): Promise<void> {
    try {
      await this.#call(() => this.#port.update({ baudRate }));
    } catch (error) {
      throw this.#translated(error);
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#release();
    return this.#closed;
  }

  /**
   * One or more bytes. The binding opens ports with O_NONBLOCK: read at once, a scan does not wait for a thread to wake for it. Each read
   * waits for the poller first, so that a device that floods leaves turns of the event loop to the others.
   */
  async #readSome(): Promise<Uint8Array> {
    for (;;) {
      await this.#readable();
      try {
        const bytesRead = readSync(this.#descriptor(), this.#chunk, 0, CHUNK_BYTES, null);
        // A hung-up terminal reads as an end of file, for ever; a live one never does.
        if (bytesRead === 0) throw this.#gone();
        return new Uint8Array(this.#chunk.subarray(0, bytesRead));
      } catch (error) {
        if (!isNotReady(error)) throw this.#translated(error);
      }
    }
  }

  #readable(): Promise<void> {
    if (this.#closed !== undefined) throw new DeviceError('device.gone', 'serial port: closed');
    return new Promise((resolve, reject) => {
      this.#port.poller.once('readable', (error) => {
        if (error === null) resolve();
        else reject(this.#gone(error));
      });
    });
  }

  /**
   * What the kernel does not take at once is refused instead of waited for: the binding's poller, once asked to wait for room, forgets a
   * reader, and later turns without end while bytes lie unread.
   */
  async #send(bytes: Uint8Array): Promise<void> {
    let sentBytes = 0;
    try {
      while (sentBytes < bytes.length) {
        const { bytesWritten } = await this.#call((fd) => writeDescriptor(fd, bytes, sentBytes));
        sentBytes += bytesWritten;
      }
      await this.#call(() => this.#port.drain());
    } catch (error) {
      if (!isNotReady(error)) throw this.#translated(error);
      throw new DeviceError('device.failed', `serial port: took ${sentBytes} of ${bytes.length} bytes`, { cause: error });
    }
  }

  #descriptor(): number {
    const { fd } = this.#port;
    if (this.#closed !== undefined || fd === null) throw new DeviceError('device.gone', 'serial port: closed');
    return fd;
  }

  /** Makes one system call on the open port. */
  async #call<T>(make: (fd: number) => Promise<T>): Promise<T> {
    const call = make(this.#descriptor());
    this.#calls.add(call);
    try {
      return await call;
    } finally {
      this.#calls.delete(call);
    }
  }

  async #release(): Promise<void> {
    // Unsent output would hold a drain for ever, and close(2) for the driver's closing_wait (30 s by default).
    await this.#port.flush().catch(() => {});
    await Promise.allSettled(this.#calls);
    // close(2) releases the descriptor even where it reports an error.
    await this.#port.close().catch(() => {});
  }

  #gone(cause?: unknown): DeviceError {
    return new DeviceError('device.gone', 'serial port: unplugged', { cause });
  }

  #translated(error: unknown): DeviceError {
    if (error instanceof DeviceError) return error;
    return isUnplugged(error) ? this.#gone(error) : new DeviceError('device.failed', 'serial port: failed', { cause: error });
  }
}

const systemCodeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);

const isNotReady = (error: unknown): boolean => ['EAGAIN', 'EWOULDBLOCK', 'EINTR'].includes(String(systemCodeOf(error)));

const isUnplugged = (error: unknown): boolean =>
  ['EIO', 'ENXIO', 'ENODEV', 'EBADF'].includes(String(systemCodeOf(error))) ||
  (error instanceof Error && /Input\/output error|No such device|Canceled|not open/.test(error.message));
