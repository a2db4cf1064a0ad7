/**
 * A barcode scanner that types, read as the kernel's input events.
 *
 * Room: one open link in, scans out. May touch: the link it is handed.
 * May not: open, reopen, retry, store, or log what was typed.
 */
import { DeviceError } from '../../protocol/errors.ts';
import { GapFramer } from '../scanner/gap-framer.ts';
import { KeyboardCodec } from '../scanner/keyboard-codec.ts';
import type { KeyboardScannerSettings } from '../scanner/keyboard-scanner.ts';
import type { Scan } from '../scanner/scan.ts';
import { type Framer, pumpScans } from '../scanner/scan-pump.ts';
import type { EventLink } from './event-link.ts';
import { codesOf, EV_KEY, EV_SYN, type InputEvent, InputEventFramer, SYN_DROPPED, SYN_REPORT } from './input-event.ts';
import { usageOfKey } from './key-usages.ts';

/**
 * @param signal on abort it returns.
 * @throws DeviceError what the link throws, after the scans that came before it.
 */
export function readEventScans(
  link: Pick<EventLink, 'read' | 'keysDown'>,
  { framing = 'auto', ...settings }: KeyboardScannerSettings,
  signal: AbortSignal,
): AsyncGenerator<Scan, void> {
  return pumpScans(
    (ending) => link.read(ending),
    (onFrame) => new EventTypingFramer(() => link.keysDown(), new GapFramer(framing, settings.clock, onFrame)),
    settings,
    signal,
  );
}

/** No character of any code: where it stands, characters were lost, and the framer refuses the whole line it stands in. */
const LOST = Uint8Array.of(0);

/** Events to keys to characters to frames. */
class EventTypingFramer implements Framer<Uint8Array> {
  readonly #keysDown: () => Uint8Array;
  readonly #events = new InputEventFramer();
  readonly #codec = new KeyboardCodec();
  readonly #frames: GapFramer;
  #hasLost = false;

  constructor(keysDown: () => Uint8Array, frames: GapFramer) {
    this.#keysDown = keysDown;
    this.#frames = frames;
  }

  push(bytes: Uint8Array): void {
    let typed = '';
    for (const event of this.#events.push(bytes)) {
      if (event.type === EV_SYN && event.code === SYN_DROPPED) {
        this.#type(typed);
        typed = '';
        this.#hasLost = true;
        this.#frames.push(LOST);
      } else if (this.#hasLost) {
        if (event.type === EV_SYN && event.code === SYN_REPORT) this.#resume();
      } else typed += this.#characterOf(event);
    }
    this.#type(typed);
  }

  end(): void {
    this.#frames.end();
  }

  #characterOf({ type, code, value }: InputEvent): string {
    const usage = type === EV_KEY ? usageOfKey(code) : undefined;
    if (usage === undefined) return '';
    return value === 0 ? this.#codec.up(usage) : this.#codec.down(usage);
  }

  /** What is down is asked for anew, or a Shift whose release was lost would hold for ever. What it would type belongs to what was lost. */
  #resume(): void {
    this.#hasLost = false;
    this.#codec.pressed(this.#downNow().flatMap((code) => usageOfKey(code) ?? []));
  }

  /** Of a device that is unplugged meanwhile nothing is down; codes that came before that are still to be read. */
  #downNow(): readonly number[] {
    try {
      return codesOf(this.#keysDown());
    } catch (error) {
      if (error instanceof DeviceError) return [];
      throw error;
    }
  }

  #type(typed: string): void {
    if (typed !== '') this.#frames.push(Buffer.from(typed, 'latin1'));
  }
}
