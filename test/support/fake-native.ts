/** The addon without a kernel's devices: a test plugs in keyboards and sensors, types, disturbs and unplugs. Errors are as the addon's. */
import { encodeInputEvents, type InputEvent } from '../../hardware/evdev/input-event.ts';
import type { Bus, EventDescription, EventDevice, Native } from '../../hardware/native/native.ts';

const errno = (code: string): Error => Object.assign(new Error(`call: ${code}`), { code });

class FakeKeyboard {
  readonly chunks: Uint8Array[] = [];
  readonly down = new Set<number>();
  isGone = false;
  grabbedBy: FakeEvents | undefined;
  wake: () => void = () => {};
}

class FakeEvents {
  readonly keyboard: FakeKeyboard;
  isClosed = false;
  cancel: (error: Error) => void = () => {};
  constructor(keyboard: FakeKeyboard) {
    this.keyboard = keyboard;
  }
}

/** What a sensor does when it is asked: answers, or throws `errno`. */
export type Answer = (command: number, answerBytes: number) => Uint8Array | Promise<Uint8Array>;

interface FakeBus {
  readonly path: string;
  readonly address: number;
  isBusy: boolean;
  isClosed: boolean;
}

export class FakeNative implements Native {
  readonly #keyboards = new Map<string, FakeKeyboard>();
  readonly #sensors = new Map<string, Answer>();
  /** What the next opening of a path throws. */
  readonly refusals = new Map<string, string>();
  functions = 0x0eff_0009;
  open = 0;

  plugKeyboard(path: string): void {
    this.#keyboards.set(path, new FakeKeyboard());
  }

  unplugKeyboard(path: string): void {
    const keyboard = this.#keyboardAt(path);
    keyboard.isGone = true;
    this.#keyboards.delete(path);
    keyboard.wake();
  }

  /** Lets events arrive in one chunk; keys that they press and release are down and up from now. */
  feed(path: string, events: readonly InputEvent[] | Uint8Array): void {
    const keyboard = this.#keyboardAt(path);
    keyboard.chunks.push(events instanceof Uint8Array ? events : encodeInputEvents(events));
    keyboard.wake();
  }

  /** What EVIOCGKEY says. */
  setDown(path: string, codes: readonly number[]): void {
    const { down } = this.#keyboardAt(path);
    down.clear();
    for (const code of codes) down.add(code);
  }

  isGrabbed(path: string): boolean {
    return this.#keyboardAt(path).grabbedBy !== undefined;
  }

  placeSensor(path: string, answer: Answer): void {
    this.#sensors.set(path, answer);
  }

  async openEvents(path: string): Promise<EventDevice> {
    this.#refuse(path);
    const keyboard = this.#keyboards.get(path);
    if (keyboard === undefined) throw errno('ENOENT');
    this.open += 1;
    return new FakeEvents(keyboard) as unknown as EventDevice;
  }

  describeEvents(): EventDescription {
    throw errno('ENOTTY');
  }

  grabEvents(device: EventDevice, isGrabbed: boolean): void {
    const own = eventsOf(device);
    const { keyboard } = own;
    if (isGrabbed && keyboard.grabbedBy !== undefined && keyboard.grabbedBy !== own) throw errno('EBUSY');
    keyboard.grabbedBy = isGrabbed ? own : undefined;
  }

  keysDown(device: EventDevice): Uint8Array {
    const { keyboard } = eventsOf(device);
    if (keyboard.isGone) throw errno('ENODEV');
    const bits = new Uint8Array(96);
    for (const code of keyboard.down) bits[code >> 3] = (bits[code >> 3] ?? 0) | (1 << (code & 7));
    return bits;
  }

  readEvents(device: EventDevice): Uint8Array | undefined {
    const { keyboard } = eventsOf(device);
    const chunk = keyboard.chunks.shift();
    if (chunk === undefined && keyboard.isGone) throw errno('ENODEV');
    return chunk;
  }

  waitForEvents(device: EventDevice): Promise<void> {
    const own = eventsOf(device);
    const { keyboard } = own;
    if (keyboard.chunks.length > 0 || keyboard.isGone) return Promise.resolve();
    return new Promise((resolve, reject) => {
      keyboard.wake = resolve;
      own.cancel = reject;
    });
  }

  async closeEvents(device: EventDevice): Promise<void> {
    const own = device as unknown as FakeEvents;
    if (own.isClosed) return;
    own.isClosed = true;
    this.open -= 1;
    if (own.keyboard.grabbedBy === own) own.keyboard.grabbedBy = undefined;
    own.cancel(errno('ECANCELED'));
  }

  async openBus(path: string, address: number): Promise<Bus> {
    this.#refuse(path);
    if (!this.#sensors.has(path)) throw errno('ENOENT');
    this.open += 1;
    const bus: FakeBus = { path, address, isBusy: false, isClosed: false };
    return bus as unknown as Bus;
  }

  functionsOfBus(): number {
    return this.functions;
  }

  async transferOnBus(bus: Bus, bytes: Uint8Array, answerBytes: number): Promise<Uint8Array> {
    if ((this.functions & 1) === 0) throw errno('EOPNOTSUPP');
    return await this.#ask(bus, bytes[0] ?? 0, answerBytes);
  }

  async readWordOnBus(bus: Bus, command: number): Promise<Uint8Array> {
    return (await this.#ask(bus, command, 2)).subarray(0, 2);
  }

  async closeBus(bus: Bus): Promise<void> {
    const own = bus as unknown as FakeBus;
    if (own.isBusy) throw errno('EBUSY');
    if (!own.isClosed) this.open -= 1;
    own.isClosed = true;
  }

  async #ask(bus: Bus, command: number, answerBytes: number): Promise<Uint8Array> {
    const own = bus as unknown as FakeBus;
    if (own.isClosed) throw errno('EBADF');
    if (own.isBusy) throw errno('EBUSY');
    own.isBusy = true;
    try {
      return await (this.#sensors.get(own.path) as Answer)(command, answerBytes);
    } finally {
      own.isBusy = false;
    }
  }

  #refuse(path: string): void {
    const code = this.refusals.get(path);
    this.refusals.delete(path);
    if (code !== undefined) throw errno(code);
  }

  #keyboardAt(path: string): FakeKeyboard {
    const keyboard = this.#keyboards.get(path);
    if (keyboard === undefined) throw new Error(`no keyboard at ${path}`);
    return keyboard;
  }
}

function eventsOf(device: EventDevice): FakeEvents {
  const own = device as unknown as FakeEvents;
  if (own.isClosed) throw errno('EBADF');
  return own;
}

/** An error as the addon throws them. */
export { errno };
