/**
 * A microcontroller board that runs Firmata: status light, buzzer, button, proximity sensor, thermometer.
 *
 * Room: one board. May touch: the link it is handed. May not: open a port itself, retry, store, or log what was measured.
 * `FirmataBoard` outlives unplugging; a `BoardSession` is one time of being plugged in, and what `supervise` opens, uses and closes.
 */
import { codeOf, DecodeError, DeviceError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import type { ByteLink, Closable, OpenLink } from '../byte-link.ts';
import type { Sample } from '../thermometer/reading.ts';
import { type Components, makeComponents } from './components.ts';
import { FirmataFramer, type Frame, QUERY } from './firmata-frames.ts';
import { FirmataPort } from './firmata-port.ts';
import { type Greeting, greet } from './greeting.ts';
import { LinkWriter } from './link-writer.ts';
import { centimetresOf, type Nearness, NOBODY_NEAR, nextNearness } from './proximity.ts';
import { type Signal, SignalPlayer } from './signal.ts';
import { checkWiring, type Wiring } from './wiring.ts';

export interface BoardSettings {
  readonly device: string;
  readonly wiring: Wiring;
  readonly clock: Clock;
  /** The button was pressed. */
  readonly onPress?: () => void;
  /** It was let go of, or the board was. */
  readonly onRelease?: () => void;
}

/** A board that is asked each second has answered within some milliseconds; three without a whole message are a fault, not a pause. */
const ASK_EVERY_MS = 1_000;
export const LONGEST_SILENCE_MS = 3_000;
/** Contacts bounce for up to 20 ms; nobody presses twice this soon. */
const APART_MS = 120;
const ADC_STEPS = 1_024;
/** A board that can not be used stays so until a person has loaded it anew: each open of a port costs memory (decision 0006). */
const UNSUPPORTED_HOLD_MS = 5_000;
/** A board that is well answers within some milliseconds. */
const FAREWELL_LONGEST_MS = 500;

/** More kinds of board than anybody plugs in at one door; pins that are others each time are noise. */
const MOST_BUILDS = 8;

interface Made {
  readonly port: FirmataPort;
  readonly components: Components;
}

export class FirmataBoard {
  readonly #settings: BoardSettings;
  readonly #player: SignalPlayer;
  /** Made at the first greeting of each build of board, and kept: what the libraries hold of one is never given back. */
  readonly #builds = new Map<string, Made>();
  #made: Made | undefined;
  #nearness: Nearness = NOBODY_NEAR;
  #pressedAtMs = -Infinity;
  #isUnsupported = false;
  #session: BoardSession | undefined;
  #waiting = new Set<() => void>();

  constructor(settings: BoardSettings) {
    this.#settings = settings;
    this.#player = new SignalPlayer(settings.clock, (light, isSounding) =>
      this.#guarded(() => {
        this.#made?.components.light(light);
        this.#made?.components.sound(isSounding);
      }),
    );
  }

  /** Whether somebody stands before the board; always true where it has no proximity sensor. */
  get isNear(): boolean {
    return this.#settings.wiring.proximity === undefined || this.#nearness.isNear;
  }

  /** Plays it if the board is there, and nothing if not. */
  show(signal: Signal): void {
    if (this.#session !== undefined) this.#player.play(signal);
  }

  /**
   * Opens the port, greets the board and sets its pins up.
   * @throws what `openLink` and greet throw; DeviceError `device.unsupported` where the wiring does not fit the board, after some seconds if
   * that is no news.
   */
  async open(openLink: OpenLink, signal: AbortSignal): Promise<BoardSession> {
    const { device, wiring, clock } = this.#settings;
    const link = await openLink(signal);
    try {
      const framer = new FirmataFramer();
      const greeting = await greet(link, framer, { device, clock }, signal);
      checkWiring(device, greeting.layout, wiring);
      const made = await this.#make(greeting);
      signal.throwIfAborted();
      this.#made = made;
      this.#nearness = NOBODY_NEAR;
      // A button that is held, or stuck, while the board starts is no press.
      this.#pressedAtMs = clock.monotonic();
      const session: BoardSession = new BoardSession({
        device,
        clock,
        link,
        framer,
        port: made.port,
        rest: greeting.rest,
        onEnd: () => this.#ended(session),
      });
      this.#session = session;
      made.components.setUp();
      this.#isUnsupported = false;
      for (const wake of this.#waiting) wake();
      return session;
    } catch (error) {
      const isUnsupported = codeOf(error) === 'device.unsupported';
      if (isUnsupported && this.#isUnsupported) await clock.sleep(UNSUPPORTED_HOLD_MS, signal);
      this.#isUnsupported = isUnsupported;
      await link.close();
      throw error;
    }
  }

  /**
   * Waits for the board to be plugged in.
   * @returns its session; `undefined` on abort, or after `longestMs`.
   */
  session(longestMs: number, signal: AbortSignal): Promise<BoardSession | undefined> {
    if (this.#session !== undefined || signal.aborted) return Promise.resolve(signal.aborted ? undefined : this.#session);
    return new Promise((resolve) => {
      const settle = () => {
        this.#waiting.delete(settle);
        cancel();
        signal.removeEventListener('abort', settle);
        resolve(signal.aborted ? undefined : this.#session);
      };
      this.#waiting.add(settle);
      const cancel = this.#settings.clock.after(longestMs, settle);
      signal.addEventListener('abort', settle, { once: true });
    });
  }

  /** @throws as Mlx90614.sample; DeviceError `device.absent` where the wiring has no thermometer or the board was never there. */
  sample(signal: AbortSignal): Promise<Sample> {
    const thermometer = this.#made?.components.thermometer;
    if (thermometer === undefined) return Promise.reject(new DeviceError('device.absent', 'board: no thermometer'));
    return thermometer.sample(this.#settings.clock, signal);
  }

  async #make(greeting: Greeting): Promise<Made> {
    const build = JSON.stringify(greeting.layout);
    const made = this.#builds.get(build);
    if (made !== undefined) return made;
    const { device, wiring } = this.#settings;
    if (this.#builds.size === MOST_BUILDS) throw new DeviceError('device.unsupported', `${device}: its pins are others at each start`);
    const port = new FirmataPort(greeting);
    const components = await makeComponents(port, wiring, {
      onButton: (isDown) => this.#hearButton(isDown),
      onProximity: (value) => this.#hearProximity(value),
    });
    this.#builds.set(build, { port, components });
    return { port, components };
  }

  /** Dark and silent, as far as the board still hears it. A session that ends late does not disturb the next one. */
  #ended(session: BoardSession): void {
    if (this.#session !== session) return;
    this.#player.stop();
    this.#session = undefined;
    this.#made?.components.release();
  }

  #hearButton(isDown: boolean): void {
    const { clock, onPress, onRelease } = this.#settings;
    const nowMs = clock.monotonic();
    if (!isDown) this.#guarded(() => onRelease?.());
    if (!isDown || this.#session === undefined || nowMs - this.#pressedAtMs < APART_MS) return;
    this.#pressedAtMs = nowMs;
    this.#guarded(() => onPress?.());
  }

  /** Timers and listeners of libraries call this: what is thrown there would end the process. It ends the session instead. */
  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#session?.fail(error);
    }
  }

  #hearProximity(value: number): void {
    const { proximity } = this.#settings.wiring;
    if (proximity === undefined) return;
    const volts = (value / ADC_STEPS) * (proximity.supplyMillivolts / 1_000);
    this.#nearness = nextNearness(this.#nearness, centimetresOf(proximity.sensor, volts), proximity.nearCentimetres);
  }
}

interface SessionParts {
  readonly device: string;
  readonly clock: Clock;
  readonly link: ByteLink;
  readonly framer: FirmataFramer;
  readonly port: FirmataPort;
  readonly rest: readonly Frame[];
  readonly onEnd: () => void;
}

/** One time of being plugged in. */
export class BoardSession implements Closable {
  readonly #parts: SessionParts;
  readonly #writer: LinkWriter;
  readonly #disconnect: () => void;
  readonly #stop = new AbortController();
  readonly #quit = new AbortController();
  /** Aborts when the board is gone or let go. */
  readonly ended: AbortSignal;
  readonly #over = new AbortController();
  #failure: unknown;
  #heardAtMs: number;
  /** Ended because it was told to, and answering until then. */
  #isWell = false;
  #closed: Promise<void> | undefined;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.ended = this.#over.signal;
    this.#heardAtMs = parts.clock.monotonic();
    this.#writer = new LinkWriter(parts.link, this.#quit.signal, (error) => this.fail(error));
    this.#disconnect = parts.port.connect((bytes) => this.#writer.send(bytes));
  }

  /**
   * Listens until the board fails or `signal` aborts.
   * @throws DeviceError `device.gone` when the board is unplugged or starts anew, `device.timeout` after LONGEST_SILENCE_MS without a whole
   * message, and what the link throws.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { device, link, framer, rest } = this.#parts;
    const end = () => this.#stop.abort();
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    const cancel = this.#keepAsking();
    try {
      for (const frame of rest) this.#hear(frame);
      for await (const chunk of link.read(this.#stop.signal)) {
        for (const found of framer.push(chunk)) {
          if (!(found instanceof DecodeError)) this.#hear(found);
        }
      }
    } finally {
      cancel();
      signal.removeEventListener('abort', end);
    }
    if (this.#failure !== undefined) throw this.#failure;
    if (!signal.aborted) throw new DeviceError('device.timeout', `${device}: nothing whole for ${LONGEST_SILENCE_MS} ms`);
    this.#isWell = true;
  }

  close(): Promise<void> {
    this.#closed ??= this.#release();
    return this.#closed;
  }

  #hear(frame: Frame): void {
    this.#heardAtMs = this.#parts.clock.monotonic();
    // Sent unasked by a board that has just started: it has forgotten what its pins are for.
    if (frame.kind === 'firmware') throw new DeviceError('device.gone', `${this.#parts.device}: the board has started anew`);
    this.#parts.port.deliver(frame);
  }

  /** @returns ends it. */
  #keepAsking(): () => void {
    const { clock } = this.#parts;
    let cancel = () => {};
    const ask = () => {
      if (clock.monotonic() - this.#heardAtMs >= LONGEST_SILENCE_MS) return this.#stop.abort();
      this.#writer.send(QUERY.version);
      cancel = clock.after(ASK_EVERY_MS, ask);
    };
    ask();
    return () => cancel();
  }

  /** Ends `run` with that error. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.#stop.abort();
  }

  async #release(): Promise<void> {
    const { link, clock, onEnd } = this.#parts;
    this.#over.abort();
    onEnd();
    this.#disconnect();
    const cancel = clock.after(FAREWELL_LONGEST_MS, () => this.#quit.abort());
    if (this.#isWell) await this.#heardAll();
    await this.#writer.sent();
    cancel();
    await link.close();
  }

  /** A board answers in order: what it was told last, to be dark and silent, is done once it answers this. Closing drops what it has not read. */
  async #heardAll(): Promise<void> {
    const { link, framer } = this.#parts;
    this.#writer.send(QUERY.pinState(0));
    try {
      for await (const chunk of link.read(this.#quit.signal)) {
        if (framer.push(chunk).some((found) => 'kind' in found && found.kind === 'pin-state')) return;
      }
    } catch (error) {
      // Unplugged meanwhile: then it is dark.
      if (!(error instanceof DeviceError)) throw error;
    }
  }
}
