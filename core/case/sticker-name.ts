/** The name that the core gives a sticker: under a key of its own, so that nobody can look for a sticker's bytes in a file without it. */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';

/** One block of AES-256, as of cards (pseudonym.ts), under a key derived from theirs. */
export class StickerNames {
  readonly #key: Uint8Array;

  /** @param key 32 bytes, of `CoreKeys`. */
  constructor(key: Uint8Array) {
    this.#key = new Uint8Array(hkdfSync('sha256', key, new Uint8Array(0), 'vestibule-sticker-name-1', 32));
  }

  /** @param sticker 16 bytes. @returns 16 bytes. */
  of(sticker: Uint8Array): Uint8Array {
    return new Uint8Array(createCipheriv('aes-256-ecb', this.#key, null).setAutoPadding(false).update(sticker));
  }

  /** @returns the sticker of a name: for telling clinics' kiosks that it is used, and nothing else. */
  stickerOf(name: Uint8Array): Uint8Array {
    return new Uint8Array(createDecipheriv('aes-256-ecb', this.#key, null).setAutoPadding(false).update(name));
  }
}
