/** A bundle that the gateway hands out, in pieces that fit the link: what is lost is asked for again, piece by piece. */
import { LinkError } from '../../protocol/errors.ts';
import { LONGEST_PIECE_BYTES, releasePath } from '../../protocol/release-fetch.ts';
import type { OfferedRelease } from '../../protocol/release-word.ts';
import type { Clock } from '../../protocol/time.ts';
import type { BundleSource } from './bundle-source.ts';

/** @returns those bytes of the body. @throws LinkError. */
export type FetchPiece = (path: string, from: number, lengthBytes: number, signal: AbortSignal) => Promise<Uint8Array>;

/** 15 s are allowed for a piece: with the least a link of 0.5 kB/s is enough. */
const LEAST_PIECE_BYTES = 8_192;
const FIRST_PIECE_BYTES = 65_536;
/** A piece that took less is followed by one of twice the length. */
const QUICK_MS = 2_000;
const MOST_TRIES = 6;
const FIRST_WAIT_MS = 1_000;

export class GatewaySource implements BundleSource {
  readonly lengthBytes: number;
  readonly #path: string;
  readonly #fetch: FetchPiece;
  readonly #clock: Clock;
  #pieceBytes = FIRST_PIECE_BYTES;

  constructor({ digest, lengthBytes }: OfferedRelease, fetch: FetchPiece, clock: Clock) {
    this.lengthBytes = lengthBytes;
    this.#path = releasePath(digest);
    this.#fetch = fetch;
    this.#clock = clock;
  }

  async read(offset: number, lengthBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    const bytes = new Uint8Array(lengthBytes);
    for (let at = 0, tries = 1; at < lengthBytes; ) {
      const wanted = Math.min(this.#pieceBytes, lengthBytes - at);
      const beganMs = this.#clock.monotonic();
      try {
        const piece = await this.#fetch(this.#path, offset + at, wanted, signal);
        bytes.set(piece, at);
        at += piece.length;
        tries = 1;
        if (this.#clock.monotonic() - beganMs < QUICK_MS) this.#pieceBytes = Math.min(2 * this.#pieceBytes, LONGEST_PIECE_BYTES);
      } catch (error) {
        if (!(error instanceof LinkError) || signal.aborted || tries >= MOST_TRIES) throw error;
        this.#pieceBytes = Math.max(this.#pieceBytes / 2, LEAST_PIECE_BYTES);
        await this.#clock.sleep(FIRST_WAIT_MS * 2 ** (tries - 1), signal);
        tries += 1;
      }
    }
    return bytes;
  }

  close = async (): Promise<void> => {};
}
