/**
 * The first words with a board: which protocol it speaks, which firmware runs, what its pins can do.
 *
 * A board may have been running for days (then it speaks when asked), or be starting because the port was opened (DTR resets an Uno): the
 * boot loader takes up to 1.6 s and StandardFirmata blinks its version for 2.1 s before it hears anything. So it is asked again and again.
 */
import { DeviceError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import type { ByteLink } from '../byte-link.ts';
import { Ending } from '../until-abort.ts';
import { type BoardLayout, decodeLayout, decodeVersion, type FirmataFramer, type Frame, QUERY } from './firmata-frames.ts';

/** Less than supervise waits for an open (OPEN_LONGEST_MS). */
export const GREETING_LONGEST_MS = 8_000;
const ASK_EVERY_MS = 500;
/** The first in which a read without a stop before it (bit 6 of the mode byte) works, and with PULLUP as a mode of its own. */
const LEAST_VERSION = { major: 2, minor: 5 };

export interface Greeting {
  readonly version: Frame;
  readonly firmware: Frame;
  readonly layout: BoardLayout;
  /** What came in the same chunk after the last answer. */
  readonly rest: readonly Frame[];
}

/**
 * @param framer goes on being used for what follows on this link.
 * @throws DeviceError `device.timeout` when it has not answered all in time, `device.unsupported` for a protocol before 2.5 or after 2.x, and
 * what the link throws; DecodeError `decode.malformed` for a board that contradicts itself; the signal's reason on abort.
 */
export async function greet(
  link: ByteLink,
  framer: FirmataFramer,
  { device, clock }: { readonly device: string; readonly clock: Clock },
  signal: AbortSignal,
): Promise<Greeting> {
  const ending = new Ending(signal);
  const cancelLimit = clock.after(GREETING_LONGEST_MS, ending.end);
  const asker = new Asker(link, clock, ending);
  const heard: { version?: Frame; firmware?: Frame; capabilities?: Frame } = {};
  try {
    asker.ask(QUERY.version, QUERY.firmware);
    for await (const chunk of link.read(ending.signal)) {
      const frames = framer.push(chunk).filter((found) => 'kind' in found);
      for (const [index, frame] of frames.entries()) {
        if (frame.kind === 'version') {
          checkVersion(device, frame);
          heard.version = frame;
        } else if (frame.kind === 'firmware' && heard.capabilities === undefined) {
          if (heard.version !== undefined && heard.firmware === undefined) asker.ask(QUERY.capabilities);
          heard.firmware = frame;
        } else if (frame.kind === 'firmware') {
          throw new DeviceError('device.gone', `${device}: the board has started anew`);
        } else if (frame.kind === 'capabilities') {
          if (heard.capabilities === undefined) asker.ask(QUERY.analogMapping);
          heard.capabilities = frame;
        } else if (frame.kind === 'analog-mapping') {
          const { version, firmware, capabilities } = heard;
          if (version === undefined || firmware === undefined || capabilities === undefined) continue;
          return { version, firmware, layout: decodeLayout(capabilities, frame), rest: frames.slice(index + 1) };
        }
      }
    }
  } finally {
    cancelLimit();
    ending.release();
    await asker.stop();
  }
  if (asker.error !== undefined) throw asker.error;
  signal.throwIfAborted();
  throw new DeviceError('device.timeout', `${device}: no Firmata answer for ${GREETING_LONGEST_MS} ms`);
}

function checkVersion(device: string, frame: Frame): void {
  const { major, minor } = decodeVersion(frame);
  if (major === LEAST_VERSION.major && minor >= LEAST_VERSION.minor) return;
  throw new DeviceError(
    'device.unsupported',
    `${device}: Firmata ${major}.${minor} instead of 2.5 or a later 2.x; load StandardFirmata anew`,
  );
}

/** Asks one thing again and again until told to ask another. */
class Asker {
  readonly #link: ByteLink;
  readonly #clock: Clock;
  readonly #ending: Ending;
  #cancel: () => void = () => {};
  #writing: Promise<void> = Promise.resolve();
  /** Why nothing could be asked. */
  error: unknown;

  constructor(link: ByteLink, clock: Clock, ending: Ending) {
    this.#link = link;
    this.#clock = clock;
    this.#ending = ending;
  }

  ask(...questions: readonly Uint8Array[]): void {
    this.#cancel();
    this.#cancel = this.#clock.after(ASK_EVERY_MS, () => this.ask(...questions));
    this.#writing = this.#writing.then(() => this.#write(Buffer.concat(questions)));
  }

  async stop(): Promise<void> {
    this.#cancel();
    await this.#writing;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (this.#ending.signal.aborted) return;
    try {
      await this.#link.write(bytes, this.#ending.signal);
    } catch (error) {
      if (!this.#ending.signal.aborted) this.error = error;
      this.#ending.end();
    }
  }
}
