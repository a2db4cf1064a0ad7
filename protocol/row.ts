/**
 * A row: one event sealed for its place, so that a stolen SD card reads nothing and no row can be moved under another name.
 * Source: docs/protocol.md, "Row"; NIST SP 800-38D, section 8.2.1 (an IV of a fixed field and an invocation counter).
 */
import { createSecretKey, hash, type KeyObject } from 'node:crypto';
import { encodeCbor } from './cbor.ts';
import { CONTENT_KEY_BYTES, Encrypt0Opener, Encrypt0Sealer, openEncrypt0 } from './cose.ts';
import { SealError } from './errors.ts';
import type { VestibuleEvent } from './event.ts';
import { decodeEvent, encodeEvent } from './event-codec.ts';
import type { DeploymentId, Epoch, KeyId, KioskId, Seq } from './ids.ts';

export const LONGEST_ROW_BYTES = 1_024;
export const DIGEST_BYTES = 32;

/** Where a row belongs. Bound into it, so that it opens nowhere else. */
export interface RowPlace {
  readonly deployment: DeploymentId;
  readonly kiosk: KioskId;
  readonly epoch: Epoch;
  readonly keyId: KeyId;
  readonly seq: Seq;
}

interface ReadyToSeal {
  readonly seq: Seq;
  readonly seal: (plaintext: Uint8Array) => Uint8Array;
}

/** Seals the rows of one content key. One sealer for one key: a second one would use its nonces again. */
export class RowSealer {
  readonly #sealer: Encrypt0Sealer;
  #attempts = 0;
  #ready: ReadyToSeal | undefined;

  /** @param contentKey 32 random bytes that no other sealer has. @throws SealError `seal.open` at any other length. */
  constructor(place: Omit<RowPlace, 'seq'>, contentKey: Uint8Array) {
    this.#sealer = new Encrypt0Sealer(contentKeyObject(contentKey), aadStartOf(place));
  }

  /** Does what of the next `seal` can be done before there is an event: while nobody waits. Costs a nonce where another number is sealed next. */
  makeReady(seq: Seq): void {
    if (this.#ready?.seq !== seq) this.#ready = this.#begin(seq);
  }

  /**
   * @returns a row of at most 1,024 bytes. Each call uses a new nonce, also when an earlier one threw or its row was never kept.
   * @throws DecodeError when a field of the event is out of bounds.
   */
  seal(seq: Seq, event: VestibuleEvent): Uint8Array {
    const { seal } = this.#ready?.seq === seq ? this.#ready : this.#begin(seq);
    this.#ready = undefined;
    return seal(encodeEvent(event));
  }

  #begin(seq: Seq): ReadyToSeal {
    // Stepped for each attempt before anything can fail, and never from `seq`: a rolled-back append gives its sequence number, not its
    // nonce, to the next.
    this.#attempts += 1;
    return { seq, seal: this.#sealer.begin(seq, this.#attempts) };
  }
}

/** @throws SealError `seal.open` when it was sealed under another key or for another place; DecodeError when it is no row or no event. */
export function openRow(row: Uint8Array, place: RowPlace, contentKey: Uint8Array): VestibuleEvent {
  return decodeEvent(
    openEncrypt0(row, {
      externalAad: externalAadOf(place),
      key: contentKeyObject(contentKey),
      subject: 'row',
      longestBytes: LONGEST_ROW_BYTES,
    }),
  );
}

/** Opens the rows of one content key: what they have in common is made once. */
export class RowOpener {
  readonly #opener: Encrypt0Opener;

  /** @param contentKey 32 bytes. @throws SealError `seal.open` at any other length. */
  constructor(place: Omit<RowPlace, 'seq'>, contentKey: Uint8Array) {
    this.#opener = new Encrypt0Opener(contentKeyObject(contentKey), aadStartOf(place));
  }

  /** @returns the event as bytes, for `decodeEvent`. @throws as `openRow` for what is not an event's fault. */
  open(row: Uint8Array, seq: Seq): Uint8Array {
    return this.#opener.open(row, seq, 'row', LONGEST_ROW_BYTES);
  }
}

/** @returns SHA-256, 32 bytes: what a batch lists a row by, and a receipt a batch. */
export const digestOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(hash('sha256', bytes, 'buffer'));

/** @returns the same as text, a character for each byte: to be compared and looked up, and a third of the time to make. */
export const digestTextOf = (bytes: Uint8Array): string => hash('sha256', bytes, 'binary');

const externalAadOf = ({ deployment, kiosk, epoch, keyId, seq }: RowPlace): Uint8Array =>
  encodeCbor(['vestibule-row-1', deployment, kiosk, epoch, keyId, seq]);

/** The sequence number is the last of the array: what stands before it is the same whatever it is. */
const aadStartOf = (place: Omit<RowPlace, 'seq'>): Uint8Array => externalAadOf({ ...place, seq: 0 as Seq }).subarray(0, -1);

function contentKeyObject(contentKey: Uint8Array): KeyObject {
  if (contentKey.length !== CONTENT_KEY_BYTES)
    throw new SealError('seal.open', `content key: ${contentKey.length} of ${CONTENT_KEY_BYTES} bytes`);
  return createSecretKey(contentKey);
}
