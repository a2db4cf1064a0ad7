/** One burst of what a scanner sends, between two silences: gathered, then described without any of its contents. Bounded; nothing is kept. */
import { afterSilence } from '../hardware/scanner/silence.ts';
import type { Clock } from '../protocol/time.ts';
import type { TrustDocument } from '../protocol/trust.ts';
import { type CodeSight, sightOfCode } from './identify-code.ts';

export interface Burst {
  readonly bytes: Uint8Array;
  /** How many pieces it came in, and over how long. */
  readonly pieces: number;
  readonly tookMs: number;
  /** More came than is looked at. */
  readonly isEndless: boolean;
}

/** Two of the longest symbols. */
const LONGEST_BYTES = 8_192;
/** Above every pause inside a code (hardware/scanner/gap-framer.ts) and below that between two scans by hand. */
const SILENCE_MS = 300;

export class BurstGatherer {
  readonly #clock: Clock;
  readonly #onBurst: (burst: Burst) => void;
  readonly #bytes = new Uint8Array(LONGEST_BYTES);
  #lengthBytes = 0;
  #pieces = 0;
  #firstMs = 0;
  #lastMs = 0;
  #isEndless = false;
  #cancel: () => void = () => {};

  constructor(clock: Clock, onBurst: (burst: Burst) => void) {
    this.#clock = clock;
    this.#onBurst = onBurst;
  }

  push(piece: Uint8Array): void {
    this.#cancel();
    const nowMs = this.#clock.monotonic();
    if (this.#pieces === 0) this.#firstMs = nowMs;
    this.#lastMs = nowMs;
    this.#pieces += 1;
    const room = LONGEST_BYTES - this.#lengthBytes;
    this.#bytes.set(piece.subarray(0, room), this.#lengthBytes);
    this.#lengthBytes += Math.min(room, piece.length);
    const wasEndless = this.#isEndless;
    this.#isEndless ||= piece.length > room;
    // A device that never pauses is told of at once, and again after each silence only.
    if (this.#isEndless && !wasEndless) this.#tell();
    this.#cancel = afterSilence(this.#clock, SILENCE_MS, () => this.end());
  }

  /** Silence, or the device is gone. */
  end(): void {
    this.#cancel();
    if (this.#pieces > 0 && !this.#isEndless) this.#tell();
    this.#bytes.fill(0);
    this.#lengthBytes = 0;
    this.#pieces = 0;
    this.#isEndless = false;
  }

  #tell(): void {
    this.#onBurst({
      bytes: this.#bytes.slice(0, this.#lengthBytes),
      pieces: this.#pieces,
      tookMs: this.#lastMs - this.#firstMs,
      isEndless: this.#isEndless,
    });
  }
}

export interface BurstSight {
  readonly lengthBytes: number;
  readonly pieces: number;
  readonly tookMs: number;
  readonly isEndless: boolean;
  /** Control characters before the first code, and what ends it: names of ASCII, such as STX and CR LF; empty for none. */
  readonly start: string;
  readonly end: string;
  /** Of the first code. */
  readonly symbology: string | undefined;
  /** Codes in the burst. */
  readonly codes: number;
  /** Printable characters of the first code by what they are, such as `174 capital letters`. */
  readonly made: string;
  /** Bytes that no text has, of all. */
  readonly garbageBytes: number;
  readonly code: CodeSight | undefined;
}

/** ISO/IEC 646, the control characters. */
const CONTROLS =
  'NUL SOH STX ETX EOT ENQ ACK BEL BS Tab LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US'.split(' ');

export function sightOfBurst({ bytes, pieces, tookMs, isEndless }: Burst, trust: TrustDocument | undefined): BurstSight {
  const text = Buffer.from(bytes).toString('latin1');
  const [start = ''] = /^\p{Cc}*/u.exec(text) ?? [];
  const body = text.slice(start.length);
  const [first = ''] = /^\P{Cc}*/u.exec(body) ?? [];
  const [end = ''] = /^\p{Cc}*/u.exec(body.slice(first.length)) ?? [];
  const symbology = /^\][A-Za-z][0-9A-Za-z]/.exec(first)?.[0];
  const content = first.slice(symbology?.length ?? 0);
  return {
    lengthBytes: bytes.length,
    pieces,
    tookMs,
    isEndless,
    start: controlsIn(start),
    end: controlsIn(end),
    symbology,
    codes: body.split(/\p{Cc}+/u).filter((piece) => piece !== '').length,
    made: madeOf(content),
    garbageBytes: bytes.reduce((sum, byte) => sum + (byte > 0x7e || byte === 0 ? 1 : 0), 0),
    code: content === '' ? undefined : sightOfCode(content, trust),
  };
}

const controlsIn = (text: string): string => {
  const names = Array.from(text.slice(0, 8), (character) => CONTROLS[character.charCodeAt(0)] ?? 'a control character');
  return names.join(' ');
};

const CLASSES: readonly (readonly [RegExp, string, string])[] = [
  [/[A-Z]/g, 'capital letter', 'capital letters'],
  [/[a-z]/g, 'small letter', 'small letters'],
  [/[0-9]/g, 'digit', 'digits'],
  [/[ -/:-@[-`{-~]/g, 'sign', 'signs'],
  [/[^ -~]/g, 'character that no text has', 'characters that no text has'],
];

const madeOf = (content: string): string =>
  CLASSES.map(([pattern, one, many]) => ({ count: content.match(pattern)?.length ?? 0, one, many }))
    .filter(({ count }) => count > 0)
    .map(({ count, one, many }) => `${count} ${count === 1 ? one : many}`)
    .join(', ');

/** Of bytes at a wrong speed a tenth at least make no text. */
export const isGarbage = ({ garbageBytes, lengthBytes }: BurstSight): boolean => garbageBytes * 10 > lengthBytes;
